/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_external_socket.c - sockets that lead to something of the caller's
 *
 * The caller says which they are.  Kept are its name and note, a few options,
 * and what the tree has not read yet; the caller of the restart brings what
 * takes their place.  Nothing here knows what is at the other end.
 *
 * A listening one is likely to be shared with processes outside of the tree:
 * its options and flags are theirs too, and are left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "cr_checkpoint.h"
#include "cr_restart.h"
#include "file.h"
#include "socket_options.h"

/* For the other side to take what has been sent. */
#define SENT_TRIES 200
#define SENT_WAIT_MS 10

static int get_int(int fd, int level, int option)
{
	int value = 0;
	socklen_t length = sizeof(value);

	return getsockopt(fd, level, option, &value, &length) < 0 ? 0 : value;
}

static int is_tcp(int fd)
{
	int domain = get_int(fd, SOL_SOCKET, SO_DOMAIN);

	return (domain == AF_INET || domain == AF_INET6) &&
	       get_int(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
}

/* -EBUSY if the other side has not taken all that the tree has sent. */
static int await_sent(int fd, const char *name, struct cr_error *err)
{
	int left = 0;

	for (int i = 0; i < SENT_TRIES; i++) {
		if (ioctl(fd, SIOCOUTQ, &left) < 0 || !left)
			return 0;
		poll(NULL, 0, SENT_WAIT_MS);
	}
	return cr_error_set(err, -EBUSY,
			    "socket \"%s\": %d bytes were not taken by the "
			    "other side",
			    name, left);
}

/* *@unreadp gets what is in the receive queue, which stays there. */
static int peek(int fd, const char *name, char **unreadp, uint32_t *lengthp,
		struct cr_error *err)
{
	int length = 0;
	ssize_t n;

	if (ioctl(fd, FIONREAD, &length) < 0 || length <= 0)
		return 0;
	if ((uint32_t)length > CR_EXTERNAL_UNREAD_MAX)
		return cr_error_set(err, -EFBIG,
				    "socket \"%s\": %d bytes are not read yet",
				    name, length);
	*unreadp = malloc((size_t)length);
	if (!*unreadp)
		return cr_error_set(err, -ENOMEM, "out of memory");
	n = recv(fd, *unreadp, (size_t)length, MSG_PEEK | MSG_DONTWAIT);
	if (n != length)
		return cr_error_set(err, n < 0 ? -errno : -EIO,
				    "socket \"%s\": cannot look at what is not "
				    "read yet",
				    name);
	*lengthp = (uint32_t)length;
	return 0;
}

static void get_options(int fd, struct cr_wire_external *wire)
{
	if (is_tcp(fd) && get_int(fd, IPPROTO_TCP, TCP_NODELAY))
		wire->flags |= CR_EXTERNAL_F_NODELAY;
	if (get_int(fd, SOL_SOCKET, SO_KEEPALIVE))
		wire->flags |= CR_EXTERNAL_F_KEEPALIVE;
	wire->receive_timeout_us = cr_socket_get_timeout(fd, SO_RCVTIMEO);
	wire->send_timeout_us = cr_socket_get_timeout(fd, SO_SNDTIMEO);
}

/* Structure, name, note and unread bytes, one after another. */
static int put_together(struct cr_file *file,
			const struct cr_external *external,
			const struct cr_wire_external *wire, const char *unread,
			struct cr_error *err)
{
	char *at;

	file->wire.data_length = (uint32_t)sizeof(*wire) + wire->name_length +
				 wire->note_length + wire->unread_length;
	at = file->data = malloc(file->wire.data_length);
	if (!at)
		return cr_error_set(err, -ENOMEM, "out of memory");
	memcpy(at, wire, sizeof(*wire));
	at += sizeof(*wire);
	memcpy(at, external->name, wire->name_length);
	at += wire->name_length;
	if (wire->note_length)
		memcpy(at, external->note, wire->note_length);
	at += wire->note_length;
	if (wire->unread_length)
		memcpy(at, unread, wire->unread_length);
	return 0;
}

static int save(struct cr_file *file, const struct cr_external *external,
		struct cr_error *err)
{
	struct cr_wire_external wire = { 0 };
	char *unread = NULL;
	int rc = 0;

	wire.name_length =
		(uint32_t)strnlen(external->name, sizeof(external->name) - 1);
	if (external->note_length > CR_EXTERNAL_NOTE_MAX)
		return cr_error_set(err, -EFBIG,
				    "socket \"%s\": its note is too long",
				    external->name);
	wire.note_length = (uint32_t)external->note_length;
	if (get_int(file->fd, SOL_SOCKET, SO_ACCEPTCONN)) {
		wire.flags = CR_EXTERNAL_F_LISTENS;
	} else {
		get_options(file->fd, &wire);
		rc = await_sent(file->fd, external->name, err);
		if (!rc)
			rc = peek(file->fd, external->name, &unread,
				  &wire.unread_length, err);
	}
	if (!rc)
		rc = put_together(file, external, &wire, unread, err);
	free(unread);
	return rc;
}

int cr_file_ask_external(struct cr_file_table *table, struct cr_file *file,
			 struct cr_error *err)
{
	const struct cr_file_table_options *options = &table->options;
	struct cr_external external = { 0 };
	struct cr_error why = { 0 };
	int rc;

	if (!options->external)
		return 0;
	rc = options->external(options->external_arg, file->pid, file->number,
			       file->fd, &external, &why);
	if (rc == 0)
		return 0;
	file->ops = &cr_file_external_socket_ops;
	file->wire.kind = CR_FILE_EXTERNAL_SOCKET;
	if (rc > 0)
		rc = save(file, &external, &why);
	free(external.note);
	if (rc == -ENOMEM)
		return cr_error_set(err, rc, "out of memory");
	if (rc < 0)
		cr_file_refuse(table, file, "%s", why.text);
	return 1;
}

void cr_files_external(const struct cr_saved *saved, uint32_t id,
		       struct cr_restart_external *external)
{
	const struct cr_wire_external *wire = saved->files[id - 1].data;
	const char *at = (const char *)(wire + 1);

	memset(external, 0, sizeof(*external));
	memcpy(external->name, at, wire->name_length);
	at += wire->name_length;
	external->note = at;
	external->note_length = wire->note_length;
	external->unread = at + wire->note_length;
	external->unread_length = wire->unread_length;
	external->listens = !!(wire->flags & CR_EXTERNAL_F_LISTENS);
}

static int set_flags(int fd, uint32_t wanted)
{
	const int settable = O_NONBLOCK;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = (flags & ~settable) | ((int)wanted & settable);
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

static int make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	const struct cr_wire_external *wire = saved->data;
	int fd = restore->external ? restore->external(restore->arg, id) : -1;

	if (fd < 0)
		return cr_error_set(err, -EOPNOTSUPP,
				    "file %u: nobody brings that socket", id);
	fd = fcntl(fd, F_DUPFD_CLOEXEC, restore->fd_floor);
	if (fd < 0)
		return cr_error_errno(err, "file %u", id);
	if (!(wire->flags & CR_EXTERNAL_F_LISTENS)) {
		if (is_tcp(fd))
			cr_socket_set_int(fd, IPPROTO_TCP, TCP_NODELAY,
					  !!(wire->flags &
					     CR_EXTERNAL_F_NODELAY));
		cr_socket_set_int(fd, SOL_SOCKET, SO_KEEPALIVE,
				  !!(wire->flags & CR_EXTERNAL_F_KEEPALIVE));
		cr_socket_set_timeout(fd, SO_RCVTIMEO,
				      wire->receive_timeout_us);
		cr_socket_set_timeout(fd, SO_SNDTIMEO, wire->send_timeout_us);
		set_flags(fd, saved->file->open_flags);
	}
	return cr_file_park(restore, id, fd, err);
}

const struct cr_file_ops cr_file_external_socket_ops = {
	.kind = CR_FILE_EXTERNAL_SOCKET,
	.name = "external socket",
	.make = make,
};
