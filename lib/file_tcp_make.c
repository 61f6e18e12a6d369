/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_tcp_make.c - TCP sockets: make them again
 *
 * A connection is made in repair mode, without a packet, and stays in it until
 * every task is at the gate (restart_tcp.c): so nobody speaks to somebody who
 * is not there yet.  Sockets with a name of their own come before all
 * connections, since a connection would be in the way of a listener at the
 * same port.
 */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "file_tcp.h"

#define REMAINS_MS 45000 /* TIME_WAIT lasts 60 s, and has begun before */
#define REMAINS_NAP_MS 100
#define PIECE 32768 /* bytes put into a receive queue at a time */
#define MSS_WISH_MAX 32767
#define OPTION_MSS 2 /* of a TCP header */
#define OPTION_WINDOW 3
#define OPTION_SACK_PERMITTED 4
#define OPTION_TIMESTAMP 8

static int set_number(int fd, int name, uint32_t value)
{
	return setsockopt(fd, IPPROTO_TCP, name, &value, sizeof(value)) < 0 ?
		       -errno :
		       0;
}

static int set_sequence(int fd, int queue, uint32_t value)
{
	int rc = set_number(fd, TCP_REPAIR_QUEUE, (uint32_t)queue);

	return rc ? rc : set_number(fd, TCP_QUEUE_SEQ, value);
}

static int bind_to(int fd, uint32_t family,
		   const struct cr_tcp_address *address, struct cr_error *err)
{
	struct sockaddr_storage storage;
	char text[CR_TCP_ADDRESS_TEXT];
	socklen_t length = cr_tcp_to_sockaddr(address, family, &storage);
	int rc;

	if (!length)
		return cr_error_set(err, -EAFNOSUPPORT, "bind to %s",
				    cr_tcp_print(address, text));
	if (bind(fd, (const struct sockaddr *)&storage, length) == 0)
		return 0;
	rc = -errno;
	return cr_error_set(err, rc, "TCP address %s: %s",
			    cr_tcp_print(address, text),
			    rc == -EADDRINUSE ? "the port is taken here" :
			    rc == -EADDRNOTAVAIL ?
						"not an address of this node" :
						strerror(-rc));
}

static int connect_to(int fd, const struct cr_tcp_shape *shape,
		      struct cr_error *err)
{
	char from[CR_TCP_ADDRESS_TEXT], to[CR_TCP_ADDRESS_TEXT];
	struct sockaddr_storage storage;
	socklen_t length =
		cr_tcp_to_sockaddr(&shape->remote, shape->family, &storage);
	int rc;

	if (length &&
	    connect(fd, (const struct sockaddr *)&storage, length) == 0)
		return 0;
	rc = length ? -errno : -EAFNOSUPPORT;
	return cr_error_set(err, rc, "TCP connection %s -> %s: %s",
			    cr_tcp_print(&shape->local, from),
			    cr_tcp_print(&shape->remote, to),
			    rc == -EADDRNOTAVAIL ? "there is one here already" :
						   strerror(-rc));
}

/* What the two ends agreed upon in their handshake. */
static int set_agreed(int fd, const struct cr_tcp_shape *shape)
{
	struct tcp_repair_opt options[4];
	size_t nr = 0;

	if (shape->mss)
		options[nr++] =
			(struct tcp_repair_opt){ OPTION_MSS, shape->mss };
	/* without scaling it is by 0: the kernel has chosen one of its own */
	options[nr++] = (struct tcp_repair_opt){
		OPTION_WINDOW, shape->send_scale | shape->receive_scale << 16
	};
	if (shape->flags & CR_TCP_F_SACK)
		options[nr++] =
			(struct tcp_repair_opt){ OPTION_SACK_PERMITTED, 0 };
	if (shape->flags & CR_TCP_F_TIMESTAMPS)
		options[nr++] = (struct tcp_repair_opt){ OPTION_TIMESTAMP, 0 };
	if (nr && setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, options,
			     (socklen_t)(nr * sizeof(options[0]))) < 0)
		return -errno;
	if (!(shape->flags & CR_TCP_F_TIMESTAMPS))
		return 0;
	return set_number(fd, TCP_TIMESTAMP, shape->timestamp);
}

/*
 * The size of segments is worked out when connecting, from what the other end
 * said; that is set only afterwards.  So it is wished for before, as far as the
 * kernel takes such a wish; the loopback's are larger.
 */
static void wish_mss(int fd, const struct cr_tcp_shape *shape)
{
	set_number(fd, TCP_MAXSEG,
		   shape->mss < MSS_WISH_MAX ? shape->mss : MSS_WISH_MAX);
}

/* Setting IPv4 options, to none, has it worked out again. */
static void update_mss(int fd)
{
	setsockopt(fd, IPPROTO_IP, IP_OPTIONS, NULL, 0);
}

int cr_tcp_connect(const struct cr_tcp_shape *shape, int fd,
		   struct cr_error *err)
{
	int rc;

	if (shape->mss)
		wish_mss(fd, shape);
	rc = set_sequence(fd, TCP_SEND_QUEUE, shape->send_first);
	if (rc == 0)
		rc = set_sequence(fd, TCP_RECV_QUEUE, shape->receive_first);
	if (rc < 0)
		return cr_error_set(err, rc, "sequence numbers: %s",
				    strerror(-rc));
	rc = bind_to(fd, shape->family, &shape->local, err);
	if (rc == 0)
		rc = connect_to(fd, shape, err);
	if (rc < 0)
		return rc;
	rc = set_agreed(fd, shape);
	return rc < 0 ? cr_error_set(err, rc, "options of a TCP connection: %s",
				     strerror(-rc)) :
			0;
}

int cr_tcp_set_window(int fd, uint32_t send, uint32_t send_max, uint32_t begin,
		      uint32_t receive)
{
	struct tcp_repair_window window = { 0 };
	socklen_t length = sizeof(window);
	uint32_t next = 0;

	if (set_number(fd, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE) < 0)
		return -errno;
	length = sizeof(next);
	if (getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &next, &length) < 0)
		return -errno;
	/* a FIN that is to come again may have been counted */
	if ((int32_t)(begin - next) > 0) {
		receive += begin - next;
		begin = next;
	}
	/* so old that whatever comes next is newer */
	window.snd_wl1 = next - 1;
	window.snd_wnd = send;
	window.max_window = send_max > send ? send_max : send;
	window.rcv_wup = begin;
	window.rcv_wnd = receive;
	set_number(fd, TCP_REPAIR_QUEUE, TCP_NO_QUEUE);
	return setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window,
			  sizeof(window)) < 0 ?
		       -errno :
		       0;
}

int cr_tcp_fill(const struct cr_tcp_making *making, int fd,
		struct cr_error *err)
{
	const uint8_t *bytes = making->tcp.received;
	size_t left = making->tcp.head->receive_length;
	ssize_t n;

	if (left && set_number(fd, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE) < 0)
		return cr_error_errno(err, "receive queue");
	while (left) {
		n = send(fd, bytes, left < PIECE ? left : PIECE, MSG_NOSIGNAL);
		if (n <= 0)
			return cr_error_errno(err,
					      "%zu bytes of a receive "
					      "queue of %u",
					      left,
					      making->tcp.head->receive_length);
		bytes += n;
		left -= (size_t)n;
	}
	return 0;
}

void cr_tcp_shape(const struct cr_tcp_making *making,
		  struct cr_tcp_shape *shape)
{
	const struct cr_wire_tcp *head = making->tcp.head;

	*shape = (struct cr_tcp_shape){
		.family = head->family,
		.local = making->local,
		.remote = making->remote,
		.send_first = making->send_first,
		.receive_first = head->receive_end - head->receive_length,
		.flags = head->flags,
		.mss = head->mss,
		.send_scale = head->send_scale,
		.receive_scale = head->receive_scale,
		.timestamp = head->timestamp,
	};
}

/* On the node where it was saved the closed other end may still linger, in the
 * place of the one that is to be made for the moment. */
static void end_remains(const struct cr_tcp_shape *shape)
{
	struct cr_wire_tcp other = { .local = shape->remote,
				     .remote = shape->local };

	other.family = cr_tcp_is_mapped(&other.local) ? AF_INET : AF_INET6;
	cr_tcp_end_orphan(&other);
}

static int make_connected(const struct cr_tcp_making *making, int fd,
			  struct cr_error *err)
{
	const struct cr_wire_tcp *head = making->tcp.head;
	struct cr_tcp_shape shape;
	int rc;

	cr_tcp_shape(making, &shape);
	if (making->is_gone)
		end_remains(&shape);
	rc = cr_tcp_connect(&shape, fd, err);
	if (rc == 0)
		rc = cr_tcp_fill(making, fd, err);
	if (rc == 0 && making->is_gone)
		return cr_tcp_mirror_fins(making, fd, err);
	if (rc < 0)
		return rc;
	rc = cr_tcp_set_window(fd, making->send_window, head->send_window_max,
			       head->window_begin, head->window);
	update_mss(fd);
	return rc < 0 ? cr_error_set(err, rc, "window of a TCP connection: %s",
				     strerror(-rc)) :
			0;
}

/* The gate connects it; until then the name is kept. */
static int make_connecting(const struct cr_tcp_making *making, int fd,
			   struct cr_error *err)
{
	int rc = bind_to(fd, making->tcp.head->family, &making->local, err);

	if (rc == 0 &&
	    cr_tcp_repair(fd, CR_TCP_REPAIR_OFF, making->tcp.head) < 0)
		rc = cr_error_errno(err, "leaving repair mode");
	return rc;
}

static int new_socket(const struct cr_wire_tcp *head,
		      const struct cr_wire_file *file, struct cr_error *err)
{
	int fd = socket((int)head->family, SOCK_STREAM | SOCK_CLOEXEC,
			IPPROTO_TCP);
	int rc;

	if (fd < 0)
		return cr_error_errno(err, "TCP socket");
	rc = fchown(fd, file->uid, file->gid); /* as lists of sockets show it */
	(void)rc;
	rc = cr_tcp_set_options(head, fd, err);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static int enter_repair(int fd, struct cr_error *err)
{
	int rc = cr_tcp_repair(fd, 1, NULL);

	if (rc == -EPERM)
		return cr_error_set(err, rc,
				    "restoring a TCP connection takes "
				    "CAP_NET_ADMIN");
	return rc < 0 ? cr_error_set(err, rc, "TCP_REPAIR: %s", strerror(-rc)) :
			0;
}

static int make_one(const struct cr_tcp_making *making, int fd,
		    struct cr_error *err)
{
	int rc = 0;

	if (making->kind != CR_TCP_UNCONNECTED)
		rc = enter_repair(fd, err);
	if (rc < 0)
		return rc;
	switch (making->kind) {
	case CR_TCP_CONNECTED:
		return make_connected(making, fd, err);
	case CR_TCP_CONNECTING:
		return make_connecting(making, fd, err);
	case CR_TCP_CLOSED:
		rc = cr_tcp_mirror_reset(making, fd, err);
		cr_tcp_set_late_options(making->tcp.head, fd);
		return rc;
	default:
		cr_tcp_set_late_options(making->tcp.head, fd);
		return 0;
	}
}

static int has_name(const struct cr_wire_tcp *head)
{
	return head->kind == CR_TCP_LISTENING ||
	       (head->kind == CR_TCP_UNCONNECTED &&
		(head->local.port || !cr_tcp_is_any(&head->local)));
}

static int is_to_be_named(const struct cr_file_restore *restore, uint32_t id)
{
	const struct cr_saved_file *file = cr_file_saved(restore, id);

	return file->file->kind == CR_FILE_TCP &&
	       !restore->places[id - 1].vpid && has_name(file->data);
}

/* A closed connection of an earlier program may be in the way for a while. */
static int bind_name(int fd, uint32_t family,
		     const struct cr_tcp_address *address, struct cr_error *err)
{
	const struct timespec nap = { .tv_nsec = REMAINS_NAP_MS * 1000000L };
	int waited_ms, rc;

	for (waited_ms = 0;; waited_ms += REMAINS_NAP_MS) {
		rc = bind_to(fd, family, address, err);
		if (rc != -EADDRINUSE || waited_ms >= REMAINS_MS ||
		    !cr_tcp_end_remains(address))
			break;
		nanosleep(&nap, NULL);
	}
	if (rc == 0 && err)
		memset(err, 0, sizeof(*err));
	return rc;
}

static int make_named(struct cr_file_restore *restore, uint32_t id,
		      struct cr_error *err)
{
	const struct cr_wire_tcp *head;
	struct cr_tcp_making making;
	int fd, rc;

	rc = cr_tcp_prepare(restore->saved, restore->tcp, id, &making, err);
	if (rc < 0)
		return rc;
	head = making.tcp.head;
	fd = new_socket(head, cr_file_saved(restore, id)->file, err);
	if (fd < 0)
		return fd;
	cr_tcp_set_late_options(head, fd);
	rc = bind_name(fd, head->family, &making.local, err);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return cr_file_park(restore, id, fd, err);
}

static int listen_again(struct cr_file_restore *restore, uint32_t id,
			struct cr_error *err)
{
	const struct cr_wire_tcp *head = cr_file_saved(restore, id)->data;
	char text[CR_TCP_ADDRESS_TEXT];
	int fd = cr_file_get(restore, id, err);

	if (fd < 0)
		return fd;
	if (listen(fd, (int)head->backlog) < 0)
		return cr_error_errno(err, "TCP address %s: listen",
				      cr_tcp_print(&head->local, text));
	return 0;
}

/* All names before the first of them listens: that takes a port for itself. */
static int make_all_named(struct cr_file_restore *restore, struct cr_error *err)
{
	const size_t nr = restore->saved->nr_files;
	int nr_made = 0, rc = 0;
	uint32_t id;

	for (id = 1; id <= nr && rc == 0; id++)
		if (is_to_be_named(restore, id)) {
			rc = make_named(restore, id, err);
			nr_made++;
		}
	for (id = 1; id <= nr && rc == 0 && nr_made; id++) {
		const struct cr_saved_file *file = cr_file_saved(restore, id);
		const struct cr_wire_tcp *head = file->data;

		if (file->file->kind == CR_FILE_TCP &&
		    head->kind == CR_TCP_LISTENING)
			rc = listen_again(restore, id, err);
	}
	return rc;
}

int cr_tcp_make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	struct cr_tcp_making making;
	int fd, rc;

	rc = make_all_named(restore, err);
	if (rc < 0 || restore->places[id - 1].vpid)
		return rc;
	rc = cr_tcp_prepare(restore->saved, restore->tcp, id, &making, err);
	if (rc == 0 && making.is_gone)
		rc = cr_tcp_come_home(&making, err);
	if (rc < 0)
		return rc;
	fd = new_socket(making.tcp.head, cr_file_saved(restore, id)->file, err);
	if (fd < 0)
		return fd;
	rc = make_one(&making, fd, err);
	if (rc < 0) {
		close(fd); /* in repair mode: nobody hears of it */
		return rc;
	}
	return cr_file_park(restore, id, fd, err);
}
