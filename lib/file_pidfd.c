/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_pidfd.c - pidfd_open(2), of a task of the tree
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"

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
	if ((int64_t)pid <= 0)
		return cr_file_refuse(table, file,
				      "a pidfd of a process that is gone");
	vpid = table->options.vpid_of(table->options.arg, (pid_t)pid);
	if (!vpid)
		return cr_file_refuse(table, file,
				      "a pidfd of process %d, not of the tree",
				      (int)pid);
	return cr_file_set_data(file, &vpid, sizeof(vpid), err);
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
