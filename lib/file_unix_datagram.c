/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_unix_datagram.c - connect datagram sockets that are not a pair
 *
 * Last of all, when their queues have been filled: a connected one takes
 * messages of its peer only.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "file_unix.h"

#define CONNECT_DEPTH 64 /* of datagram sockets, one to the other */

/* Towards another's name.  A server outside that is not here (or not yet) is
 * no reason to fail: programs know that it may be restarted. */
static int connect_by_name(struct cr_file_restore *restore, uint32_t id, int fd,
			   const struct cr_wire_unix *head,
			   struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	struct cr_file_rights rights;
	struct sockaddr_un address;
	socklen_t length;
	int rc;

	if (head->flags & CR_UNIX_F_CONNECTED) {
		/* It must be there to be connected to. */
		rc = cr_file_get(restore, saved->file->peer, err);
		if (rc < 0)
			return rc;
	}
	length = cr_unix_address(saved, head->peer_name, head->peer_name_length,
				 &address);
	rc = length ? cr_file_take_rights(restore, &rights) : -ENOENT;
	if (rc < 0)
		return cr_error_set(err, rc, "Unix socket %u: %s", id,
				    strerror(-rc));
	rc = connect(fd, (struct sockaddr *)&address, length) < 0 ? -errno : 0;
	cr_file_give_back_rights(&rights);
	if (rc < 0 && head->flags & CR_UNIX_F_CONNECTED)
		return cr_error_set(err, rc, "Unix socket %u: connect: %s", id,
				    strerror(-rc));
	return 0;
}

static int connect_datagram(struct cr_file_restore *restore, uint32_t id,
			    int fd, unsigned int depth, struct cr_error *err);

/* Sockets that are connected to @id come first: once it has a peer itself, no
 * other can be connected to it. */
static int connect_others(struct cr_file_restore *restore, uint32_t id,
			  unsigned int depth, struct cr_error *err)
{
	uint32_t other;
	int fd, rc = 0;

	if (depth > CONNECT_DEPTH)
		return cr_error_set(err, -EBADMSG,
				    "Unix socket %u is its own peer's peer",
				    id);
	for (other = 1; other <= restore->saved->nr_files && rc == 0; other++) {
		const struct cr_wire_file *wire =
			cr_file_saved(restore, other)->file;

		if (wire->kind != CR_FILE_UNIX || wire->peer != id ||
		    other == id)
			continue;
		fd = cr_file_get(restore, other, err);
		rc = fd < 0 ? fd :
			      connect_datagram(restore, other, fd, depth + 1,
					       err);
	}
	return rc;
}

static int connect_datagram(struct cr_file_restore *restore, uint32_t id,
			    int fd, unsigned int depth, struct cr_error *err)
{
	const struct cr_wire_unix *head = cr_unix_saved(restore, id);
	struct sockaddr_un address;
	socklen_t length = sizeof(address);
	int rc;

	/* Done already, on behalf of another. */
	if (getpeername(fd, (struct sockaddr *)&address, &length) == 0)
		return 0;
	rc = cr_unix_queue_fill(restore, id, -1, err);
	if (rc == 0 &&
	    head->flags & (CR_UNIX_F_CONNECTED | CR_UNIX_F_CONNECT_NAME)) {
		rc = connect_others(restore, id, depth, err);
		if (rc == 0)
			rc = connect_by_name(restore, id, fd, head, err);
	}
	if (rc == 0)
		cr_unix_set_options(head, fd);
	return rc;
}

int cr_unix_connect(struct cr_file_restore *restore, uint32_t id, int fd,
		    struct cr_error *err)
{
	const struct cr_wire_unix *head = cr_unix_saved(restore, id);
	uint32_t peer = cr_file_saved(restore, id)->file->peer;

	if (head->type != SOCK_DGRAM ||
	    (head->flags & CR_UNIX_F_CONNECTED &&
	     (!peer || cr_unix_is_mutual(restore, id))))
		return 0;
	return connect_datagram(restore, id, fd, 0, err);
}
