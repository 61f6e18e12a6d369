/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_proc.c - files and directories of /proc
 *
 * Their paths hold pids as the tree numbers them, which are the same at
 * restart.  What belongs to a process of the tree is opened with root's
 * rights: at that time the process is still root's.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

static int save(struct cr_file_table *table, struct cr_file *file,
		struct cr_error *err)
{
	int rc = cr_file_set_path(file, err);

	if (rc == 0 &&
	    (strncmp(file->path, "/proc", 5) || !cr_file_path_is_good(file)))
		return cr_file_refuse(table, file,
				      "%s: of a process that is gone, or of "
				      "another /proc",
				      file->link);
	return rc;
}

/* The pid in "/proc/PID..."; 0: none. */
static uint32_t pid_of_path(const char *path, const char **restp)
{
	char *rest;
	unsigned long pid;

	if (strncmp(path, "/proc/", 6) || !isdigit((unsigned char)path[6]))
		return 0;
	pid = strtoul(path + 6, &rest, 10);
	*restp = rest;
	return (uint32_t)pid;
}

static int is_of_tree(const struct cr_file_table *table, uint32_t vpid)
{
	size_t i;

	for (i = 0; i < table->nr_tasks; i++)
		if (table->tasks[i].vpid == vpid)
			return 1;
	return 0;
}

static int finish(struct cr_file_table *table, struct cr_file *file,
		  struct cr_error *err)
{
	const char *rest = "";
	uint32_t pid = pid_of_path(file->path, &rest);

	(void)err;
	if (!pid)
		return 0;
	if (!is_of_tree(table, pid))
		return cr_file_refuse(table, file,
				      "%s: of a process not of the tree",
				      file->path);
	/* Threads are made after files. */
	if (!strncmp(rest, "/task/", 6) &&
	    strtoul(rest + 6, NULL, 10) != (unsigned long)pid)
		return cr_file_refuse(table, file, "%s: of a thread",
				      file->path);
	return 0;
}

static int make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	int flags = cr_file_open_flags(saved);
	const char *rest;
	uint32_t pid = pid_of_path(saved->path, &rest);
	int fd;

	if (strstr(saved->path, "/../"))
		return cr_error_set(err, -EBADMSG, "path %s", saved->path);
	if (pid && cr_saved_find(restore->saved, pid) >= 0) {
		fd = cr_file_open_proc(saved->path, flags);
		if (fd < 0)
			return cr_error_set(err, fd, "%s: %s", saved->path,
					    strerror(-fd));
	} else {
		fd = cr_file_open_path(restore, saved, flags, err);
		if (fd < 0)
			return fd;
	}
	return cr_file_park(restore, id, fd, err);
}

const struct cr_file_ops cr_file_proc_ops = {
	.kind = CR_FILE_PROC,
	.name = "proc file",
	.has_position = 1,
	.flags = O_APPEND | O_NONBLOCK | O_ASYNC,
	.save = save,
	.finish = finish,
	.make = make,
};
