/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_pty.h - what the files of pseudo terminals share
 *
 * file_pty.c saves them and file_pty_make.c makes them.  A terminal shows what
 * is on its way to nobody but a reader: file_pty_data.c reads it and puts it
 * back.  The tree is frozen meanwhile and sees no difference.
 */
#ifndef FILE_PTY_H
#define FILE_PTY_H

#include <stddef.h>
#include <stdint.h>

#include "file.h"

/* The master's own structure. */
struct cr_wire_pty {
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

struct cr_pty_bytes {
	uint8_t *bytes; /* freed with free(3) */
	size_t length;
};

/* Written to the slave, not read from the master yet. */
int cr_pty_take_output(int master, struct cr_pty_bytes *output);
int cr_pty_put_output(int slave, const void *bytes, size_t length);

/* Written to the master, not read from the slave yet, unfinished lines
 * included.  Put it before any output: its echo is read away.  Returns 0 or a
 * negative errno. */
int cr_pty_take_input(int slave, struct cr_pty_bytes *input);
int cr_pty_put_input(int master, int slave, const void *bytes, size_t length);

/* A pseudo terminal that controls a session of the tree. */
struct cr_terminal {
	uint32_t id; /* of the master's file */
	uint32_t index; /* N of /dev/pts/N */
	uint32_t session, foreground; /* vpids; 0: none */
	int master, slave; /* both stay open until the gate */
};

/* What the image says of the master @saved, nothing opened: 0 or -EBADMSG. */
int cr_terminal_read(const struct cr_saved_file *saved,
		     struct cr_terminal *terminal, struct cr_error *err);

/* Make the pair with its number, descriptors at or above @floor.  0; -EEXIST:
 * the number is taken; or another negative errno. */
int cr_terminal_open(const struct cr_saved_file *saved, int floor,
		     struct cr_terminal *terminal, struct cr_error *err);

/* The slave of @master, not blocking, whether or not it is locked.  Returns a
 * descriptor or a negative errno. */
int cr_pty_open_slave(int master, int flags);

/* The master, in the tree, of the device @slave (136:N); or NULL. */
struct cr_file *cr_pty_find_master(const struct cr_file_table *table,
				   dev_t slave);

int cr_pty_make_master(struct cr_file_restore *restore, uint32_t id,
		       struct cr_error *err);
int cr_pty_make_slave(struct cr_file_restore *restore, uint32_t id,
		      struct cr_error *err);

/* Put what is saved with master @id, which is @fd, on its way. */
int cr_pty_put_bytes(struct cr_file_restore *restore, uint32_t id, int fd,
		     struct cr_error *err);

#endif /* FILE_PTY_H */
