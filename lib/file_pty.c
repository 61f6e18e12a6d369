/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_pty.c - pseudo terminals whose master is in the tree
 *
 * Programs know the path of their terminal, so it gets its number again or
 * restart fails.  What is on its way through the terminal is saved with the
 * master.  A slave whose master is elsewhere is a stream of the rank, or
 * refused.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "file.h"
#include "file_pty.h"

static int save_master(struct cr_file_table *table, struct cr_file *file,
		       struct cr_error *err)
{
	int rc = cr_file_set_path(file, err);

	if (rc == 0 && !cr_file_path_is_good(file))
		return cr_file_refuse(table, file, "%s is not there any more",
				      file->path);
	return rc;
}

static uint32_t group_vpid(const struct cr_file_table *table, int fd,
			   unsigned long request)
{
	pid_t pid = 0;

	if (ioctl(fd, request, &pid) < 0 || pid <= 0)
		return 0;
	return cr_file_vpid(table, pid);
}

static void describe(const struct cr_file_table *table, int fd,
		     struct cr_wire_pty *data)
{
	struct winsize size = { 0 };
	struct termios2 termios = { 0 };
	int flag = 0;

	if (ioctl(fd, TIOCGPTLCK, &flag) == 0)
		data->is_locked = (uint32_t)flag;
	if (ioctl(fd, TIOCGPKT, &flag) == 0)
		data->is_packet = (uint32_t)flag;
	ioctl(fd, TIOCGWINSZ, &size);
	data->rows = size.ws_row;
	data->columns = size.ws_col;
	data->width = size.ws_xpixel;
	data->height = size.ws_ypixel;
	/* Of a master these tell about the slave. */
	ioctl(fd, TCGETS2, &termios);
	data->termios_length = sizeof(termios);
	memcpy(data->termios, &termios, sizeof(termios));
	data->session = group_vpid(table, fd, TIOCGSID);
	data->foreground = group_vpid(table, fd, TIOCGPGRP);
}

/* Minors go on in the next major after 256. */
static unsigned int slave_index(dev_t device)
{
	return (major(device) - 136) * 256 + minor(device);
}

static struct cr_file *find_slave(const struct cr_file_table *table,
				  unsigned int index)
{
	size_t i;

	for (i = 0; i < table->nr_files; i++) {
		struct cr_file *file = table->files[i];

		if (file->ops == &cr_file_pty_slave_ops && file->fd >= 0 &&
		    slave_index(file->stat.st_rdev) == index)
			return file;
	}
	return NULL;
}

/* Read what is there, and put it back for the program that runs on. */
static int copy_bytes(const struct cr_file_table *table, int master,
		      unsigned int index, struct cr_pty_bytes *output,
		      struct cr_pty_bytes *input)
{
	int slave, rc, is_open = find_slave(table, index) != NULL;

	rc = cr_pty_take_output(master, output);
	/* A slave that is open nowhere stays so unless there is need. */
	if (rc < 0 || (!output->length && !is_open))
		return rc;
	slave = cr_pty_open_slave(master, O_RDWR | O_NONBLOCK);
	if (slave < 0)
		return slave;
	if (is_open)
		rc = cr_pty_take_input(slave, input);
	if (rc == 0 && input->length)
		rc = cr_pty_put_input(master, slave, input->bytes,
				      input->length);
	if (rc == 0 && output->length)
		rc = cr_pty_put_output(slave, output->bytes, output->length);
	close(slave);
	return rc;
}

static int set_data(struct cr_file *file, const struct cr_wire_pty *data,
		    const struct cr_pty_bytes *output,
		    const struct cr_pty_bytes *input, struct cr_error *err)
{
	size_t length = sizeof(*data) + output->length + input->length;
	char *all = malloc(length);
	int rc;

	if (!all)
		return cr_error_set(err, -ENOMEM, "out of memory");
	memcpy(all, data, sizeof(*data));
	if (output->length)
		memcpy(all + sizeof(*data), output->bytes, output->length);
	if (input->length)
		memcpy(all + sizeof(*data) + output->length, input->bytes,
		       input->length);
	rc = cr_file_set_data(file, all, length, err);
	free(all);
	return rc;
}

static int save_bytes(struct cr_file_table *table, struct cr_file *file,
		      struct cr_wire_pty *data, struct cr_error *err)
{
	struct cr_pty_bytes output = { NULL, 0 }, input = { NULL, 0 };
	int rc;

	rc = copy_bytes(table, file->fd, data->index, &output, &input);
	data->output_length = (uint32_t)output.length;
	data->input_length = (uint32_t)input.length;
	if (rc < 0)
		cr_error_set(err, rc, "bytes in terminal /dev/pts/%u: %s",
			     data->index, strerror(-rc));
	else
		rc = set_data(file, data, &output, &input, err);
	free(output.bytes);
	free(input.bytes);
	return rc;
}

static int finish_master(struct cr_file_table *table, struct cr_file *file,
			 struct cr_error *err)
{
	struct cr_wire_pty data = { 0 };
	unsigned int index = 0;
	struct stat st;
	char name[64];
	int length = 0;

	if (ioctl(file->fd, TIOCGPTN, &index) < 0)
		return cr_error_errno(err, "TIOCGPTN");
	data.index = index;
	describe(table, file->fd, &data);
	snprintf(name, sizeof(name), "/proc/%d/root/dev/pts/%u", file->pid,
		 index);
	if (stat(name, &st) == 0) {
		data.mode = st.st_mode & 07777;
		data.uid = st.st_uid;
		data.gid = st.st_gid;
	}
	/* A master in packet mode reads more than bytes. */
	if (data.is_packet && ioctl(file->fd, FIONREAD, &length) == 0 && length)
		return cr_file_refuse_for_now(
			table, file,
			"terminal /dev/pts/%u in packet mode with %d bytes "
			"not read yet",
			index, length);
	return save_bytes(table, file, &data, err);
}

struct cr_file *cr_pty_find_master(const struct cr_file_table *table,
				   dev_t slave)
{
	unsigned int index = slave_index(slave);
	size_t i;

	for (i = 0; i < table->nr_files; i++) {
		struct cr_file *file = table->files[i];
		unsigned int other;

		if (file->ops == &cr_file_pty_master_ops &&
		    ioctl(file->fd, TIOCGPTN, &other) == 0 && other == index)
			return file;
	}
	return NULL;
}

static int finish_slave(struct cr_file_table *table, struct cr_file *file,
			struct cr_error *err)
{
	struct cr_file *master;
	int rc;

	master = file->fd < 0 ? NULL :
				cr_pty_find_master(table, file->stat.st_rdev);
	if (!master) {
		if (file->fd >= 0 && cr_file_try_external(table, file))
			return 0;
		return cr_file_refuse(table, file,
				      "terminal %s, whose other side is "
				      "outside the tree",
				      file->link);
	}
	rc = cr_file_set_path(file, err);
	file->wire.peer = master->wire.id;
	return rc;
}

const struct cr_file_ops cr_file_pty_master_ops = {
	.kind = CR_FILE_PTY_MASTER,
	.name = "terminal",
	.flags = O_NONBLOCK | O_ASYNC,
	.save = save_master,
	.finish = finish_master,
	.make = cr_pty_make_master,
	.connect = cr_pty_put_bytes,
};

const struct cr_file_ops cr_file_pty_slave_ops = {
	.kind = CR_FILE_PTY_SLAVE,
	.name = "terminal",
	.flags = O_NONBLOCK | O_ASYNC,
	.finish = finish_slave,
	.make = cr_pty_make_slave,
};
