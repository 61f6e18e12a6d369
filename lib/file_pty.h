/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_pty.h - what is on its way through a pseudo terminal
 *
 * A terminal shows its contents to nobody but a reader: they are read and
 * put back.  The tree is frozen meanwhile and sees no difference.
 */
#ifndef FILE_PTY_H
#define FILE_PTY_H

#include <stddef.h>
#include <stdint.h>

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

/* The slave of @master, not blocking, whether or not it is locked.  Returns a
 * descriptor or a negative errno. */
int cr_pty_open_slave(int master, int flags);

#endif /* FILE_PTY_H */
