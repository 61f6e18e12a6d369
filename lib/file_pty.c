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

#define OPEN_MAX_TRIES 4096

struct wire_pty {
	uint32_t index; /* N of /dev/pts/N */
	uint32_t is_locked, is_packet;
	uint32_t session, foreground; /* vpids, 0: none */
	uint32_t mode, uid, gid; /* of the slave's name */
	uint32_t rows, columns, width, height; /* as of TIOCGWINSZ */
	uint32_t termios_length, reserved;
	uint32_t output_length, input_length; /* bytes nobody has read */
	uint8_t termios[64]; /* struct termios2 */
	/* output, input */
};

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
		     struct wire_pty *data)
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

static int set_data(struct cr_file *file, const struct wire_pty *data,
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
		      struct wire_pty *data, struct cr_error *err)
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
	struct wire_pty data = { 0 };
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
		return cr_file_refuse(table, file,
				      "terminal /dev/pts/%u in packet mode "
				      "with %d bytes not read yet",
				      index, length);
	return save_bytes(table, file, &data, err);
}

static struct cr_file *find_master(const struct cr_file_table *table,
				   unsigned int index)
{
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
	unsigned int index = slave_index(file->stat.st_rdev);
	struct cr_file *master;
	int rc;

	master = file->fd < 0 ? NULL : find_master(table, index);
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

/* ---- restoring ---- */

static int get_data(const struct cr_saved_file *saved, struct wire_pty *data,
		    struct cr_error *err)
{
	uint64_t length = saved->file->data_length;

	if (length >= sizeof(*data))
		memcpy(data, saved->data, sizeof(*data));
	if (length < sizeof(*data) ||
	    length != sizeof(*data) + (uint64_t)data->output_length +
			      data->input_length)
		return cr_error_set(err, -EBADMSG, "terminal %s: %u bytes",
				    saved->path, saved->file->data_length);
	if (data->termios_length != sizeof(struct termios2))
		return cr_error_set(err, -EBADMSG, "terminal /dev/pts/%u",
				    data->index);
	return 0;
}

/* The kernel gives the lowest free number: take them until ours comes. */
static int open_master(const struct cr_saved_file *saved, uint32_t index,
		       struct cr_error *err)
{
	int *others = calloc(OPEN_MAX_TRIES, sizeof(*others));
	unsigned int got = 0;
	int fd, nr = 0, rc = -EEXIST;

	if (!others)
		return cr_error_set(err, -ENOMEM, "out of memory");
	while (nr < OPEN_MAX_TRIES) {
		fd = open(saved->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
		rc = fd < 0 ? -errno : -EEXIST;
		if (fd < 0)
			break;
		if (ioctl(fd, TIOCGPTN, &got) == 0 && got == index) {
			rc = fd;
			break;
		}
		others[nr++] = fd;
		if (got > index)
			break;
	}
	while (nr > 0)
		close(others[--nr]);
	free(others);
	if (rc < 0)
		cr_error_set(err, rc, "terminal /dev/pts/%u: %s", index,
			     rc == -EEXIST ? "the number is taken here" :
					     strerror(-rc));
	return rc;
}

/* The slave's name, if this /dev/pts has it; opening it would be noticed. */
static int set_name(const struct wire_pty *data)
{
	struct stat st;
	char name[64];

	snprintf(name, sizeof(name), "/dev/pts/%u", data->index);
	if (!data->mode || lstat(name, &st) < 0 || !S_ISCHR(st.st_mode))
		return 0;
	if ((geteuid() == 0 && lchown(name, data->uid, data->gid) < 0) ||
	    chmod(name, data->mode & 07777) < 0)
		return -errno;
	return 0;
}

static int set_up(int fd, const struct wire_pty *data)
{
	struct winsize size = { .ws_row = (unsigned short)data->rows,
				.ws_col = (unsigned short)data->columns,
				.ws_xpixel = (unsigned short)data->width,
				.ws_ypixel = (unsigned short)data->height };
	int locked = (int)data->is_locked, packet = (int)data->is_packet;

	if (ioctl(fd, TIOCSPTLCK, &locked) < 0 ||
	    ioctl(fd, TCSETS2, data->termios) < 0 ||
	    ioctl(fd, TIOCSWINSZ, &size) < 0 || ioctl(fd, TIOCPKT, &packet) < 0)
		return -errno;
	return set_name(data);
}

static int make_master(struct cr_file_restore *restore, uint32_t id,
		       struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	struct wire_pty data;
	int fd, rc;

	rc = get_data(saved, &data, err);
	if (rc < 0)
		return rc;
	fd = open_master(saved, data.index, err);
	if (fd < 0)
		return fd;
	rc = set_up(fd, &data);
	if (rc < 0) {
		close(fd);
		return cr_error_set(err, rc, "terminal /dev/pts/%u: %s",
				    data.index, strerror(-rc));
	}
	return cr_file_park(restore, id, fd, err);
}

/* The slave of master @id, without its name. */
static int open_slave(struct cr_file_restore *restore, uint32_t id, int flags,
		      struct cr_error *err)
{
	int master = cr_file_get(restore, id, err), slave;

	if (master < 0)
		return master;
	slave = cr_pty_open_slave(master, flags);
	if (slave < 0)
		cr_error_set(err, slave, "slave of terminal %u: %s", id,
			     strerror(-slave));
	return slave;
}

static int make_slave(struct cr_file_restore *restore, uint32_t id,
		      struct cr_error *err)
{
	const struct cr_wire_file *wire = cr_file_saved(restore, id)->file;
	int fd;

	if (!wire->peer || wire->peer > restore->saved->nr_files ||
	    cr_file_saved(restore, wire->peer)->file->kind !=
		    CR_FILE_PTY_MASTER)
		return cr_error_set(err, -EBADMSG, "terminal %u has no master",
				    id);
	fd = open_slave(restore, wire->peer,
			(int)(wire->open_flags & O_ACCMODE), err);
	return fd < 0 ? fd : cr_file_park(restore, id, fd, err);
}

/* A description of the slave that is in the image, or one for the moment. */
static int slave_for(struct cr_file_restore *restore, uint32_t master,
		     int *is_ownp, struct cr_error *err)
{
	uint32_t id;

	*is_ownp = 0;
	for (id = 1; id <= restore->saved->nr_files; id++) {
		const struct cr_wire_file *wire =
			cr_file_saved(restore, id)->file;

		if (wire->kind == CR_FILE_PTY_SLAVE && wire->peer == master &&
		    (wire->open_flags & O_ACCMODE) == O_RDWR)
			return cr_file_get(restore, id, err);
	}
	*is_ownp = 1;
	return open_slave(restore, master, O_RDWR, err);
}

static int put_bytes(struct cr_file_restore *restore, uint32_t id, int fd,
		     struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	const uint8_t *bytes =
		(const uint8_t *)saved->data + sizeof(struct wire_pty);
	struct wire_pty data;
	int slave, is_own, rc;

	rc = get_data(saved, &data, err);
	if (rc < 0 || (!data.output_length && !data.input_length))
		return rc;
	slave = slave_for(restore, id, &is_own, err);
	if (slave < 0)
		return slave;
	if (data.input_length)
		rc = cr_pty_put_input(fd, slave, bytes + data.output_length,
				      data.input_length);
	if (rc == 0 && data.output_length)
		rc = cr_pty_put_output(slave, bytes, data.output_length);
	if (is_own)
		close(slave);
	if (rc < 0)
		cr_error_set(err, rc, "bytes in terminal /dev/pts/%u: %s",
			     data.index, strerror(-rc));
	return rc;
}

static int take_terminal(struct cr_file_restore *restore, uint32_t id,
			 const struct wire_pty *data, struct cr_error *err)
{
	pid_t group = (pid_t)data->foreground;
	int fd = open_slave(restore, id, O_RDWR, err), rc = 0;

	if (fd < 0)
		return fd;
	if (ioctl(fd, TIOCSCTTY, 0) < 0)
		rc = cr_error_errno(err, "controlling terminal /dev/pts/%u",
				    data->index);
	/* A group that is not there yet leaves it with the session's own. */
	else if (group && group != getpid())
		ioctl(fd, TIOCSPGRP, &group);
	close(fd);
	return rc;
}

int cr_file_pty_take_terminal(struct cr_file_restore *restore,
			      struct cr_error *err)
{
	uint32_t id;
	int rc = 0;

	for (id = 1; id <= restore->saved->nr_files && rc == 0; id++) {
		const struct cr_saved_file *saved = cr_file_saved(restore, id);
		struct wire_pty data;

		if (saved->file->kind != CR_FILE_PTY_MASTER)
			continue;
		rc = get_data(saved, &data, err);
		if (rc == 0 && data.session == (uint32_t)getpid())
			rc = take_terminal(restore, id, &data, err);
	}
	return rc;
}

const struct cr_file_ops cr_file_pty_master_ops = {
	.kind = CR_FILE_PTY_MASTER,
	.name = "terminal",
	.flags = O_NONBLOCK | O_ASYNC,
	.save = save_master,
	.finish = finish_master,
	.make = make_master,
	.connect = put_bytes,
};

const struct cr_file_ops cr_file_pty_slave_ops = {
	.kind = CR_FILE_PTY_SLAVE,
	.name = "terminal",
	.flags = O_NONBLOCK | O_ASYNC,
	.finish = finish_slave,
	.make = make_slave,
};
