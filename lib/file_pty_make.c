/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_pty_make.c - make the pseudo terminals of the tree again
 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "file_pty.h"

#define OPEN_MAX_TRIES 4096

static int get_data(const struct cr_saved_file *saved, struct cr_wire_pty *data,
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
static int set_name(const struct cr_wire_pty *data)
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

static int set_up(int fd, const struct cr_wire_pty *data)
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

int cr_pty_make_master(struct cr_file_restore *restore, uint32_t id,
		       struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	struct cr_wire_pty data;
	int fd, rc;

	rc = get_data(saved, &data, err);
	if (rc < 0)
		return rc;
	/* made already, where it controls a session? */
	fd = restore->terminal ? restore->terminal(restore->arg, id) : -1;
	if (fd >= 0)
		fd = fcntl(fd, F_DUPFD_CLOEXEC, restore->fd_floor);
	else
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

int cr_pty_make_slave(struct cr_file_restore *restore, uint32_t id,
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

int cr_pty_put_bytes(struct cr_file_restore *restore, uint32_t id, int fd,
		     struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	const uint8_t *bytes =
		(const uint8_t *)saved->data + sizeof(struct cr_wire_pty);
	struct cr_wire_pty data;
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

int cr_terminal_read(const struct cr_saved_file *saved,
		     struct cr_terminal *terminal, struct cr_error *err)
{
	struct cr_wire_pty data;
	int rc = get_data(saved, &data, err);

	if (rc < 0)
		return rc;
	*terminal = (struct cr_terminal){ .id = saved->file->id,
					  .index = data.index,
					  .session = data.session,
					  .foreground = data.foreground,
					  .master = -1,
					  .slave = -1 };
	return 0;
}

static int raise_fd(int fd, int floor)
{
	int high = fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, floor);

	if (high < 0 && fd >= 0)
		high = -errno;
	if (fd >= 0)
		close(fd);
	return high;
}

int cr_terminal_open(const struct cr_saved_file *saved, int floor,
		     struct cr_terminal *terminal, struct cr_error *err)
{
	int rc, master, slave;

	rc = open_master(saved, terminal->index, err);
	if (rc < 0)
		return rc;
	master = raise_fd(rc, floor);
	rc = slave = master < 0 ?
			     master :
			     raise_fd(cr_pty_open_slave(master, O_RDWR), floor);
	if (rc < 0) {
		if (master >= 0)
			close(master);
		return cr_error_set(err, rc, "terminal /dev/pts/%u: %s",
				    terminal->index, strerror(-rc));
	}
	terminal->master = master;
	terminal->slave = slave;
	return 0;
}
