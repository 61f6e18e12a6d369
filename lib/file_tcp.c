/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_tcp.c - TCP sockets: save one, but for its queues
 *
 * Those are read shortly before the image is written (file_tcp_tree.c): the
 * kernel goes on receiving while the tree is frozen.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "file_tcp.h"

static void get_names(int fd, struct cr_wire_tcp *head)
{
	struct sockaddr_storage address = { 0 };
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length) == 0) {
		head->family = address.ss_family;
		cr_tcp_from_sockaddr(&address, &head->local);
	}
	memset(&address, 0, sizeof(address));
	length = sizeof(address);
	if (getpeername(fd, (struct sockaddr *)&address, &length) == 0)
		cr_tcp_from_sockaddr(&address, &head->remote);
}

static void get_state(int fd, struct cr_wire_tcp *head)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLRDHUP };
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	poll(&poll_fd, 1, 0);
	head->state = info.tcpi_state;
	switch (info.tcpi_state) {
	case CR_TCP_LISTEN:
		head->kind = CR_TCP_LISTENING;
		/* of listeners it has these meanings */
		head->backlog = info.tcpi_sacked;
		break;
	case CR_TCP_CLOSE:
		/* one that was never connected can still be read from */
		head->kind = poll_fd.revents & POLLRDHUP ? CR_TCP_CLOSED :
							   CR_TCP_UNCONNECTED;
		break;
	case CR_TCP_SYN_SENT:
		head->kind = CR_TCP_CONNECTING;
		break;
	default:
		head->kind = CR_TCP_CONNECTED;
	}
}

static int save(struct cr_file_table *table, struct cr_file *file,
		struct cr_error *err)
{
	struct cr_wire_tcp head = { 0 };

	(void)table;
	get_names(file->fd, &head);
	get_state(file->fd, &head);
	cr_tcp_get_options(file->fd, &head);
	return cr_file_set_data(file, &head, sizeof(head), err);
}

static int is_link_local(const struct cr_tcp_address *address)
{
	return address->ip[0] == 0xfe && (address->ip[1] & 0xc0) == 0x80;
}

/* Everything but the other end; 1: refused. */
static int refuse_socket(struct cr_file_table *table,
			 const struct cr_file *file,
			 const struct cr_wire_tcp *head)
{
	struct pollfd poll_fd = { .fd = file->fd, .events = POLLPRI };
	const char *what;

	poll(&poll_fd, 1, 0);
	if (cr_tcp_network_of(file->fd) != table->tcp->network)
		what = "of another network namespace";
	else if (cr_tcp_has_more(file->fd, &what))
		return cr_file_refuse(table, file, "TCP socket with %s",
				      what) == 0;
	else if (is_link_local(&head->local) || is_link_local(&head->remote))
		what = "with a link-local address";
	else if (poll_fd.revents & POLLPRI)
		return cr_file_refuse_for_now(table, file,
					      "TCP socket with urgent data") ==
		       0;
	else if (poll_fd.revents & POLLERR && !table->options.tcp_close)
		return cr_file_refuse_for_now(table, file,
					      "TCP socket with an error that "
					      "has not been read yet") == 0;
	else if (head->kind != CR_TCP_LISTENING &&
		 head->kind != CR_TCP_UNCONNECTED && !table->tcp->may_repair)
		what = "that is connected: reading it takes CAP_NET_ADMIN";
	else
		return 0;
	cr_file_refuse(table, file, "TCP socket %s", what);
	return 1;
}

static int finish(struct cr_file_table *table, struct cr_file *file,
		  struct cr_error *err)
{
	struct cr_wire_tcp *head = file->data;
	struct pollfd poll_fd = { .fd = file->fd };
	int rc;

	rc = cr_tcp_find_peer(table, file, err);
	if (rc < 0 || file->ops != &cr_file_tcp_ops)
		return rc;
	if (refuse_socket(table, file, head))
		return 0;
	poll(&poll_fd, 1, 0);
	if (head->kind == CR_TCP_CLOSED && poll_fd.revents & POLLERR)
		head->error = ECONNRESET;
	return 0;
}

const struct cr_file_ops cr_file_tcp_ops = {
	.kind = CR_FILE_TCP,
	.name = "TCP socket",
	.flags = O_NONBLOCK | O_ASYNC,
	.save = save,
	.finish = finish,
	.make = cr_tcp_make,
};
