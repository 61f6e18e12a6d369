/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generation.c - generations in the folder of a step; see generation.h
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "generation.h"
#include "generation_folder.h"
#include "manifest.h"

static void name_generation(char name[NAME_SIZE], uint32_t number)
{
	snprintf(name, NAME_SIZE, "gen_%u", number);
}

static int newest_first(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x < y) - (x > y);
}

/* Append the number of a generation's folder that is called @name. */
static int add_number(const char *name, uint32_t **numbersp, size_t *nrp)
{
	unsigned int number;
	uint32_t *more;
	char again[NAME_SIZE];

	if (sscanf(name, "gen_%9u", &number) != 1)
		return 0;
	name_generation(again, number);
	if (strcmp(again, name) != 0)
		return 0;
	more = reallocarray(*numbersp, *nrp + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	more[(*nrp)++] = number;
	*numbersp = more;
	return 0;
}

/* What an error has hidden may be the newest. */
static int read_numbers(DIR *dir, uint32_t **numbersp, size_t *nrp)
{
	struct dirent *entry;
	int rc = 0;

	while (!rc) {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return -errno;
		rc = add_number(entry->d_name, numbersp, nrp);
	}
	return rc;
}

/* All numbers N of folders gen_N, newest first. */
static int list_all(int step_dirfd, uint32_t **numbersp, size_t *nrp,
		    struct cr_error *err)
{
	uint32_t *numbers = NULL;
	size_t nr = 0;
	DIR *dir;
	int fd, rc;

	fd = openat(step_dirfd, ".", OPEN_FOLDER);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		rc = cr_error_errno(err, "list generations");
		if (fd >= 0)
			close(fd);
		return rc;
	}
	rc = read_numbers(dir, &numbers, &nr);
	closedir(dir);
	if (rc) {
		free(numbers);
		return cr_error_set(err, rc, "list generations: %s",
				    strerror(-rc));
	}
	if (nr)
		qsort(numbers, nr, sizeof(*numbers), newest_first);
	*numbersp = numbers;
	*nrp = nr;
	return 0;
}

/* 1 or 0; or -errno if that cannot be seen, which is no reason to pass it over,
 * let alone to remove it. */
static int is_committed(int step_dirfd, uint32_t number, struct cr_error *err)
{
	char path[NAME_SIZE + sizeof(CR_MANIFEST_NAME)];
	char name[NAME_SIZE];
	struct stat st;

	name_generation(name, number);
	snprintf(path, sizeof(path), "%s/" CR_MANIFEST_NAME, name);
	/* a link in its place forbids one: cr_manifest_forbid() */
	if (fstatat(step_dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISREG(st.st_mode);
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	return cr_error_errno(err, "look for %s", path);
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
	for (size_t i = 0; i < nr; i++) {
		rc = is_committed(step_dirfd, numbers[i], err);
		if (rc < 0) {
			free(numbers);
			return rc;
		}
		if (rc)
			numbers[kept++] = numbers[i];
	}
	*numbersp = numbers;
	*nrp = kept;
	return 0;
}

int cr_generation_open(int step_dirfd, uint32_t number, struct cr_error *err)
{
	char name[NAME_SIZE];

	name_generation(name, number);
	return cr_generation_open_folder(step_dirfd, name, 0, err);
}

/* What was never finished.  Another node may be writing to it still, having
 * not heard yet that it was given up: the next time will do, then. */
static int remove_unfinished(int step_dirfd, uint32_t number,
			     struct cr_error *err)
{
	struct cr_error why = { 0 };
	int rc = is_committed(step_dirfd, number, err);

	if (rc)
		return rc < 0 ? rc : 0;
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
	fd = cr_generation_open_folder(step_dirfd, name, 1, err);
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

int cr_generation_remove_all(int step_dirfd, struct cr_error *err)
{
	uint32_t *numbers = NULL;
	size_t nr = 0;
	int rc;

	rc = list_all(step_dirfd, &numbers, &nr, err);
	for (size_t i = 0; i < nr && !rc; i++)
		rc = cr_generation_remove(step_dirfd, numbers[i], err);
	free(numbers);
	return rc ? rc : remove_files(step_dirfd, err);
}
