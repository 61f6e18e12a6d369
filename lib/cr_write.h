/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cr_write.h - write all of it, however many calls that takes
 */
#ifndef CR_WRITE_H
#define CR_WRITE_H

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

/* @fd blocks.  Returns 0, or a negative errno: any part may have been written.
 * Not for sockets: SIGPIPE comes. */
static inline int cr_write_all(int fd, const void *bytes, size_t length)
{
	const char *from = bytes;

	while (length) {
		ssize_t n = write(fd, from, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		from += n;
		length -= (size_t)n;
	}
	return 0;
}

#endif /* CR_WRITE_H */
