/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generation_job.c - the folder of a job, and those of its steps in it
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "generation.h"
#include "generation_folder.h"
#include "retry.h"

#define MARK "has_steps"
#define BATCH "step_batch"
#define LOCK "lock" /* see claim.c; in folders of jobs and steps */

static void name_job(char name[NAME_SIZE], const struct cr_step *step)
{
	snprintf(name, NAME_SIZE, "job_%u", step->job);
}

static void name_step(char name[NAME_SIZE], const struct cr_step *step)
{
	if (step->step == CR_STEP_BATCH)
		snprintf(name, NAME_SIZE, BATCH);
	else
		snprintf(name, NAME_SIZE, "step_%u", step->step);
}

int cr_generation_open_job(int dirfd, const struct cr_step *step,
			   struct cr_error *err)
{
	char name[NAME_SIZE];

	name_job(name, step);
	return cr_generation_open_folder(dirfd, name, 0, err);
}

int cr_generation_open_step(int dirfd, const struct cr_step *step, int create,
			    struct cr_error *err)
{
	char name[NAME_SIZE];
	int job, fd;

	name_job(name, step);
	job = cr_generation_open_folder(dirfd, name, create, err);
	if (job < 0)
		return job;
	name_step(name, step);
	fd = cr_generation_open_folder(job, name, create, err);
	if (fd >= 0 && create && (fsync(job) < 0 || fsync(dirfd) < 0)) {
		close(fd);
		fd = cr_error_errno(err, "sync folder job_%u", step->job);
	}
	close(job);
	return fd;
}

int cr_generation_mark_steps(int dirfd, const struct cr_step *step,
			     struct cr_error *err)
{
	int job, fd, rc = 0;

	job = cr_generation_open_job(dirfd, step, err);
	if (job < 0)
		return job;
	if (faccessat(job, BATCH, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
		close(job);
		return 0;
	}
	fd = openat(job, MARK,
		    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		    0600);
	if (fd < 0 || fsync(job) < 0)
		rc = cr_error_errno(err, "make job_%u/" MARK, step->job);
	if (fd >= 0)
		close(fd);
	close(job);
	return rc;
}

int cr_generation_has_steps(int dirfd, const struct cr_step *step)
{
	char name[NAME_SIZE], path[2 * NAME_SIZE];

	name_job(name, step);
	snprintf(path, sizeof(path), "%s/" MARK, name);
	return faccessat(dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Is there a folder of a step in folder @job? */
static int has_folders(int job)
{
	int fd = openat(job, ".", OPEN_FOLDER), found = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 1;
	}
	while (!found && (entry = readdir(dir)))
		found = !strncmp(entry->d_name, "step_", 5);
	closedir(dir);
	return found;
}

/* Is it so of the folder of any of the job's steps?  -errno: who knows. */
static int any_step(int dirfd, const struct cr_step *step,
		    int (*is_so)(int step_dirfd, uint32_t run), uint32_t run)
{
	struct dirent *entry;
	int fd, sub, found = 0;
	DIR *dir;

	fd = cr_generation_open_job(dirfd, step, NULL);
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	while (dir && !found && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "step_", 5) != 0 ||
		    (sub = openat(fd, entry->d_name, OPEN_FOLDER)) < 0)
			continue;
		found = is_so(sub, run);
		close(sub);
	}
	if (dir)
		closedir(dir);
	else
		close(fd);
	return found;
}

static int has_any(int step_dirfd, uint32_t run)
{
	uint32_t *numbers;
	size_t nr = 0;

	(void)run;
	if (cr_generation_list(step_dirfd, &numbers, &nr, NULL))
		return 1; /* who knows */
	free(numbers);
	return nr > 0;
}

int cr_generation_job_has_any(int dirfd, const struct cr_step *step)
{
	const int found = any_step(dirfd, step, has_any, 0);

	return found && found != -ENOENT;
}

int cr_generation_job_is_put_off(int dirfd, const struct cr_step *step,
				 uint32_t run)
{
	struct cr_step of = *step;
	uint32_t component = 0;

	do {
		of.job = step->job + component;
		if (any_step(dirfd, &of, cr_retry_is_noted, run) > 0)
			return 1;
	} while (++component < step->nr_components);
	return 0;
}

static int remove_step_in(int job, const struct cr_step *step,
			  struct cr_error *err)
{
	char name[NAME_SIZE];
	int fd, rc;

	name_step(name, step);
	fd = cr_generation_open_folder(job, name, 0, err);
	if (fd < 0)
		return fd;
	rc = cr_generation_remove_all(fd, err);
	close(fd);
	if (rc)
		return rc;
	unlinkat(job, name, AT_REMOVEDIR);
	if (step->step == CR_STEP_BATCH)
		unlinkat(job, MARK, 0);
	return 0;
}

/* All by handle: in a directory of a user the job's name may lead elsewhere
 * at any moment. */
int cr_generation_remove_step(int dirfd, const struct cr_step *step,
			      struct cr_error *err)
{
	int job = cr_generation_open_job(dirfd, step, err), rc, is_last;
	char name[NAME_SIZE];

	if (job < 0)
		return job == -ENOENT ? 0 : job;
	rc = remove_step_in(job, step, err);
	/* other steps of the job may have theirs still */
	is_last = !rc && !has_folders(job);
	if (is_last) {
		cr_generation_forget_over(dirfd, step);
		unlinkat(job, LOCK, 0);
	}
	close(job);
	name_job(name, step);
	if (is_last)
		unlinkat(dirfd, name, AT_REMOVEDIR);
	return rc == -ENOENT ? 0 : rc;
}
