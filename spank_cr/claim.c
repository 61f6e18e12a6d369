/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * claim.c - which folder's images are this step's; see claim.h
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "claim.h"
#include "generation.h"
#include "identity.h"

#define LOCK "lock"
#define LOCK_TRIES 50 /* with LOCK_PAUSE_US between */
#define LOCK_PAUSE_US 100000

/* How well the newest images of a folder fit. */
enum fit {
	FIT_OTHER, /* they are another srun's of this job */
	FIT_NONE, /* they are no srun's of this job that we know */
	FIT_EMPTY, /* there are none */
	FIT_PLACE, /* the same srun, but its environment differs */
	FIT_EXACT,
};

/* Lock a file in @dirfd; its descriptor, -EAGAIN if somebody else has it, or
 * another error. */
static int lock(int dirfd, int tries)
{
	int fd = openat(dirfd, LOCK,
			O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
			0600);

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int rc = -errno;

		if (rc != -EWOULDBLOCK || --tries <= 0) {
			close(fd);
			return rc;
		}
		usleep(LOCK_PAUSE_US);
	}
	return fd;
}

int cr_claim_is_held(int dirfd, const struct cr_step *step)
{
	int fd = cr_generation_open_step(dirfd, step, 0, NULL), held;

	if (fd < 0)
		return 0;
	held = lock(fd, 1);
	close(fd);
	if (held >= 0)
		close(held);
	return held == -EWOULDBLOCK;
}

int cr_claim_newest(int step_dirfd, struct cr_manifest *manifest)
{
	uint32_t *numbers = NULL;
	size_t nr = 0;
	int fd, rc;

	rc = cr_generation_list(step_dirfd, &numbers, &nr, NULL);
	if (rc)
		return rc;
	fd = nr ? cr_generation_open(step_dirfd, numbers[0], NULL) : -ENOENT;
	free(numbers);
	if (fd < 0)
		return fd;
	rc = cr_manifest_read(fd, manifest, NULL, NULL);
	close(fd);
	return rc;
}

static enum fit fit_of(int step_dirfd, const struct cr_step *step)
{
	struct cr_manifest manifest;
	enum fit fit = FIT_NONE;
	int is_ours;

	if (cr_claim_newest(step_dirfd, &manifest))
		return FIT_EMPTY;
	is_ours = manifest.uid == step->uid && manifest.job == step->job;
	if (is_ours && *step->identity &&
	    !strcmp(step->identity, manifest.identity))
		fit = FIT_EXACT;
	else if (is_ours &&
		 cr_identity_same_place(step->identity, manifest.identity))
		fit = FIT_PLACE;
	else if (is_ours && *manifest.identity)
		fit = FIT_OTHER;
	cr_manifest_free(&manifest);
	return fit;
}

/* The number of a step of srun that has a folder named @name, or -1. */
static int64_t step_of(const char *name)
{
	char again[32];
	unsigned int number;

	if (sscanf(name, "step_%9u", &number) != 1)
		return -1;
	snprintf(again, sizeof(again), "step_%u", number);
	return strcmp(again, name) ? -1 : (int64_t)number;
}

/* How well folder @name fits, and nobody holds it; FIT_NONE otherwise. */
static enum fit fit_of_other(int dirfd, const struct cr_step *step,
			     const char *name)
{
	struct cr_step other = *step;
	int64_t number = step_of(name);
	enum fit fit = FIT_NONE;
	int fd, held;

	if (number < 0 || number == step->step)
		return FIT_NONE;
	other.step = (uint32_t)number;
	fd = cr_generation_open_step(dirfd, &other, 0, NULL);
	if (fd < 0)
		return FIT_NONE;
	held = lock(fd, 1);
	if (held >= 0) {
		fit = fit_of(fd, step);
		close(held);
	}
	close(fd);
	return fit == FIT_EMPTY ? FIT_NONE : fit;
}

/* The best of the other folders: its name, and how well it fits. */
static enum fit find_best(int dirfd, int job, const struct cr_step *step,
			  char best[32])
{
	enum fit best_fit = FIT_NONE, fit;
	struct dirent *entry;
	int fd = openat(job, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return FIT_NONE;
	}
	while ((entry = readdir(dir))) {
		fit = fit_of_other(dirfd, step, entry->d_name);
		if (fit <= best_fit)
			continue;
		best_fit = fit;
		snprintf(best, 32, "%.31s", entry->d_name);
	}
	closedir(dir);
	return best_fit;
}

static int swap_names(int job, const char *a, const char *b)
{
	char aside[48];

	if (renameat2(job, a, job, b, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* NFS: one by one; nobody looks while we have the lock */
	snprintf(aside, sizeof(aside), "%s.aside", a);
	if (renameat(job, a, job, aside) < 0 || renameat(job, b, job, a) < 0)
		return -1;
	return renameat(job, aside, job, b);
}

/* Does another folder fit better than ours (-1: there is none)?  Its name. */
static int is_other_better(int dirfd, int job, int step_dirfd,
			   const struct cr_step *step, char best[32])
{
	enum fit own = step_dirfd < 0 ? FIT_EMPTY : fit_of(step_dirfd, step);
	enum fit other;

	if (own == FIT_EXACT)
		return 0;
	other = find_best(dirfd, job, step, best);
	/* a different environment is taken for chance in the folder of the
	 * same number, or when that is surely another srun's */
	return other > FIT_EMPTY && other > own &&
	       !(other == FIT_PLACE && own == FIT_EMPTY);
}

/* What was ours has mostly just been made: nobody else would remove it.  Who
 * looked for folders meanwhile has left a lock in there. */
static void remove_empty(int job, const char *name, const struct cr_step *step)
{
	int fd = openat(job, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int held;

	if (fd < 0)
		return;
	held = lock(fd, 1);
	if (held >= 0 && fit_of(fd, step) == FIT_EMPTY)
		unlinkat(fd, LOCK, 0);
	unlinkat(job, name, AT_REMOVEDIR);
	if (held >= 0)
		close(held);
	close(fd);
}

/* Make our name lead to a folder that fits better than ours, if one does. */
static int exchange(int dirfd, int job, int step_dirfd,
		    const struct cr_step *step, struct cr_error *err)
{
	char name[32], best[32];

	if (!is_other_better(dirfd, job, step_dirfd, step, best))
		return 0;
	snprintf(name, sizeof(name), "step_%u", step->step);
	if (swap_names(job, name, best) < 0)
		return cr_error_errno(err, "exchange %s and %s", name, best);
	remove_empty(job, best, step);
	return 1;
}

/*
 * What has our name is of another srun, which may come later, as it does where
 * this one could not be saved beside it: let it find it by another number.
 * 1: our name is free.
 */
static int set_aside(int job, int step_dirfd, const struct cr_step *step)
{
	char name[32], aside[32];
	uint32_t number = 0;
	int held;

	if (fit_of(step_dirfd, step) != FIT_OTHER)
		return 0;
	held = lock(step_dirfd, 1);
	if (held < 0)
		return 0;
	close(held);
	do {
		snprintf(aside, sizeof(aside), "step_%u", number++);
	} while (faccessat(job, aside, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
	snprintf(name, sizeof(name), "step_%u", step->step);
	return renameat(job, name, job, aside) == 0;
}

/* With the job locked.  The names may have changed until now. */
static int claim(int dirfd, int job, const struct cr_step *step, int is_locked,
		 struct cr_error *err)
{
	int fd = cr_generation_open_step(dirfd, step, 1, err), rc;

	if (fd < 0 || !is_locked || !step->identity[0])
		return fd;
	rc = exchange(dirfd, job, fd, step, err);
	if (!rc)
		rc = set_aside(job, fd, step);
	if (!rc)
		return fd;
	close(fd);
	return rc < 0 ? rc : cr_generation_open_step(dirfd, step, 1, err);
}

int cr_claim_step(int dirfd, const struct cr_step *step, int *lockp,
		  struct cr_error *err)
{
	int fd, job, job_lock;

	fd = cr_generation_open_step(dirfd, step, 1, err);
	if (fd < 0)
		return fd;
	close(fd);
	job = cr_generation_open_job(dirfd, step, err);
	if (job < 0)
		return job;
	job_lock = lock(job, LOCK_TRIES);
	fd = claim(dirfd, job, step, job_lock >= 0, err);
	if (fd >= 0)
		*lockp = lock(fd, 1);
	if (job_lock >= 0)
		close(job_lock);
	close(job);
	return fd;
}

/* With the job locked. */
static int peek(int dirfd, int job, const struct cr_step *step,
		struct cr_error *err)
{
	int fd = cr_generation_open_step(dirfd, step, 0, err);
	struct cr_step other = *step;
	const int is_others = fd >= 0 && fit_of(fd, step) == FIT_OTHER;
	char best[32];

	if (!step->identity[0] || (fd < 0 && fd != -ENOENT))
		return fd;
	if (!is_other_better(dirfd, job, fd, step, best)) {
		if (is_others)
			close(fd);
		return is_others ? -ENOENT : fd;
	}
	if (fd >= 0)
		close(fd);
	other.step = (uint32_t)step_of(best);
	return cr_generation_open_step(dirfd, &other, 0, err);
}

int cr_claim_peek(int dirfd, const struct cr_step *step, struct cr_error *err)
{
	int job = cr_generation_open_job(dirfd, step, NULL), job_lock, fd;

	if (job < 0)
		return cr_error_set(err, -ENOENT, "the job has no folder");
	job_lock = lock(job, LOCK_TRIES);
	fd = peek(dirfd, job, step, err);
	if (job_lock >= 0)
		close(job_lock);
	close(job);
	return fd;
}
