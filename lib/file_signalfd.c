/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_signalfd.c - signalfd(2): a set of signals and nothing else
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"

static int save(struct cr_file_table *table, struct cr_file *file,
		struct cr_error *err)
{
	char *text = cr_file_fdinfo(0, file->fd, err);
	uint64_t mask;
	int rc;

	(void)table;
	if (!text)
		return err ? err->code : -EIO;
	rc = cr_fdinfo_number(text, "sigmask:", 16, &mask);
	free(text);
	if (rc < 0)
		return cr_error_set(err, -EIO, "no mask in fdinfo of signalfd");
	return cr_file_set_data(file, &mask, sizeof(mask), err);
}

static int make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	int fd;

	if (saved->file->data_length != sizeof(uint64_t))
		return cr_error_set(err, -EBADMSG, "signalfd %u: %u bytes", id,
				    saved->file->data_length);
	/* The kernel's set, which is smaller than libc's. */
	fd = (int)syscall(SYS_signalfd4, -1, saved->data, sizeof(uint64_t),
			  SFD_CLOEXEC);
	if (fd < 0)
		return cr_error_errno(err, "signalfd");
	return cr_file_park(restore, id, fd, err);
}

const struct cr_file_ops cr_file_signalfd_ops = {
	.kind = CR_FILE_SIGNALFD,
	.name = "signalfd",
	.flags = O_NONBLOCK | O_ASYNC,
	.save = save,
	.make = make,
};
