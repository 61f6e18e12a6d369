/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generation_over.c - marks of steps that have ended by themselves
 *
 *	DIR/job_12/over_3
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "generation.h"
#include "generation_folder.h"

#define MARK "over_"

static void name_mark(char name[NAME_SIZE], const struct cr_step *step)
{
	snprintf(name, NAME_SIZE, MARK "%u", step->step);
}

void cr_generation_note_over(int dirfd, const struct cr_step *step)
{
	int job, fd;
	char name[NAME_SIZE];

	if (!cr_generation_has_steps(dirfd, step))
		return;
	job = cr_generation_open_job(dirfd, step, NULL);
	if (job < 0)
		return;
	name_mark(name, step);
	fd = openat(job, name,
		    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		    0600);
	if (fd >= 0)
		close(fd);
	close(job);
}

int cr_generation_is_over(int dirfd, const struct cr_step *step)
{
	int job = cr_generation_open_job(dirfd, step, NULL), is_over;
	char name[NAME_SIZE];

	if (job < 0)
		return 0;
	name_mark(name, step);
	is_over = faccessat(job, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	close(job);
	return is_over;
}

void cr_generation_forget_over(int dirfd, const struct cr_step *step)
{
	int job = cr_generation_open_job(dirfd, step, NULL);
	DIR *dir = job < 0 ? NULL : fdopendir(job);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, MARK, strlen(MARK)))
			unlinkat(job, entry->d_name, 0);
	if (dir)
		closedir(dir);
	else if (job >= 0)
		close(job);
}
