/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_pidfd.c - pidfd_open(2), of a task of the tree or of one that has ended
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"
#include "procfs.h"

#define ENDED 0u /* as a vpid; nobody has that number any more */
#define TRIES 100

/* All tasks are known only at the end. */
static int finish(struct cr_file_table *table, struct cr_file *file,
		  struct cr_error *err)
{
	char *text = cr_file_fdinfo(0, file->fd, err);
	uint64_t pid = 0;
	uint32_t vpid;

	if (!text)
		return err ? err->code : -EIO;
	cr_fdinfo_number(text, "Pid:", 10, &pid);
	free(text);
	if ((int64_t)pid < 0) {
		vpid = ENDED;
		return cr_file_set_data(file, &vpid, sizeof(vpid), err);
	}
	vpid = table->options.vpid_of(table->options.arg, (pid_t)pid);
	if (!vpid)
		return cr_file_refuse(table, file,
				      "a pidfd of process %d, not of the tree",
				      (int)pid);
	return cr_file_set_data(file, &vpid, sizeof(vpid), err);
}

static int is_wanted(const struct cr_saved *saved, uint32_t number)
{
	for (size_t i = 0; i < saved->nr_tasks; i++) {
		if (saved->links[i].vpid == number)
			return 1;
		for (size_t j = 0; j < saved->tasks[i].nr_threads; j++)
			if (saved->tasks[i].threads[j].thread->tid == number)
				return 1;
	}
	return 0;
}

static pid_t highest_pid(void)
{
	const uint64_t most = cr_proc_number("/proc/sys/kernel/pid_max");

	return (pid_t)(most ? most : 32768) - 1;
}

/* A process that ends at once, of a number that no task will want.  Nobody
 * hears of its end. */
static int open_ended(const struct cr_saved *saved)
{
	pid_t number = highest_pid();
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)&pidfd,
		.set_tid = (uint64_t)&number,
		.set_tid_size = 1,
	};
	long pid = -1;

	errno = EEXIST;
	for (int i = 0; i < TRIES && pid < 0 && errno == EEXIST; i++, number--)
		if (!is_wanted(saved, (uint32_t)number))
			pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return -1;
	while (waitpid((pid_t)pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	return pidfd;
}

static int make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	uint32_t vpid;
	int fd;

	if (saved->file->data_length != sizeof(vpid))
		return cr_error_set(err, -EBADMSG, "pidfd %u: %u bytes", id,
				    saved->file->data_length);
	memcpy(&vpid, saved->data, sizeof(vpid));
	if (vpid == ENDED) {
		fd = open_ended(restore->saved);
		if (fd < 0)
			return cr_error_errno(err, "pidfd of an ended process");
		fcntl(fd, F_SETFL, saved->file->open_flags & O_NONBLOCK);
		return cr_file_park(restore, id, fd, err);
	}
	/* PIDFD_NONBLOCK and PIDFD_THREAD are these two. */
	fd = (int)syscall(SYS_pidfd_open, vpid,
			  saved->file->open_flags & (O_NONBLOCK | O_EXCL));
	if (fd < 0)
		return cr_error_errno(err, "pidfd_open(%u)", vpid);
	return cr_file_park(restore, id, fd, err);
}

const struct cr_file_ops cr_file_pidfd_ops = {
	.kind = CR_FILE_PIDFD,
	.name = "pidfd",
	.finish = finish,
	.make = make,
};
