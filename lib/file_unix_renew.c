/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_unix_renew.c - empty messages of AF_UNIX sockets, after a look at them
 *
 * A look with an offset (SO_PEEK_OFF) skips empty messages that have been
 * looked at before: the kernel marks them.  So that the next checkpoint sees
 * them too, the queue is turned round once: each message is received and sent
 * again to its end, by the same socket and with what it had, credentials and
 * descriptors.  All of it or nothing: the program keeps its order, whatever
 * becomes of the checkpoint.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file_unix.h"

#define SEND_BUFFER (8 << 20) /* bytes; more than any message */

_Static_assert(offsetof(struct ucred, pid) == 0, "send_as_us()");

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

/* A message as it was received, to be sent again. */
struct taken {
	_Alignas(struct cmsghdr) char control[CR_UNIX_CONTROL_MAX];
	struct iovec iov;
	struct msghdr header;
};

/* The first message, with its credentials and descriptors. */
static int take_first(int fd, void *buffer, size_t size, struct taken *taken)
{
	ssize_t n;

	taken->iov = (struct iovec){ buffer, size };
	taken->header =
		(struct msghdr){ .msg_iov = &taken->iov,
				 .msg_iovlen = 1,
				 .msg_control = taken->control,
				 .msg_controllen = sizeof(taken->control) };
	n = recvmsg(fd, &taken->header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	taken->iov.iov_len = (size_t)n;
	return 0;
}

/* Who had sent it has died (@code ESRCH): no pid is theirs.  Or is nobody in
 * our user namespace (EINVAL), which is so, too, if nobody was told; or cannot
 * be named by who is not root (EPERM): to lose it would be worse. */
static void send_as_us(struct msghdr *header, int code)
{
	const struct ucred us = { getpid(), getuid(), getgid() };
	const size_t length = code == ESRCH ? sizeof(us.pid) : sizeof(us);
	struct cmsghdr *control;

	for (control = CMSG_FIRSTHDR(header); control;
	     control = CMSG_NXTHDR(header, control))
		if (control->cmsg_level == SOL_SOCKET &&
		    control->cmsg_type == SCM_CREDENTIALS)
			memcpy(CMSG_DATA(control), &us, length);
}

static int send_with_room(int fd, struct taken *taken)
{
	int before = 0, large = SEND_BUFFER, rc;
	socklen_t length = sizeof(before);
	ssize_t n;

	getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &before, &length);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof(large));
	n = sendmsg(fd, &taken->header, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && (errno == ESRCH || errno == EINVAL || errno == EPERM)) {
		send_as_us(&taken->header, errno);
		n = sendmsg(fd, &taken->header, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	rc = n < 0 ? -errno : 0;
	before /= 2; /* the kernel tells twice what was set */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &before, sizeof(before));
	return rc;
}

struct renewal {
	const struct cr_file_table *table;
	const struct cr_file *file, *peer;
	const struct cr_unix_saving *saving;
	struct sockaddr_un to; /* where we find its name */
	socklen_t to_length;
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
	struct taken taken;
	int rc = 0;

	for (uint32_t i = 0; i < r->saving->head.nr_messages && !rc; i++) {
		const struct cr_wire_message *saved = (const void *)at;

		rc = take_first(r->file->fd, r->buffer, r->size, &taken);
		if (rc)
			break;
		if (!r->is_pair) {
			taken.header.msg_name = (void *)(uintptr_t)&r->to;
			taken.header.msg_namelen = r->to_length;
		}
		rc = send_with_room(sender_of(r, saved), &taken);
		cr_unix_close_rights(&taken.header);
		at += sizeof(*saved) + cr_unix_pad(saved->length);
	}
	return rc;
}

/* One that is connected takes messages of its peer only: are all of it? */
static int takes_all(const struct renewal *r)
{
	const struct cr_wire_unix *head = &r->saving->head, *peer;
	const uint8_t *at = r->saving->messages;
	uint32_t sender;

	if (!(head->flags & (CR_UNIX_F_CONNECTED | CR_UNIX_F_CONNECT_NAME)) ||
	    head->type != SOCK_DGRAM)
		return 1;
	if (!r->peer)
		return 0;
	peer = r->peer->data;
	sender = peer->name_length ? r->peer->wire.id : 0;
	for (uint32_t i = 0; i < head->nr_messages; i++) {
		const struct cr_wire_message *message = (const void *)at;

		if (message->sender != sender)
			return 0;
		at += sizeof(*message) + cr_unix_pad(message->length);
	}
	return 1;
}

/* The name as we can use it: a path through *@fdp.  0: it is not there. */
static int find_name(struct renewal *r, int *fdp)
{
	const struct cr_wire_unix *head = &r->saving->head;
	size_t length = head->name_length;
	char path[4200];

	r->to.sun_family = AF_UNIX;
	if (length && head->name[0]) {
		if (!(head->flags & CR_UNIX_F_NAME_EXISTS))
			return 0;
		snprintf(path, sizeof(path), "/proc/%d/root%s", r->file->pid,
			 r->file->path);
		*fdp = open(path, O_PATH | O_CLOEXEC);
		if (*fdp < 0)
			return 0;
		length =
			(size_t)snprintf(r->to.sun_path, sizeof(r->to.sun_path),
					 "/proc/self/fd/%d", *fdp);
	} else {
		memcpy(r->to.sun_path, head->name, length);
	}
	r->to_length =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	return length != 0;
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
	    saving->is_fixed || !has_empty(saving))
		return 0;
	if (file->wire.peer)
		r.peer = table->files[file->wire.peer - 1];
	r.is_pair = is_mutual(table, file, r.peer);
	/* is there still a way to reach it? */
	if (!takes_all(&r) || (!r.is_pair && !find_name(&r, &path_fd)))
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
