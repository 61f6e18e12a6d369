/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_unix_renew.c - empty messages of AF_UNIX sockets, after a look at them
 *
 * A look with an offset (SO_PEEK_OFF) skips empty messages that have been
 * looked at before: the kernel marks them.  So that the next checkpoint sees
 * them too, the queue is turned round once: each message is received and sent
 * again to its end, by the same socket and with the credentials it had.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file_unix.h"

#define SEND_BUFFER (8 << 20) /* bytes; more than any message */

static int set_passcred(int fd, int on)
{
	return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ?
		       -errno :
		       0;
}

static int has_empty(const struct cr_unix_saving *saving)
{
	const uint8_t *at = saving->messages;

	for (uint32_t i = 0; i < saving->head.nr_messages; i++) {
		const struct cr_wire_message *message = (const void *)at;

		if (!message->length)
			return 1;
		at += sizeof(*message) + cr_unix_pad(message->length);
	}
	return 0;
}

/* Is the peer of @file, NULL if it has none, connected to @file, too? */
static int is_mutual(struct cr_file_table *table, const struct cr_file *file,
		     const struct cr_file *peer)
{
	struct cr_unix_diag *diag;

	return peer && peer->fd >= 0 &&
	       cr_unix_diag(table, (uint32_t)peer->stat.st_ino, &diag, NULL) ==
		       0 &&
	       diag->peer_inode == (uint32_t)file->stat.st_ino;
}

/* The first message, with its credentials. */
static int take_first(int fd, void *buffer, size_t size,
		      struct cr_wire_message *message)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = { buffer, size };
	struct msghdr header = { .msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control) };
	struct cmsghdr *first;
	struct ucred creds;
	ssize_t n = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return -errno;
	first = CMSG_FIRSTHDR(&header);
	*message = (struct cr_wire_message){ .length = (uint32_t)n };
	if (!first || first->cmsg_level != SOL_SOCKET ||
	    first->cmsg_type != SCM_CREDENTIALS)
		return 0;
	memcpy(&creds, CMSG_DATA(first), sizeof(creds));
	message->has_creds = 1;
	message->vpid = (uint32_t)creds.pid; /* as we see it */
	message->uid = creds.uid;
	message->gid = creds.gid;
	return 0;
}

static int send_with_room(int fd, struct cr_wire_message *message,
			  const void *buffer, const struct cr_wire_unix *to)
{
	int before = 0, large = SEND_BUFFER, rc;
	socklen_t length = sizeof(before);

	getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &before, &length);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof(large));
	rc = cr_unix_send(fd, message, buffer, to);
	if (rc == -ESRCH) { /* who had sent it has died: no pid is his */
		message->vpid = (uint32_t)getpid();
		rc = cr_unix_send(fd, message, buffer, to);
	}
	before /= 2; /* the kernel tells twice what was set */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &before, sizeof(before));
	return rc;
}

struct renewal {
	const struct cr_file_table *table;
	const struct cr_file *file, *peer;
	const struct cr_unix_saving *saving;
	struct cr_wire_unix to; /* where we find its name */
	int nameless; /* a socket to send with for those that are gone */
	int is_pair;
	void *buffer;
	size_t size;
};

/* The socket that sends again what @saved has come from. */
static int sender_of(const struct renewal *r,
		     const struct cr_wire_message *saved)
{
	if (r->is_pair)
		return r->peer->fd;
	if (saved->sender)
		return r->table->files[saved->sender - 1]->fd;
	return r->peer ? r->peer->fd : r->nameless;
}

static int turn(const struct renewal *r)
{
	const uint8_t *at = r->saving->messages;
	const struct cr_wire_unix *to = r->is_pair ? NULL : &r->to;
	struct cr_wire_message now;
	int rc = 0;

	for (uint32_t i = 0; i < r->saving->head.nr_messages && !rc; i++) {
		const struct cr_wire_message *saved = (const void *)at;

		rc = take_first(r->file->fd, r->buffer, r->size, &now);
		if (rc == 0)
			rc = send_with_room(sender_of(r, saved), &now,
					    r->buffer, to);
		at += sizeof(*saved) + cr_unix_pad(saved->length);
	}
	return rc;
}

/* The name as we can use it: a path through *@fdp.  0: it is not there. */
static int find_name(struct renewal *r, int *fdp)
{
	const struct cr_wire_unix *head = &r->saving->head;
	char path[4200];

	r->to = *head;
	if (!head->name_length || !head->name[0])
		return head->name_length != 0;
	if (!(head->flags & CR_UNIX_F_NAME_EXISTS))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/root%s", r->file->pid,
		 r->file->path);
	*fdp = open(path, O_PATH | O_CLOEXEC);
	if (*fdp < 0)
		return 0;
	r->to.name_length =
		(uint32_t)snprintf((char *)r->to.name, sizeof(r->to.name),
				   "/proc/self/fd/%d", *fdp);
	return 1;
}

int cr_unix_renew(struct cr_file_table *table, const struct cr_file *file,
		  const struct cr_unix_saving *saving, void *buffer,
		  size_t size, struct cr_error *err)
{
	struct renewal r = { .table = table,
			     .file = file,
			     .saving = saving,
			     .nameless = -1,
			     .buffer = buffer,
			     .size = size };
	int path_fd = -1, rc;

	if (saving->head.type == SOCK_STREAM || saving->head.shutdown & 1 ||
	    !has_empty(saving))
		return 0;
	if (file->wire.peer)
		r.peer = table->files[file->wire.peer - 1];
	r.is_pair = is_mutual(table, file, r.peer);
	/* is there still a way to reach it? */
	if (!r.is_pair && !find_name(&r, &path_fd))
		return 0;
	/* what has been looked at is marked by now: ask for no more than it
	 * takes */
	if (!r.is_pair && !r.peer)
		r.nameless = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	rc = r.is_pair || r.peer || r.nameless >= 0 ? 0 : -errno;
	if (rc == 0)
		rc = set_passcred(file->fd, 1);
	if (rc == 0)
		rc = turn(&r);
	set_passcred(file->fd, (saving->head.flags & CR_UNIX_F_PASSCRED) != 0);
	if (r.nameless >= 0)
		close(r.nameless);
	if (path_fd >= 0)
		close(path_fd);
	return rc < 0 ? cr_error_set(err, rc, "messages of Unix socket: %s",
				     strerror(-rc)) :
			0;
}
