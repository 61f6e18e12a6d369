/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generation.c - folders of generations; see generation.h
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "generation.h"
#include "manifest.h"

#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define NAME_SIZE 48
#define MARK "has_steps"
#define BATCH "step_batch"
#define LOCK "lock" /* see claim.c; in folders of jobs and steps */

static void name_generation(char name[NAME_SIZE], uint32_t number)
{
	snprintf(name, NAME_SIZE, "gen_%u", number);
}

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

/* Open the admin's DIR as root. */
static int open_admins(const char *path, struct cr_error *err)
{
	int fd;

	if (mkdir(path, 0700) < 0 && errno != EEXIST && errno != EROFS)
		return cr_error_errno(err, "make checkpoint directory %s",
				      path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return cr_error_errno(err, "open checkpoint directory %s",
				      path);
	return fd;
}

/* Open the user's DIR as the user, so that it leads nowhere where they may
 * not write. */
static int open_users(const char *path, const struct cr_step *step,
		      struct cr_error *err)
{
	gid_t groups[CR_STEP_GROUPS_MAX], gid = getegid();
	int nr_groups = getgroups(CR_STEP_GROUPS_MAX, groups);
	uid_t uid = geteuid();
	int fd = -1, rc = 0;

	if (nr_groups < 0)
		return cr_error_errno(err, "getgroups");
	if (setgroups(step->nr_groups, step->groups) < 0 ||
	    setegid(step->gid) < 0 || seteuid(step->uid) < 0)
		rc = cr_error_errno(err, "become uid %u", step->uid);
	if (!rc) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
			rc = cr_error_errno(err,
					    "checkpoint directory %s as uid %u",
					    path, step->uid);
	}
	if (seteuid(uid) < 0 || setegid(gid) < 0 ||
	    setgroups((size_t)nr_groups, groups) < 0)
		rc = cr_error_errno(err, "become root again");
	if (rc && fd >= 0)
		close(fd);
	return rc ? rc : fd;
}

int cr_generation_open_dir(const struct cr_config *config,
			   const struct cr_step *step, struct cr_error *err)
{
	if (config->dir_is_users)
		return open_users(config->dir, step, err);
	return open_admins(config->dir, err);
}

/* Open folder @name in @dirfd and check that it is ours. */
static int open_folder(int dirfd, const char *name, int create,
		       struct cr_error *err)
{
	struct stat st;
	int fd, rc;

	if (create && mkdirat(dirfd, name, 0700) < 0 && errno != EEXIST)
		return cr_error_errno(err, "make folder %s", name);
	fd = openat(dirfd, name, OPEN_FOLDER);
	if (fd < 0)
		return cr_error_errno(err, "open folder %s", name);
	if (fstat(fd, &st) < 0)
		rc = cr_error_errno(err, "stat folder %s", name);
	else if (st.st_uid != geteuid() || (st.st_mode & 077))
		rc = cr_error_set(err, -EPERM,
				  "folder %s is of uid %u with mode %04o: not "
				  "ours",
				  name, st.st_uid, st.st_mode & 07777);
	else
		return fd;
	close(fd);
	return rc;
}

int cr_generation_open_step(int dirfd, const struct cr_step *step, int create,
			    struct cr_error *err)
{
	char name[NAME_SIZE];
	int job, fd;

	name_job(name, step);
	job = open_folder(dirfd, name, create, err);
	if (job < 0)
		return job;
	name_step(name, step);
	fd = open_folder(job, name, create, err);
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
	char name[NAME_SIZE];
	int job, fd, rc = 0;

	name_job(name, step);
	job = open_folder(dirfd, name, 0, err);
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
		rc = cr_error_errno(err, "make %s/" MARK, name);
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

static int newest_first(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x < y) - (x > y);
}

/* All numbers N of folders gen_N, newest first. */
static int list_all(int step_dirfd, uint32_t **numbersp, size_t *nrp,
		    struct cr_error *err)
{
	uint32_t *numbers = NULL;
	size_t nr = 0;
	struct dirent *entry;
	DIR *dir;
	int fd;

	fd = openat(step_dirfd, ".", OPEN_FOLDER);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		cr_error_errno(err, "list generations");
		if (fd >= 0)
			close(fd);
		return err ? err->code : -EIO;
	}
	while ((entry = readdir(dir))) {
		unsigned int number;
		uint32_t *more;
		char again[NAME_SIZE];

		if (sscanf(entry->d_name, "gen_%9u", &number) != 1)
			continue;
		name_generation(again, number);
		if (strcmp(again, entry->d_name) != 0)
			continue;
		more = reallocarray(numbers, nr + 1, sizeof(*numbers));
		if (!more) {
			free(numbers);
			closedir(dir);
			return cr_error_set(err, -ENOMEM, "no memory");
		}
		numbers = more;
		numbers[nr++] = number;
	}
	closedir(dir);
	if (nr)
		qsort(numbers, nr, sizeof(*numbers), newest_first);
	*numbersp = numbers;
	*nrp = nr;
	return 0;
}

static int is_committed(int step_dirfd, uint32_t number)
{
	char path[NAME_SIZE + sizeof(CR_MANIFEST_NAME)];
	char name[NAME_SIZE];
	struct stat st;

	name_generation(name, number);
	snprintf(path, sizeof(path), "%s/" CR_MANIFEST_NAME, name);
	/* a link in its place forbids one: cr_manifest_forbid() */
	return fstatat(step_dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode);
}

int cr_generation_list(int step_dirfd, uint32_t **numbersp, size_t *nrp,
		       struct cr_error *err)
{
	uint32_t *numbers = NULL;
	size_t nr = 0, kept = 0;
	int rc;

	rc = list_all(step_dirfd, &numbers, &nr, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < nr; i++)
		if (is_committed(step_dirfd, numbers[i]))
			numbers[kept++] = numbers[i];
	*numbersp = numbers;
	*nrp = kept;
	return 0;
}

int cr_generation_open(int step_dirfd, uint32_t number, struct cr_error *err)
{
	char name[NAME_SIZE];

	name_generation(name, number);
	return open_folder(step_dirfd, name, 0, err);
}

/* What was never finished.  Another node may be writing to it still, having
 * not heard yet that it was given up: the next time will do, then. */
static int remove_unfinished(int step_dirfd, uint32_t number,
			     struct cr_error *err)
{
	struct cr_error why = { 0 };
	int rc;

	if (is_committed(step_dirfd, number))
		return 0;
	rc = cr_generation_remove(step_dirfd, number, &why);
	if (rc == -ENOTEMPTY || rc == -ENOENT)
		return 0;
	return rc ? cr_error_set(err, rc, "%s", why.text) : 0;
}

int cr_generation_create(int step_dirfd, uint32_t *numberp,
			 struct cr_error *err)
{
	uint32_t *numbers = NULL, number = 1;
	char name[NAME_SIZE];
	size_t nr = 0;
	int rc, fd;

	rc = list_all(step_dirfd, &numbers, &nr, err);
	if (rc)
		return rc;
	if (nr)
		number = numbers[0] + 1;
	for (size_t i = 0; i < nr && !rc; i++)
		rc = remove_unfinished(step_dirfd, numbers[i], err);
	free(numbers);
	if (rc)
		return rc;
	name_generation(name, number);
	fd = open_folder(step_dirfd, name, 1, err);
	if (fd >= 0 && fsync(step_dirfd) < 0) {
		close(fd);
		return cr_error_errno(err, "sync the folder of %s", name);
	}
	if (fd >= 0)
		*numberp = number;
	return fd;
}

/* All files in @dirfd; folders are not ours and stay. */
static int remove_files(int dirfd, struct cr_error *err)
{
	struct dirent *entry;
	int fd, rc = 0;
	DIR *dir;

	fd = openat(dirfd, ".", OPEN_FOLDER);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		rc = cr_error_errno(err, "list a generation");
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (!rc && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (unlinkat(dirfd, entry->d_name, 0) < 0 && errno != ENOENT &&
		    errno != EISDIR)
			rc = cr_error_errno(err, "remove %s", entry->d_name);
	}
	closedir(dir);
	return rc;
}

int cr_generation_remove(int step_dirfd, uint32_t number, struct cr_error *err)
{
	char name[NAME_SIZE];
	int fd, rc = 0;

	fd = cr_generation_open(step_dirfd, number, err);
	if (fd < 0)
		return fd;
	if (unlinkat(fd, CR_MANIFEST_NAME, 0) == 0) {
		if (fsync(fd) < 0)
			rc = cr_error_errno(err, "sync gen_%u", number);
	} else if (errno != ENOENT) {
		rc = cr_error_errno(err, "remove manifest of gen_%u", number);
	}
	if (!rc)
		rc = remove_files(fd, err);
	close(fd);
	name_generation(name, number);
	if (!rc && unlinkat(step_dirfd, name, AT_REMOVEDIR) < 0)
		rc = cr_error_errno(err, "remove folder %s", name);
	return rc;
}

int cr_generation_prune(int step_dirfd, unsigned int keep, struct cr_error *err)
{
	uint32_t *numbers = NULL;
	size_t nr = 0;
	int rc;

	rc = cr_generation_list(step_dirfd, &numbers, &nr, err);
	if (rc)
		return rc;
	for (size_t i = keep; i < nr && !rc; i++)
		rc = cr_generation_remove(step_dirfd, numbers[i], err);
	free(numbers);
	return rc;
}

static int remove_all(int step_dirfd, struct cr_error *err)
{
	uint32_t *numbers = NULL;
	size_t nr = 0;
	int rc;

	rc = list_all(step_dirfd, &numbers, &nr, err);
	for (size_t i = 0; i < nr && !rc; i++)
		rc = cr_generation_remove(step_dirfd, numbers[i], err);
	free(numbers);
	return rc;
}

/* Is there a folder of a step in folder @name of a job? */
static int has_folders(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, OPEN_FOLDER), found = 0;
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

int cr_generation_job_has_any(int dirfd, const struct cr_step *step)
{
	char name[NAME_SIZE];
	uint32_t *numbers;
	struct dirent *entry;
	size_t nr = 0;
	int fd, sub;
	DIR *dir;

	name_job(name, step);
	fd = openat(dirfd, name, OPEN_FOLDER);
	if (fd < 0)
		return errno != ENOENT;
	dir = fdopendir(fd);
	while (dir && !nr && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "step_", 5) != 0 ||
		    (sub = openat(fd, entry->d_name, OPEN_FOLDER)) < 0)
			continue;
		if (!cr_generation_list(sub, &numbers, &nr, NULL))
			free(numbers);
		close(sub);
	}
	if (dir)
		closedir(dir);
	else
		close(fd);
	return nr > 0;
}

static void remove_in(int dirfd, const char *folder, const char *name)
{
	char path[3 * NAME_SIZE];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlinkat(dirfd, path, 0);
}

int cr_generation_remove_step(int dirfd, const struct cr_step *step,
			      struct cr_error *err)
{
	char job[NAME_SIZE], path[2 * NAME_SIZE], name[NAME_SIZE];
	int fd, rc;

	fd = cr_generation_open_step(dirfd, step, 0, err);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	rc = remove_all(fd, err);
	if (!rc)
		rc = remove_files(fd, err);
	close(fd);
	if (rc)
		return rc;
	name_job(job, step);
	name_step(name, step);
	snprintf(path, sizeof(path), "%s/%s", job, name);
	unlinkat(dirfd, path, AT_REMOVEDIR);
	if (step->step == CR_STEP_BATCH)
		remove_in(dirfd, job, MARK);
	/* other steps of the job may have theirs still */
	if (has_folders(dirfd, job))
		return 0;
	remove_in(dirfd, job, LOCK);
	unlinkat(dirfd, job, AT_REMOVEDIR);
	return 0;
}
