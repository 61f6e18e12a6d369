/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_device.c - devices without state of their own: null, zero, tty, ...
 *
 * /dev/tty leads to the controlling terminal.  Where that is a stream of the
 * rank, from outside, the description is taken for that stream; where it is a
 * pseudo terminal of the tree, for a description of that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "file.h"
#include "file_pty.h"

static int save(struct cr_file_table *table, struct cr_file *file,
		struct cr_error *err)
{
	uint64_t device = file->stat.st_rdev;
	int rc = cr_file_set_path(file, err);

	if (rc == 0 && !cr_file_path_is_good(file))
		return cr_file_refuse(table, file,
				      "device %s: the name leads elsewhere now",
				      file->path);
	if (rc == 0)
		rc = cr_file_set_data(file, &device, sizeof(device), err);
	return rc;
}

/* Device number of the controlling terminal of @pid, 0: none. */
static dev_t controlling_terminal(pid_t pid)
{
	char name[64], text[512];
	const char *after;
	unsigned int number = 0;
	FILE *in;

	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	in = fopen(name, "re");
	if (!in)
		return 0;
	/* After the name: state, parent, group, session, terminal. */
	if (fgets(text, sizeof(text), in)) {
		after = strrchr(text, ')');
		if (!after ||
		    sscanf(after + 1, " %*c %*d %*d %*d %u", &number) != 1)
			number = 0;
	}
	fclose(in);
	return makedev((number >> 8) & 0xfff,
		       (number & 0xff) | ((number >> 12) & 0xfff00));
}

static int finish(struct cr_file_table *table, struct cr_file *file,
		  struct cr_error *err)
{
	const struct cr_file *master;
	dev_t terminal;
	size_t i;

	(void)err;
	if (file->stat.st_rdev != makedev(5, 0) || file->fd < 0)
		return 0;
	terminal = controlling_terminal(file->pid);
	master = major(terminal) >= 136 && major(terminal) <= 143 ?
			 cr_pty_find_master(table, terminal) :
			 NULL;
	if (master) {
		file->ops = &cr_file_pty_slave_ops;
		file->wire.peer = master->wire.id;
		return 0;
	}
	for (i = 0; i < table->nr_files; i++) {
		const struct cr_file *stream = table->files[i];

		if (stream->ops != &cr_file_external_ops ||
		    stream->stat.st_rdev != terminal)
			continue;
		file->ops = &cr_file_external_ops;
		file->wire.peer = stream->wire.peer;
		file->wire.rank = stream->wire.rank;
		break;
	}
	return 0;
}

static int make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	struct stat st;
	uint64_t device;
	int fd;

	if (saved->file->data_length != sizeof(device))
		return cr_error_set(err, -EBADMSG, "device %s: no number",
				    saved->path);
	memcpy(&device, saved->data, sizeof(device));
	fd = cr_file_open_path(restore, saved, cr_file_open_flags(saved), err);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || st.st_rdev != device) {
		close(fd);
		return cr_error_set(err, -ESTALE,
				    "%s is another device than when saved",
				    saved->path);
	}
	return cr_file_park(restore, id, fd, err);
}

const struct cr_file_ops cr_file_device_ops = {
	.kind = CR_FILE_DEVICE,
	.name = "device",
	.flags = O_APPEND | O_NONBLOCK | O_ASYNC,
	.save = save,
	.finish = finish,
	.make = make,
};
