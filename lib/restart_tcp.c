/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_tcp.c - TCP connections begin to speak
 *
 * Every socket exists, here and (the caller says) on the other nodes.  Now all
 * leave repair mode; what had not arrived is sent as if written now; FINs are
 * sent again; and those that had heard of one hear of it again, before any
 * thread runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file_tcp.h"
#include "restart_ctx.h"

#define PATIENCE_MS 10000 /* for a FIN to come from another node */
#define RESTARTSYS (-512) /* linux/errno.h, kernel only */
#define RESTARTNOINTR (-513)

struct socket {
	uint32_t id, vpid, number; /* where it is */
	int fd; /* our copy */
	struct cr_tcp_making making;
};

struct gate {
	const struct cr_restarter *restarter;
	struct socket *sockets;
	size_t nr;
	uint8_t *is_known; /* [nr_files] */
};

static int is_to_speak(const struct cr_saved_file *file)
{
	const struct cr_wire_tcp *head = file->data;

	return file->file->kind == CR_FILE_TCP &&
	       (head->kind == CR_TCP_CONNECTED ||
		head->kind == CR_TCP_CONNECTING);
}

static int add_socket(struct gate *gate, const struct cr_saved_task *task,
		      const struct cr_wire_fd *fd, int pidfd,
		      struct cr_error *err)
{
	struct socket *socket = &gate->sockets[gate->nr];
	int rc;

	socket->id = fd->file;
	socket->vpid = task->link->vpid;
	socket->number = fd->fd;
	socket->fd = (int)syscall(SYS_pidfd_getfd, pidfd, fd->fd, 0);
	if (socket->fd < 0)
		return cr_error_errno(err, "vpid %u fd %u: pidfd_getfd",
				      socket->vpid, fd->fd);
	gate->nr++;
	gate->is_known[fd->file - 1] = 1;
	rc = cr_tcp_prepare(gate->restarter->saved,
			    &gate->restarter->options->tcp, fd->file,
			    &socket->making, err);
	return rc;
}

static int add_sockets_of(struct gate *gate, const struct cr_saved_task *task,
			  pid_t pid, struct cr_error *err)
{
	const struct cr_saved *saved = gate->restarter->saved;
	int pidfd = -1, rc = 0;
	size_t i;

	for (i = 0; i < task->nr_fds && rc == 0; i++) {
		const uint32_t id = task->fds[i].file;

		if (gate->is_known[id - 1] ||
		    !is_to_speak(&saved->files[id - 1]))
			continue;
		if (pidfd < 0)
			pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (pidfd < 0)
			return cr_error_errno(err, "vpid %u: pidfd_open",
					      task->link->vpid);
		rc = add_socket(gate, task, &task->fds[i], pidfd, err);
	}
	if (pidfd >= 0)
		close(pidfd);
	return rc;
}

/* Without waiting: all that is to be sent fits the buffer. */
static int send_rest(const struct socket *socket)
{
	const struct cr_wire_tcp *head = socket->making.tcp.head;
	const uint32_t skip = socket->making.send_first - head->send_first;
	const uint8_t *bytes = socket->making.tcp.sent + skip;
	size_t left = head->send_length - skip;
	const int room = CR_TCP_BUFFER_MAX;
	ssize_t n;

	if (left)
		setsockopt(socket->fd, SOL_SOCKET, SO_SNDBUFFORCE, &room,
			   sizeof(room));
	while (left) {
		n = send(socket->fd, bytes, left, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		bytes += n;
		left -= (size_t)n;
	}
	return 0;
}

static int leave_repair(struct socket *socket)
{
	if (socket->making.kind != CR_TCP_CONNECTED)
		return 0;
	return cr_tcp_repair(socket->fd, CR_TCP_REPAIR_OFF,
			     socket->making.tcp.head);
}

/* As if the program had just called connect(2) without waiting. */
static int connect_again(const struct socket *socket)
{
	const struct cr_wire_tcp *head = socket->making.tcp.head;
	const int flags = fcntl(socket->fd, F_GETFL);
	struct sockaddr_storage storage;
	socklen_t length = cr_tcp_to_sockaddr(&socket->making.remote,
					      head->family, &storage);
	int rc;

	if (flags < 0 || fcntl(socket->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	rc = connect(socket->fd, (struct sockaddr *)&storage, length) < 0 ?
		     -errno :
		     0;
	if (rc == -EINPROGRESS)
		rc = 0;
	fcntl(socket->fd, F_SETFL, flags);
	return rc;
}

/* One that waits for accept(2) had been connected. */
static int await_connection(const struct socket *socket)
{
	struct pollfd poll_fd = { .fd = socket->fd, .events = POLLOUT };

	if (poll(&poll_fd, 1, PATIENCE_MS) <= 0)
		return -ETIMEDOUT;
	return poll_fd.revents & (POLLERR | POLLHUP) ? -ECONNREFUSED : 0;
}

static int is_waited_for(const struct socket *socket)
{
	return socket->making.kind == CR_TCP_CONNECTING &&
	       (socket->making.tcp.head->flags & CR_TCP_F_WAITED_FOR ||
		socket->making.tcp.head->kind == CR_TCP_CONNECTED);
}

static int begin_connection(struct socket *socket)
{
	return socket->making.kind == CR_TCP_CONNECTING ?
		       connect_again(socket) :
		       0;
}

static int speak(struct socket *socket)
{
	const struct cr_wire_tcp *head = socket->making.tcp.head;
	int rc = 0;

	if (socket->making.kind == CR_TCP_CLOSED || socket->making.is_gone)
		return 0;
	if (is_waited_for(socket))
		rc = await_connection(socket);
	if (rc == 0)
		rc = send_rest(socket);
	if (rc == 0 && head->flags & CR_TCP_F_FIN_SENT &&
	    shutdown(socket->fd, SHUT_WR) < 0)
		rc = -errno;
	return rc;
}

static int settle(struct socket *socket)
{
	const struct cr_wire_tcp *head = socket->making.tcp.head;
	struct pollfd poll_fd = { .fd = socket->fd, .events = POLLRDHUP };

	if (socket->making.kind == CR_TCP_CLOSED)
		return 0;
	if (head->flags & CR_TCP_F_FIN_RECEIVED && !socket->making.is_gone &&
	    poll(&poll_fd, 1, PATIENCE_MS) <= 0)
		return -ETIMEDOUT;
	if (head->flags & CR_TCP_F_RECEIVE_SHUT &&
	    shutdown(socket->fd, SHUT_RD) < 0)
		return -errno;
	cr_tcp_set_late_options(head, socket->fd);
	return 0;
}

static int for_all(struct gate *gate, int (*act)(struct socket *socket),
		   const char *what, struct cr_error *err)
{
	char from[CR_TCP_ADDRESS_TEXT], to[CR_TCP_ADDRESS_TEXT];
	size_t i;
	int rc;

	for (i = 0; i < gate->nr; i++) {
		const struct socket *socket = &gate->sockets[i];

		rc = act(&gate->sockets[i]);
		if (rc < 0)
			return cr_error_set(
				err, rc,
				"vpid %u fd %u: TCP connection %s -> %s: %s: "
				"%s",
				socket->vpid, socket->number,
				cr_tcp_print(&socket->making.local, from),
				cr_tcp_print(&socket->making.remote, to), what,
				strerror(-rc));
	}
	return 0;
}

static int find_sockets(struct gate *gate, const pid_t *pids,
			struct cr_error *err)
{
	const struct cr_saved *saved = gate->restarter->saved;
	size_t i, nr = 0;
	int rc = 0;

	for (i = 0; i < saved->nr_files; i++)
		nr += (size_t)is_to_speak(&saved->files[i]);
	if (!nr)
		return 0;
	gate->sockets = calloc(nr, sizeof(*gate->sockets));
	gate->is_known = calloc(saved->nr_files, 1);
	if (!gate->sockets || !gate->is_known)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < saved->nr_tasks && rc == 0; i++)
		if (saved->tasks[i].mm)
			rc = add_sockets_of(gate, &saved->tasks[i], pids[i],
					    err);
	return rc;
}

int cr_restart_tcp(struct cr_restarter *restarter, const pid_t *pids,
		   struct cr_error *err)
{
	struct gate gate = { .restarter = restarter };
	size_t i;
	int rc;

	rc = find_sockets(&gate, pids, err);
	if (rc == 0)
		rc = for_all(&gate, leave_repair, "leaving repair mode", err);
	if (rc == 0)
		rc = for_all(&gate, begin_connection, "connecting", err);
	if (rc == 0)
		rc = for_all(&gate, speak, "sending", err);
	if (rc == 0)
		rc = for_all(&gate, settle, "its end does not come", err);
	for (i = 0; i < gate.nr; i++)
		close(gate.sockets[i].fd);
	free(gate.sockets);
	free(gate.is_known);
	return rc;
}

void cr_restart_tcp_resume(const struct cr_saved *saved,
			   const struct cr_saved_task *task,
			   struct cr_wire_regs *regs)
{
	const struct cr_wire_tcp *head;
	size_t i;

	if (regs->orig_ax != SYS_connect ||
	    ((int64_t)regs->ax != RESTARTSYS &&
	     (int64_t)regs->ax != RESTARTNOINTR))
		return;
	for (i = 0; i < task->nr_fds; i++) {
		const struct cr_saved_file *file =
			&saved->files[task->fds[i].file - 1];

		if (task->fds[i].fd != (uint32_t)regs->di ||
		    file->file->kind != CR_FILE_TCP)
			continue;
		head = file->data;
		if (head->kind != CR_TCP_CONNECTED)
			continue;
		regs->ax = 0;
		regs->orig_ax = UINT64_MAX;
	}
}
