/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_unix_queue.c - messages that an AF_UNIX socket has not received yet
 *
 * They are looked at with MSG_PEEK and an offset that moves (SO_PEEK_OFF),
 * which takes nothing out; the offset is put back.  At restart each is sent
 * again, with the credentials it had.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file_unix.h"

#define MESSAGE_MAX (4u << 20) /* bytes; more than any send buffer */

static int set_peek_offset(int fd, int offset)
{
	return setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset,
			  sizeof(offset)) < 0 ?
		       -errno :
		       0;
}

void cr_unix_close_rights(struct msghdr *header)
{
	struct cmsghdr *control;
	int fd;

	for (control = CMSG_FIRSTHDR(header); control;
	     control = CMSG_NXTHDR(header, control)) {
		size_t length = control->cmsg_len - CMSG_LEN(0), i;

		if (control->cmsg_level != SOL_SOCKET ||
		    control->cmsg_type != SCM_RIGHTS)
			continue;
		for (i = 0; i + sizeof(fd) <= length; i += sizeof(fd)) {
			memcpy(&fd, CMSG_DATA(control) + i, sizeof(fd));
			close(fd);
		}
	}
}

/* Returns 1 if there were descriptors, and notes if there was more. */
static int take_control(const struct cr_file_table *table,
			struct msghdr *header, struct cr_wire_message *message,
			struct cr_unix_saving *saving)
{
	int has_more = (header->msg_flags & MSG_CTRUNC) != 0, has_rights = 0;
	struct cmsghdr *control;

	for (control = CMSG_FIRSTHDR(header); control;
	     control = CMSG_NXTHDR(header, control)) {
		struct ucred creds;

		if (control->cmsg_level != SOL_SOCKET)
			continue;
		if (control->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&creds, CMSG_DATA(control), sizeof(creds));
			message->has_creds = 1;
			message->vpid = cr_file_vpid(table, creds.pid);
			message->uid = creds.uid;
			message->gid = creds.gid;
		} else if (control->cmsg_type == SCM_RIGHTS) {
			has_rights = 1;
		} else {
			has_more = 1;
		}
	}
	cr_unix_close_rights(header);
	saving->is_fixed |= has_more;
	return has_rights || has_more;
}

static int append(struct cr_unix_saving *saving,
		  const struct cr_wire_message *message, const void *bytes,
		  struct cr_error *err)
{
	size_t more = sizeof(*message) + cr_unix_pad(message->length);
	uint8_t *messages = realloc(saving->messages, saving->length + more);

	if (!messages)
		return cr_error_set(err, -ENOMEM, "out of memory");
	memset(messages + saving->length, 0, more);
	memcpy(messages + saving->length, message, sizeof(*message));
	memcpy(messages + saving->length + sizeof(*message), bytes,
	       message->length);
	saving->messages = messages;
	saving->length += more;
	saving->head.nr_messages++;
	return 0;
}

/* Whom a datagram is from; 1: refused. */
static int find_sender(struct cr_file_table *table, struct cr_file *file,
		       const struct msghdr *header,
		       const struct sockaddr_un *from,
		       struct cr_wire_message *message,
		       struct cr_unix_saving *saving)
{
	size_t offset = offsetof(struct sockaddr_un, sun_path);
	size_t length = header->msg_namelen;

	if (length <= offset)
		return 0;
	length -= offset;
	if (from->sun_path[0])
		length = strnlen(from->sun_path, length);
	message->sender = cr_unix_find_name(table, from->sun_path, length);
	if (message->sender)
		return 0;
	if (!saving->is_refused)
		cr_file_refuse(table, file,
			       "Unix socket with a message from %.*s, outside "
			       "the tree",
			       (int)length,
			       from->sun_path[0] ? from->sun_path : "@");
	saving->is_fixed = 1;
	return 1;
}

/* Nothing was received: is that the end, or an empty message? */
static int is_end(const struct cr_unix_saving *saving)
{
	return saving->head.type == SOCK_STREAM ||
	       (saving->head.type == SOCK_SEQPACKET &&
		saving->head.shutdown & 1);
}

/* Descriptors are refused, once. */
static void refuse_rights(struct cr_file_table *table, struct cr_file *file,
			  struct cr_unix_saving *saving)
{
	if (!saving->is_refused)
		cr_file_refuse_for_now(
			table, file, "Unix socket with descriptors in flight");
	saving->is_refused = 1;
	/* a stream has nothing to be turned round, file_unix_renew.c */
	saving->is_fixed |= saving->head.type == SOCK_STREAM;
}

/* Returns 1 if there is nothing more to be seen. */
static int peek_one(struct cr_file_table *table, struct cr_file *file,
		    struct cr_unix_saving *saving, void *buffer,
		    struct cr_error *err)
{
	_Alignas(struct cmsghdr) char control[CR_UNIX_CONTROL_MAX];
	struct sockaddr_un from;
	struct iovec iov = { buffer, MESSAGE_MAX };
	struct msghdr header = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cr_wire_message message = { 0 };
	ssize_t n;

	n = recvmsg(file->fd, &header,
		    MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == ENOTCONN || errno == EINVAL ||
		      errno == ECONNRESET))
		return 1;
	if (n < 0)
		return cr_error_errno(err, "recvmsg of Unix socket");
	if (take_control(table, &header, &message, saving))
		refuse_rights(table, file, saving);
	if (saving->is_fixed || (n == 0 && is_end(saving)))
		return 1;
	message.length = (uint32_t)n;
	if (saving->head.type == SOCK_DGRAM &&
	    find_sender(table, file, &header, &from, &message, saving))
		return 1;
	return append(saving, &message, buffer, err);
}

/* A program that has itself looked at an empty message, the first one, has
 * hidden it from a look with an offset; without one it is seen all the same. */
static int peek_first(struct cr_file_table *table, struct cr_file *file,
		      struct cr_unix_saving *saving, void *buffer,
		      struct cr_error *err)
{
	int rc;

	if (saving->head.type == SOCK_STREAM)
		return 0;
	rc = set_peek_offset(file->fd, -1);
	if (rc < 0)
		return cr_error_set(err, rc, "SO_PEEK_OFF: %s", strerror(-rc));
	if (recv(file->fd, buffer, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
		return 0;
	return peek_one(table, file, saving, buffer, err);
}

int cr_unix_queue_save(struct cr_file_table *table, struct cr_file *file,
		       struct cr_unix_saving *saving, struct cr_error *err)
{
	void *buffer = malloc(MESSAGE_MAX);
	int rc;

	if (!buffer)
		return cr_error_set(err, -ENOMEM, "out of memory");
	rc = peek_first(table, file, saving, buffer, err);
	if (rc == 0) {
		rc = set_peek_offset(file->fd, 0);
		if (rc < 0)
			cr_error_set(err, rc, "SO_PEEK_OFF: %s", strerror(-rc));
	}
	while (rc == 0)
		rc = peek_one(table, file, saving, buffer, err);
	if (rc >= 0)
		rc = cr_unix_renew(table, file, saving, buffer, MESSAGE_MAX,
				   err);
	set_peek_offset(file->fd, saving->head.peek_offset);
	free(buffer);
	return rc < 0 ? rc : 0;
}

/* ---- restoring ---- */

const struct cr_wire_unix *cr_unix_saved(const struct cr_file_restore *restore,
					 uint32_t id)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	const struct cr_wire_unix *head = saved->data;
	size_t left = saved->file->data_length;
	const uint8_t *at = saved->data;
	uint32_t i;

	if (saved->file->kind != CR_FILE_UNIX || left < sizeof(*head) ||
	    head->name_length > CR_UNIX_NAME_MAX ||
	    head->peer_name_length > CR_UNIX_NAME_MAX)
		return NULL;
	at += sizeof(*head);
	left -= sizeof(*head);
	for (i = 0; i < head->nr_messages; i++) {
		const struct cr_wire_message *message = (const void *)at;
		size_t length;

		if (left < sizeof(*message))
			return NULL;
		length = sizeof(*message) + cr_unix_pad(message->length);
		if (length > left || message->sender > restore->saved->nr_files)
			return NULL;
		at += length;
		left -= length;
	}
	return left ? NULL : head;
}

/* Send one message, with its credentials; to the name in @to, or (NULL) to
 * whom @fd is connected.  Returns 0 or a negative errno. */
static int send_message(int fd, const struct cr_wire_message *message,
			const void *bytes, const struct cr_wire_unix *to)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = { (void *)(uintptr_t)bytes, message->length };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct ucred creds = { .pid = (pid_t)message->vpid,
			       .uid = message->uid,
			       .gid = message->gid };
	struct cmsghdr *first;
	ssize_t n;

	if (to) {
		memcpy(address.sun_path, to->name, to->name_length);
		header.msg_name = &address;
		header.msg_namelen =
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				    to->name_length);
	}
	if (message->has_creds) {
		if (!creds.pid)
			creds.pid = getpid();
		header.msg_control = control;
		header.msg_controllen = sizeof(control);
		first = CMSG_FIRSTHDR(&header);
		first->cmsg_level = SOL_SOCKET;
		first->cmsg_type = SCM_CREDENTIALS;
		first->cmsg_len = CMSG_LEN(sizeof(creds));
		memcpy(CMSG_DATA(first), &creds, sizeof(creds));
	}
	n = sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	return (size_t)n == message->length ? 0 : -EIO;
}

/* The socket that has the sender's name, or one without; the latter is the
 * caller's to close. */
static int sender_of(struct cr_file_restore *restore,
		     const struct cr_wire_message *message, int *is_ownp,
		     struct cr_error *err)
{
	int fd;

	*is_ownp = !message->sender;
	if (message->sender)
		return cr_file_get(restore, message->sender, err);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? cr_error_errno(err, "socket") : fd;
}

int cr_unix_queue_fill(struct cr_file_restore *restore, uint32_t id, int sender,
		       struct cr_error *err)
{
	const struct cr_wire_unix *head = cr_unix_saved(restore, id);
	const uint8_t *at = (const uint8_t *)(head + 1);
	uint32_t i;
	int rc = 0;

	for (i = 0; i < head->nr_messages && rc == 0; i++) {
		const struct cr_wire_message *message = (const void *)at;
		int fd = sender, is_own = 0;

		if (fd < 0)
			fd = sender_of(restore, message, &is_own, err);
		if (fd < 0)
			return fd;
		rc = send_message(fd, message, message + 1,
				  sender < 0 ? head : NULL);
		if (is_own)
			close(fd);
		if (rc < 0)
			cr_error_set(err, rc,
				     "message of %u bytes to Unix socket %u: "
				     "%s",
				     message->length, id, strerror(-rc));
		at += sizeof(*message) + cr_unix_pad(message->length);
	}
	return rc;
}
