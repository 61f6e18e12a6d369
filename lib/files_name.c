/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files_name.c - the name under which a file will be found again
 *
 * /proc shows the name by which a file was opened.  It may lead nowhere by now,
 * or to another file, while the file has another name: a hard link.  Names
 * are looked up as the tree sees them, below its root.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

#define DELETED " (deleted)"

int cr_file_set_path(struct cr_file *file, struct cr_error *err)
{
	size_t length = strlen(file->link);
	size_t suffix = strlen(DELETED);

	if (length > suffix && !strcmp(file->link + length - suffix, DELETED) &&
	    !cr_file_path_is_good(file))
		length -= suffix;
	free(file->path);
	file->path = strndup(file->link, length);
	if (!file->path)
		return cr_error_set(err, -ENOMEM, "out of memory");
	file->wire.path_length = (uint32_t)length;
	return 0;
}

/* The path below /proc/PID/root: what is left of @path below a chroot(2). */
static const char *below_root(pid_t pid, const char *path)
{
	char name[64], root[4096];
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/%d/root", pid);
	n = readlink(name, root, sizeof(root) - 1);
	if (n <= 1)
		return path;
	if (strncmp(path, root, (size_t)n) ||
	    (path[n] != '/' && path[n] != '\0'))
		return NULL;
	return path + n;
}

int cr_file_path_is_good(const struct cr_file *file)
{
	const char *path = file->path ? file->path : file->link;
	char name[4096 + 64];
	struct stat st;
	int length;

	path = below_root(file->pid, path);
	if (!path)
		return 0;
	length = snprintf(name, sizeof(name), "/proc/%d/root%s", file->pid,
			  path);
	if (length < 0 || (size_t)length >= sizeof(name) ||
	    fstatat(AT_FDCWD, name, &st, path[0] ? AT_SYMLINK_NOFOLLOW : 0) < 0)
		return 0;
	return st.st_dev == file->stat.st_dev && st.st_ino == file->stat.st_ino;
}

/* The entry of @directory that is @file: in @name, of @size bytes. */
static int find_entry(const struct cr_file *file, const char *directory,
		      char *name, size_t size)
{
	DIR *stream = opendir(directory);
	struct dirent *entry;
	struct stat st;
	int rc = -ENOENT;

	if (!stream)
		return -errno;
	while ((entry = readdir(stream))) {
		if (entry->d_ino != file->stat.st_ino ||
		    fstatat(dirfd(stream), entry->d_name, &st,
			    AT_SYMLINK_NOFOLLOW) < 0 ||
		    st.st_dev != file->stat.st_dev ||
		    st.st_ino != file->stat.st_ino)
			continue;
		snprintf(name, size, "%s", entry->d_name);
		rc = 0;
		break;
	}
	closedir(stream);
	return rc;
}

int cr_file_find_link(struct cr_file *file, struct cr_error *err)
{
	const char *slash = strrchr(file->path, '/');
	int length = slash ? (int)(slash - file->path) : 0;
	char directory[4096 + 64], name[256], *path;
	const char *below = below_root(file->pid, file->path);

	if (!slash || !below)
		return 0;
	snprintf(directory, sizeof(directory), "/proc/%d/root%.*s/", file->pid,
		 (int)(strrchr(below, '/') - below), below);
	if (find_entry(file, directory, name, sizeof(name)) < 0)
		return 0;
	if (asprintf(&path, "%.*s/%s", length, file->path, name) < 0)
		return cr_error_set(err, -ENOMEM, "out of memory");
	free(file->path);
	file->path = path;
	file->wire.path_length = (uint32_t)strlen(path);
	return 1;
}
