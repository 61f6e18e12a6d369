/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generation_over.c - marks of steps that have ended by themselves
 *
 *	DIR/job_12/over		it is asked which
 *	DIR/job_12/over_3	step 3 has
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "generation.h"
#include "generation_folder.h"

#define ASKED "over"

static void name_mark(char name[NAME_SIZE], const struct cr_step *step)
{
	snprintf(name, NAME_SIZE, ASKED "_%u", step->step);
}

static void make(int job, const char *name)
{
	int fd =
		openat(job, name,
		       O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		       0600);

	if (fd >= 0)
		close(fd);
}

static int is_there(int job, const char *name)
{
	return faccessat(job, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void cr_generation_ask_over(int dirfd, const struct cr_step *step)
{
	int job = cr_generation_open_job(dirfd, step, NULL);

	if (job < 0)
		return;
	make(job, ASKED);
	close(job);
}

void cr_generation_note_over(int dirfd, const struct cr_step *step)
{
	int job = cr_generation_open_job(dirfd, step, NULL);
	char name[NAME_SIZE];

	if (job < 0)
		return;
	name_mark(name, step);
	if (is_there(job, ASKED))
		make(job, name);
	close(job);
}

int cr_generation_is_over(int dirfd, const struct cr_step *step)
{
	int job = cr_generation_open_job(dirfd, step, NULL), is_over;
	char name[NAME_SIZE];

	if (job < 0)
		return 0;
	name_mark(name, step);
	is_over = is_there(job, name);
	close(job);
	return is_over;
}

void cr_generation_forget_over(int dirfd, const struct cr_step *step)
{
	int job = cr_generation_open_job(dirfd, step, NULL);
	DIR *dir = job < 0 ? NULL : fdopendir(job);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, ASKED, strlen(ASKED)))
			unlinkat(job, entry->d_name, 0);
	if (dir)
		closedir(dir);
	else if (job >= 0)
		close(job);
}
