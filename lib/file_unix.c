/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_unix.c - AF_UNIX sockets: save one
 *
 * Pairs and connections within the tree, listeners, named and nameless
 * datagram sockets, with what is in their queues.  Not: connections that wait
 * for accept(2), descriptors in flight, and peers outside the tree (but a
 * datagram socket connected to a name, as syslog(3) has one).
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file_unix.h"
#include "socket_options.h"

static uint32_t get_option(int fd, int option, uint32_t otherwise)
{
	uint32_t value = otherwise;
	socklen_t length = sizeof(value);

	getsockopt(fd, SOL_SOCKET, option, &value, &length);
	return value;
}

/* sun_path of getsockname(2) or getpeername(2); 0 bytes: nameless. */
static uint32_t get_name(int fd, int of_peer, uint8_t *name)
{
	struct sockaddr_un address;
	socklen_t length = sizeof(address);
	size_t offset = offsetof(struct sockaddr_un, sun_path);
	int rc = of_peer ?
			 getpeername(fd, (struct sockaddr *)&address, &length) :
			 getsockname(fd, (struct sockaddr *)&address, &length);

	if (rc < 0 || length <= offset || length > sizeof(address))
		return 0;
	memcpy(name, address.sun_path, length - offset);
	/* A path counts without its NUL, an abstract name with its first. */
	if (name[0])
		return (uint32_t)strnlen((char *)name, length - offset);
	return (uint32_t)(length - offset);
}

static void get_options(const struct cr_file *file, struct cr_wire_unix *head)
{
	struct ucred peer = { 0 };
	socklen_t length = sizeof(peer);
	int fd = file->fd;

	head->type = get_option(fd, SO_TYPE, 0);
	head->send_buffer = get_option(fd, SO_SNDBUF, 0);
	head->receive_buffer = get_option(fd, SO_RCVBUF, 0);
	head->receive_low = get_option(fd, SO_RCVLOWAT, 1);
	head->peek_offset = (int32_t)get_option(fd, SO_PEEK_OFF, ~0u);
	head->receive_timeout_us = cr_socket_get_timeout(fd, SO_RCVTIMEO);
	head->send_timeout_us = cr_socket_get_timeout(fd, SO_SNDTIMEO);
	if (get_option(fd, SO_PASSCRED, 0))
		head->flags |= CR_UNIX_F_PASSCRED;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0) {
		head->peer_uid = peer.uid;
		head->peer_gid = peer.gid;
	}
	head->name_length = get_name(fd, 0, head->name);
	head->peer_name_length = get_name(fd, 1, head->peer_name);
}

static const struct cr_wire_unix *head_of(const struct cr_file *file)
{
	return file->ops == &cr_file_unix_ops ? file->data : NULL;
}

uint32_t cr_unix_find_name(const struct cr_file_table *table, const void *name,
			   size_t length)
{
	size_t i;

	for (i = 0; i < table->nr_files; i++) {
		const struct cr_wire_unix *head = head_of(table->files[i]);

		if (head && head->name_length == length &&
		    !memcmp(head->name, name, length))
			return table->files[i]->wire.id;
	}
	return 0;
}

/* The path of the socket's name, absolute, and what is there. */
static int find_path(struct cr_file *file, struct cr_wire_unix *head,
		     const struct cr_unix_diag *diag, struct cr_error *err)
{
	char name[64], directory[4096] = "", path[8192];
	struct stat st;
	ssize_t n = 0;

	if (!head->name_length || !head->name[0])
		return 0;
	if (head->name[0] != '/') {
		snprintf(name, sizeof(name), "/proc/%d/cwd", file->pid);
		n = readlink(name, directory, sizeof(directory) - 2);
		if (n < 0)
			return cr_error_errno(err, "readlink %s", name);
		directory[n] = '/';
	}
	snprintf(path, sizeof(path), "%s%.*s", directory,
		 (int)head->name_length, (const char *)head->name);
	free(file->path);
	file->path = strdup(path);
	if (!file->path)
		return cr_error_set(err, -ENOMEM, "out of memory");
	file->wire.path_length = (uint32_t)strlen(path);
	snprintf(path, sizeof(path), "/proc/%d/root%.4096s", file->pid,
		 file->path);
	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode) ||
	    (uint32_t)st.st_ino != diag->path_inode)
		return 0;
	head->flags |= CR_UNIX_F_NAME_EXISTS;
	head->mode = st.st_mode & 07777;
	head->uid = st.st_uid;
	head->gid = st.st_gid;
	return 0;
}

/* Names first: messages in queues refer to them. */
static int save(struct cr_file_table *table, struct cr_file *file,
		struct cr_error *err)
{
	struct cr_wire_unix head = { 0 };
	struct cr_unix_diag *diag;
	int rc;

	get_options(file, &head);
	rc = cr_unix_diag(table, (uint32_t)file->stat.st_ino, &diag, err);
	if (rc < 0)
		return rc;
	diag->id = file->wire.id;
	rc = find_path(file, &head, diag, err);
	return rc < 0 ? rc : cr_file_set_data(file, &head, sizeof(head), err);
}

static uint32_t find_inode(const struct cr_file_table *table, uint32_t inode)
{
	const uint32_t id = cr_unix_find_inode(table, inode);

	/* it may have turned out to be external */
	return id && table->files[id - 1]->ops == &cr_file_unix_ops ? id : 0;
}

static int refuse_outside(struct cr_file_table *table,
			  const struct cr_file *file)
{
	struct ucred peer = { 0 };
	socklen_t length = sizeof(peer);

	getsockopt(file->fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
	return cr_file_refuse(table, file,
			      "Unix socket whose other end is outside the "
			      "tree (made by process %d)",
			      peer.pid);
}

/* Who is at the other end?  1: refused or external, nothing is left to do. */
static int find_peer(struct cr_file_table *table, struct cr_file *file,
		     struct cr_wire_unix *head, const struct cr_unix_diag *diag)
{
	uint32_t id;

	if (!diag->has_peer)
		return 0;
	id = diag->peer_inode ? find_inode(table, diag->peer_inode) : 0;
	if (id || (!diag->peer_inode && diag->shutdown == 3)) {
		head->flags |= CR_UNIX_F_CONNECTED;
		file->wire.peer = id;
		return 0;
	}
	if (head->type == SOCK_DGRAM && head->peer_name_length) {
		head->flags |= CR_UNIX_F_CONNECT_NAME;
		return 0;
	}
	/* A datagram socket whose nameless peer is gone stays so. */
	if (head->type == SOCK_DGRAM && !diag->peer_inode) {
		head->flags |= CR_UNIX_F_CONNECTED;
		return 0;
	}
	if (cr_file_try_external(table, file))
		return 1;
	if (!diag->peer_inode)
		cr_file_refuse_for_now(table, file,
				       "Unix socket whose connection has not "
				       "been accepted yet");
	else
		refuse_outside(table, file);
	return 1;
}

static int set_all_data(struct cr_file *file,
			const struct cr_unix_saving *saving,
			struct cr_error *err)
{
	size_t length = sizeof(saving->head) + saving->length;
	char *data = malloc(length);

	if (!data)
		return cr_error_set(err, -ENOMEM, "out of memory");
	memcpy(data, &saving->head, sizeof(saving->head));
	if (saving->length)
		memcpy(data + sizeof(saving->head), saving->messages,
		       saving->length);
	free(file->data);
	file->data = data;
	file->wire.data_length = (uint32_t)length;
	return 0;
}

static int finish(struct cr_file_table *table, struct cr_file *file,
		  struct cr_error *err)
{
	struct cr_unix_saving saving = { .messages = NULL };
	struct cr_unix_diag *diag;
	int rc;

	memcpy(&saving.head, file->data, sizeof(saving.head));
	rc = cr_unix_diag(table, (uint32_t)file->stat.st_ino, &diag, err);
	if (rc < 0)
		return rc;
	saving.head.shutdown = diag->shutdown;
	if (diag->state == TCP_LISTEN) {
		saving.head.flags |= CR_UNIX_F_LISTEN;
		saving.head.backlog = diag->backlog;
		if (diag->pending)
			return cr_file_refuse_for_now(
				table, file,
				"Unix socket with %u connections not accepted "
				"yet",
				diag->pending);
	} else if (find_peer(table, file, &saving.head, diag)) {
		return 0;
	} else {
		rc = cr_unix_queue_save(table, file, &saving, err);
	}
	if (rc == 0)
		rc = set_all_data(file, &saving, err);
	free(saving.messages);
	return rc < 0 ? rc : 0;
}

const struct cr_file_ops cr_file_unix_ops = {
	.kind = CR_FILE_UNIX,
	.name = "Unix socket",
	.flags = O_NONBLOCK | O_ASYNC,
	.save = save,
	.finish = finish,
	.make = cr_unix_make,
	.connect = cr_unix_connect,
};
