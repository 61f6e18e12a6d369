/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_external.c - standard streams of a rank, which lead out of the tree
 *
 * Nothing of them is saved but whose they are and which; the new rank brings
 * its own.  /dev/null where it brings none.
 */
#include <errno.h>
#include <fcntl.h>

#include "file.h"

static int make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	const struct cr_wire_file *wire = cr_file_saved(restore, id)->file;
	int fd = -1;

	if (wire->peer > 2)
		return cr_error_set(err, -EBADMSG, "file %u: no stream %u", id,
				    wire->peer);
	if (restore->stream)
		fd = restore->stream(restore->arg, wire->rank, wire->peer);
	if (fd < 0)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	else
		fd = fcntl(fd, F_DUPFD_CLOEXEC, restore->fd_floor);
	if (fd < 0)
		return cr_error_errno(err, "stream %u of rank %u", wire->peer,
				      wire->rank);
	return cr_file_park(restore, id, fd, err);
}

/* Flags are left alone: others may share the new stream. */
const struct cr_file_ops cr_file_external_ops = {
	.kind = CR_FILE_EXTERNAL,
	.name = "stream",
	.make = make,
};
