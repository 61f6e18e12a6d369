/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files_task.c - the descriptors of one frozen task
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"

static int compare_fds(const void *a, const void *b)
{
	const struct cr_wire_fd *left = a, *right = b;

	return (left->fd > right->fd) - (left->fd < right->fd);
}

/* The descriptors that /proc/@pid/fd lists, sorted. */
static int list_descriptors(pid_t pid, struct cr_wire_fd **fdsp,
			    size_t *nr_fdsp, struct cr_error *err)
{
	struct cr_wire_fd *fds = NULL;
	size_t nr = 0, room = 0;
	struct dirent *entry;
	char name[64];
	int rc = 0;
	DIR *dir;

	snprintf(name, sizeof(name), "/proc/%d/fd", pid);
	dir = opendir(name);
	if (!dir)
		return cr_error_errno(err, "open %s", name);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (nr == room) {
			struct cr_wire_fd *more;

			room = room ? room * 2 : 16;
			more = reallocarray(fds, room, sizeof(*fds));
			if (!more) {
				rc = cr_error_set(err, -ENOMEM,
						  "out of memory");
				break;
			}
			fds = more;
		}
		fds[nr++] = (struct cr_wire_fd){
			.fd = (uint32_t)strtoul(entry->d_name, NULL, 10)
		};
	}
	closedir(dir);
	if (rc < 0) {
		free(fds);
		return rc;
	}
	if (nr)
		qsort(fds, nr, sizeof(*fds), compare_fds);
	*fdsp = fds;
	*nr_fdsp = nr;
	return 0;
}

/* Close-on-exec belongs to the descriptor, which only fdinfo shows. */
static int is_cloexec(pid_t pid, int number, uint32_t *cloexecp,
		      struct cr_error *err)
{
	char *text = cr_file_fdinfo(pid, number, err);
	uint64_t flags = 0;

	if (!text)
		return err ? err->code : -EIO;
	cr_fdinfo_number(text, "flags:", 8, &flags);
	free(text);
	*cloexecp = (flags & O_CLOEXEC) != 0;
	return 0;
}

static int add_descriptors(struct cr_file_table *table, int pidfd, pid_t pid,
			   uint32_t vpid, struct cr_wire_fd *fds, size_t nr_fds,
			   struct cr_error *err)
{
	size_t i;
	int rc;

	for (i = 0; i < nr_fds; i++) {
		int number = (int)fds[i].fd;
		int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);

		if (fd < 0)
			return cr_error_errno(err, "vpid %u fd %d: pidfd_getfd",
					      vpid, number);
		rc = cr_file_add_descriptor(table, pid, vpid, number, fd,
					    &fds[i].file, err);
		if (rc == 0)
			rc = is_cloexec(pid, number, &fds[i].cloexec, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Keep a copy of a task's descriptors. */
static int remember_task(struct cr_file_table *table, pid_t pid, uint32_t vpid,
			 const struct cr_wire_fd *fds, size_t nr_fds,
			 struct cr_error *err)
{
	struct cr_file_task *tasks, *task;

	tasks = reallocarray(table->tasks, table->nr_tasks + 1, sizeof(*tasks));
	if (!tasks)
		return cr_error_set(err, -ENOMEM, "out of memory");
	table->tasks = tasks;
	task = &tasks[table->nr_tasks];
	task->pid = pid;
	task->vpid = vpid;
	task->nr_fds = nr_fds;
	task->fds = malloc(nr_fds * sizeof(*fds) + 1);
	if (!task->fds)
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (nr_fds)
		memcpy(task->fds, fds, nr_fds * sizeof(*fds));
	table->nr_tasks++;
	return 0;
}

int cr_file_table_add_task(struct cr_file_table *table, pid_t pid,
			   uint32_t vpid, struct cr_wire_fd **fdsp,
			   size_t *nr_fdsp, struct cr_error *err)
{
	struct cr_wire_fd *fds = NULL;
	size_t nr_fds = 0;
	int pidfd, rc;

	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return cr_error_errno(err, "vpid %u: pidfd_open", vpid);
	rc = list_descriptors(pid, &fds, &nr_fds, err);
	if (rc == 0)
		rc = add_descriptors(table, pidfd, pid, vpid, fds, nr_fds, err);
	if (rc == 0)
		rc = remember_task(table, pid, vpid, fds, nr_fds, err);
	close(pidfd);
	if (rc < 0) {
		free(fds);
		return rc;
	}
	*fdsp = fds;
	*nr_fdsp = nr_fds;
	return 0;
}
