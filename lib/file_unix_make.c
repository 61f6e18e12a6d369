/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_unix_make.c - AF_UNIX sockets: make them again
 *
 * The two ends of a connection are made together.  One that came from
 * accept(2) has its listener's name, so it is made by connecting to a
 * listener: the tree's own, or one for the moment.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file_unix.h"
#include "socket_options.h"

#define FILL_BUFFER (8 << 20) /* bytes; while queues are filled */

struct end {
	uint32_t id; /* 0: nobody has it any more */
	const struct cr_wire_unix *head;
	int fd;
};

/* SO_PEERCRED of a socket is who called connect, listen or socketpair. */
static void become(uint32_t uid, uint32_t gid)
{
	if (getuid() != 0)
		return;
	syscall(SYS_setresgid, -1, gid, -1);
	syscall(SYS_setresuid, -1, uid, -1);
}

static void become_root(void)
{
	int saved = errno;

	if (getuid() == 0) {
		syscall(SYS_setresuid, -1, 0, -1);
		syscall(SYS_setresgid, -1, 0, -1);
	}
	errno = saved;
}

/* Before the queue is filled: what decides about its messages. */
static void set_early_options(const struct cr_wire_unix *head, int fd)
{
	if (head->flags & CR_UNIX_F_PASSCRED)
		cr_socket_set_int(fd, SOL_SOCKET, SO_PASSCRED, 1);
	cr_socket_set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, FILL_BUFFER);
}

void cr_unix_set_options(const struct cr_wire_unix *head, int fd)
{
	cr_socket_set_buffers(fd, head->send_buffer, head->receive_buffer);
	cr_socket_set_int(fd, SOL_SOCKET, SO_RCVLOWAT, (int)head->receive_low);
	cr_socket_set_timeout(fd, SO_RCVTIMEO, head->receive_timeout_us);
	cr_socket_set_timeout(fd, SO_SNDTIMEO, head->send_timeout_us);
	if (head->peek_offset >= 0)
		cr_socket_set_int(fd, SOL_SOCKET, SO_PEEK_OFF,
				  head->peek_offset);
	if (head->shutdown & 1)
		shutdown(fd, SHUT_RD);
	if (head->shutdown & 2)
		shutdown(fd, SHUT_WR);
}

static int new_socket(const struct cr_wire_unix *head, struct cr_error *err)
{
	int fd = socket(AF_UNIX, (int)head->type | SOCK_CLOEXEC, 0);

	return fd < 0 ? cr_error_errno(err, "Unix socket of type %u",
				       head->type) :
			fd;
}

static int make_single(struct cr_file_restore *restore, uint32_t id,
		       const struct cr_wire_unix *head, struct cr_error *err)
{
	int fd = new_socket(head, err), rc;

	if (fd < 0)
		return fd;
	set_early_options(head, fd);
	rc = cr_unix_bind(restore, id, fd, err);
	if (rc == 0 && head->flags & CR_UNIX_F_LISTEN) {
		become(head->peer_uid, head->peer_gid);
		rc = listen(fd, (int)head->backlog) < 0 ? -errno : 0;
		become_root();
		if (rc < 0)
			cr_error_set(err, rc, "listen: %s", strerror(-rc));
	}
	if (rc < 0) {
		close(fd);
		return rc;
	}
	if (head->flags & CR_UNIX_F_LISTEN || head->type != SOCK_DGRAM)
		cr_unix_set_options(head, fd);
	return cr_file_park(restore, id, fd, err);
}

/* A listener in the tree that has the name of @head, or 0. */
static uint32_t find_listener(const struct cr_file_restore *restore,
			      const struct cr_wire_unix *head)
{
	uint32_t id;

	for (id = 1; id <= restore->saved->nr_files; id++) {
		const struct cr_wire_unix *other;

		if (cr_file_saved(restore, id)->file->kind != CR_FILE_UNIX)
			continue;
		other = cr_unix_saved(restore, id);
		if (other && other->flags & CR_UNIX_F_LISTEN &&
		    other->type == head->type &&
		    other->name_length == head->name_length &&
		    !memcmp(other->name, head->name, head->name_length))
			return id;
	}
	return 0;
}

static int connect_as_peer(const struct end *server, int client,
			   const struct sockaddr_un *address, socklen_t length)
{
	int rc;

	become(server->head->peer_uid, server->head->peer_gid);
	rc = connect(client, (const struct sockaddr *)address, length);
	rc = rc < 0 ? -errno : 0;
	become_root();
	return rc;
}

#define ASIDE_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) + 8)

/* Listen at the name of @address; what is there goes to @aside meanwhile.  With
 * the task's rights: what lies on the way is its user's to change. */
static int listen_instead(const struct cr_file_restore *restore, int fd,
			  const struct sockaddr_un *address, socklen_t length,
			  char aside[ASIDE_MAX])
{
	struct cr_file_rights rights;
	int rc = cr_file_take_rights(restore, &rights);

	aside[0] = '\0';
	if (rc < 0)
		return rc;
	if (address->sun_path[0]) {
		snprintf(aside, ASIDE_MAX, "%.*s.cr",
			 (int)sizeof(address->sun_path), address->sun_path);
		if (rename(address->sun_path, aside) < 0)
			aside[0] = '\0';
	}
	rc = bind(fd, (const struct sockaddr *)address, length);
	rc = rc < 0 || listen(fd, 1) < 0 ? -errno : 0;
	cr_file_give_back_rights(&rights);
	return rc;
}

static void put_back(const struct cr_file_restore *restore,
		     const struct sockaddr_un *address, const char *aside)
{
	struct cr_file_rights rights;

	if (!address->sun_path[0] || cr_file_take_rights(restore, &rights) < 0)
		return;
	unlink(address->sun_path);
	if (aside[0])
		rename(aside, address->sun_path);
	cr_file_give_back_rights(&rights);
}

/* Listen at the server's name for the moment, whatever is there. */
static int accept_once(const struct cr_file_restore *restore,
		       const struct end *server, struct end *client,
		       const struct sockaddr_un *address, socklen_t length)
{
	char aside[ASIDE_MAX];
	int fd, rc;

	fd = socket(AF_UNIX, (int)server->head->type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = listen_instead(restore, fd, address, length, aside);
	if (rc == 0)
		rc = connect_as_peer(server, client->fd, address, length);
	if (rc == 0) {
		rc = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		rc = rc < 0 ? -errno : rc;
	}
	put_back(restore, address, aside);
	close(fd);
	return rc;
}

/* One end has the name of a listener. */
static int make_accepted(struct cr_file_restore *restore, struct end *server,
			 struct end *client, uint32_t listener,
			 struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, server->id);
	struct sockaddr_un address;
	socklen_t length;
	int fd = -1, rc;

	client->fd = new_socket(server->head, err);
	if (client->fd < 0)
		return client->fd;
	rc = client->id ? cr_unix_bind(restore, client->id, client->fd, err) :
			  0;
	if (rc == 0 && listener)
		rc = fd = cr_file_get(restore, listener, err);
	if (rc < 0)
		return rc;
	length = cr_unix_address(saved, server->head->name,
				 server->head->name_length, &address);
	if (!length)
		rc = -ENOENT;
	else if (!listener)
		rc = accept_once(restore, server, client, &address, length);
	else
		rc = connect_as_peer(server, client->fd, &address, length);
	if (rc == 0 && listener) {
		rc = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		rc = rc < 0 ? -errno : rc;
	}
	if (rc < 0)
		return cr_error_set(err, rc, "connection to Unix socket %s: %s",
				    saved->path, strerror(-rc));
	server->fd = rc;
	return 0;
}

static int make_socketpair(struct cr_file_restore *restore, struct end ends[2],
			   struct cr_error *err)
{
	int fds[2], i, rc;

	become(ends[0].head->peer_uid, ends[0].head->peer_gid);
	rc = socketpair(AF_UNIX, (int)ends[0].head->type | SOCK_CLOEXEC, 0,
			fds);
	become_root();
	if (rc < 0)
		return cr_error_errno(err, "socketpair");
	ends[0].fd = fds[0];
	ends[1].fd = fds[1];
	for (i = 0; i < 2 && rc == 0; i++)
		if (ends[i].id)
			rc = cr_unix_bind(restore, ends[i].id, ends[i].fd, err);
	return rc;
}

static int has_name(const struct end *end)
{
	return end->id && end->head->name_length;
}

static int make_ends(struct cr_file_restore *restore, struct end ends[2],
		     struct cr_error *err)
{
	uint32_t listener[2] = { 0, 0 };
	int i, server;

	if (ends[0].head->type == SOCK_DGRAM ||
	    (!has_name(&ends[0]) && !has_name(&ends[1])))
		return make_socketpair(restore, ends, err);
	for (i = 0; i < 2; i++)
		if (has_name(&ends[i]))
			listener[i] = find_listener(restore, ends[i].head);
	server = listener[0] ? 0 : listener[1] ? 1 : !has_name(&ends[0]);
	return make_accepted(restore, &ends[server], &ends[!server],
			     listener[server], err);
}

static int fill_and_park(struct cr_file_restore *restore, struct end ends[2],
			 struct cr_error *err)
{
	int i, rc = 0;

	for (i = 0; i < 2; i++)
		if (ends[i].id)
			set_early_options(ends[i].head, ends[i].fd);
	cr_socket_set_int(ends[1].fd, SOL_SOCKET, SO_SNDBUFFORCE, FILL_BUFFER);
	for (i = 0; i < 2 && rc == 0; i++)
		if (ends[i].id)
			rc = cr_unix_queue_fill(restore, ends[i].id,
						ends[!i].fd, err);
	for (i = 0; i < 2 && rc == 0; i++)
		if (ends[i].id)
			cr_unix_set_options(ends[i].head, ends[i].fd);
	for (i = 0; i < 2 && rc == 0; i++) {
		if (!ends[i].id)
			continue;
		rc = cr_file_park(restore, ends[i].id, ends[i].fd, err);
		ends[i].fd = -1;
	}
	return rc;
}

static int make_pair(struct cr_file_restore *restore, uint32_t id,
		     struct cr_error *err)
{
	struct end ends[2] = {
		{ .id = id, .head = cr_unix_saved(restore, id), .fd = -1 },
		{ .id = cr_file_saved(restore, id)->file->peer, .fd = -1 },
	};
	int i, rc;

	if (ends[1].id)
		ends[1].head = cr_unix_saved(restore, ends[1].id);
	rc = make_ends(restore, ends, err);
	if (rc == 0)
		rc = fill_and_park(restore, ends, err);
	for (i = 0; i < 2; i++)
		if (ends[i].fd >= 0)
			close(ends[i].fd);
	return rc;
}

int cr_unix_is_mutual(const struct cr_file_restore *restore, uint32_t id)
{
	uint32_t peer = cr_file_saved(restore, id)->file->peer;
	const struct cr_wire_unix *head, *other;

	if (!peer || peer == id || peer > restore->saved->nr_files ||
	    cr_file_saved(restore, peer)->file->kind != CR_FILE_UNIX ||
	    cr_file_saved(restore, peer)->file->peer != id)
		return 0;
	head = cr_unix_saved(restore, id);
	other = cr_unix_saved(restore, peer);
	return other && other->type == head->type &&
	       other->flags & CR_UNIX_F_CONNECTED;
}

int cr_unix_make(struct cr_file_restore *restore, uint32_t id,
		 struct cr_error *err)
{
	const struct cr_wire_unix *head = cr_unix_saved(restore, id);
	uint32_t peer = cr_file_saved(restore, id)->file->peer;

	if (!head)
		return cr_error_set(err, -EBADMSG, "Unix socket %u is damaged",
				    id);
	if (!(head->flags & CR_UNIX_F_CONNECTED))
		return make_single(restore, id, head, err);
	if (!peer || cr_unix_is_mutual(restore, id))
		return make_pair(restore, id, err);
	if (head->type != SOCK_DGRAM)
		return cr_error_set(err, -EBADMSG,
				    "Unix socket %u has no other end", id);
	return make_single(restore, id, head, err);
}
