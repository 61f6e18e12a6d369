/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_pty_data.c - take what is in a pseudo terminal, and put it there
 *
 * Modes are set for the moment so that bytes pass as they are, and set back.
 * The kernel takes written input over later, with the modes of that time;
 * that it has is only seen from its echo, which is on for that and thrown
 * away.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cr_write.h"
#include "file_pty.h"

#define ECHO_TIMEOUT_MS 2000
#define LARGEFILE 0100000 /* O_LARGEFILE of the kernel; libc has 0 */

static int unread(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int length = 0;

	if (poll(&poll_fd, 1, 0) < 0 || ioctl(fd, FIONREAD, &length) < 0)
		return 0;
	return length;
}

static int take(int fd, struct cr_pty_bytes *to)
{
	int length;

	while ((length = unread(fd)) > 0) {
		uint8_t *bytes =
			realloc(to->bytes, to->length + (size_t)length);
		ssize_t n;

		if (!bytes)
			return -ENOMEM;
		to->bytes = bytes;
		n = read(fd, bytes + to->length, (size_t)length);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		to->length += (size_t)n;
	}
	return 0;
}

int cr_pty_open_slave(int master, int flags)
{
	int zero = 0, locked = 0, slave;

	ioctl(master, TIOCGPTLCK, &locked);
	ioctl(master, TIOCSPTLCK, &zero);
	/* The kernel would keep O_CLOEXEC as a flag of the description, and
	 * show it for each descriptor; O_LARGEFILE is what open(2) adds. */
	slave = ioctl(master, TIOCGPTPEER, flags | O_NOCTTY | LARGEFILE);
	if (slave < 0)
		slave = -errno;
	else
		fcntl(slave, F_SETFD, FD_CLOEXEC);
	ioctl(master, TIOCSPTLCK, &locked);
	return slave;
}

int cr_pty_take_output(int master, struct cr_pty_bytes *output)
{
	return take(master, output);
}

int cr_pty_put_output(int slave, const void *bytes, size_t length)
{
	struct termios2 modes, plain;
	int rc;

	if (ioctl(slave, TCGETS2, &modes) < 0)
		return -errno;
	plain = modes;
	plain.c_oflag &= ~(tcflag_t)OPOST;
	if (ioctl(slave, TCSETS2, &plain) < 0)
		return -errno;
	rc = cr_write_all(slave, bytes, length);
	if (ioctl(slave, TCSETS2, &modes) < 0 && rc == 0)
		rc = -errno;
	return rc;
}

int cr_pty_take_input(int slave, struct cr_pty_bytes *input)
{
	struct termios2 modes, plain;
	int rc;

	if (ioctl(slave, TCGETS2, &modes) < 0)
		return -errno;
	/* Line by line, an unfinished line would not be seen. */
	plain = modes;
	plain.c_lflag &= ~(tcflag_t)ICANON;
	plain.c_cc[VMIN] = 0;
	plain.c_cc[VTIME] = 0;
	if (ioctl(slave, TCSETS2, &plain) < 0)
		return -errno;
	rc = take(slave, input);
	if (ioctl(slave, TCSETS2, &modes) < 0 && rc == 0)
		rc = -errno;
	return rc;
}

/* Wait for @length bytes of echo. */
static int skip_echo(int master, size_t length)
{
	struct pollfd poll_fd = { .fd = master, .events = POLLIN };
	uint8_t echo[4096];

	while (length) {
		ssize_t n;

		if (poll(&poll_fd, 1, ECHO_TIMEOUT_MS) <= 0)
			return -ETIMEDOUT;
		n = read(master, echo,
			 length < sizeof(echo) ? length : sizeof(echo));
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		length -= (size_t)n;
	}
	return 0;
}

/* Lines one by one, so that they stay lines. */
static int put_lines(int master, const uint8_t *bytes, size_t length)
{
	int rc = 0;

	while (length && rc == 0) {
		const uint8_t *end = memchr(bytes, '\n', length);
		size_t part = end ? (size_t)(end - bytes) + 1 : length;

		rc = cr_write_all(master, bytes, part);
		if (rc == 0)
			rc = skip_echo(master, part);
		bytes += part;
		length -= part;
	}
	return rc;
}

int cr_pty_put_input(int master, int slave, const void *bytes, size_t length)
{
	struct termios2 modes, plain;
	int packet = 0, zero = 0, rc;

	if (ioctl(slave, TCGETS2, &modes) < 0)
		return -errno;
	ioctl(master, TIOCGPKT, &packet);
	/* No signals, no character means anything. */
	plain = modes;
	plain.c_iflag = 0;
	plain.c_oflag = 0;
	plain.c_lflag = (modes.c_lflag & (tcflag_t)ICANON) | ECHO;
	memset(plain.c_cc, 0, sizeof(plain.c_cc));
	plain.c_cc[VMIN] = 1;
	if (ioctl(master, TIOCPKT, &zero) < 0 ||
	    ioctl(slave, TCSETS2, &plain) < 0)
		return -errno;
	rc = put_lines(master, bytes, length);
	if ((ioctl(slave, TCSETS2, &modes) < 0 ||
	     ioctl(master, TIOCPKT, &packet) < 0) &&
	    rc == 0)
		rc = -errno;
	return rc;
}
