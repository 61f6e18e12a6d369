/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_tcp_connect.c - one end of a TCP connection, made in repair mode
 *
 * Without a packet; for the sockets of the tree and for the other ends that
 * are made for the moment (file_tcp_mirror.c).
 */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "file_tcp.h"

#define PIECE 32768 /* bytes put into a receive queue at a time */
#define MSS_WISH_MAX 32767
#define NAP_MS 50
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

int cr_tcp_nap(void)
{
	const struct timespec nap = { .tv_nsec = NAP_MS * 1000000L };

	nanosleep(&nap, NULL);
	return NAP_MS;
}

int cr_tcp_bind(int fd, uint32_t family, const struct cr_tcp_address *address,
		struct cr_error *err)
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
			    rc == -EADDRNOTAVAIL ?
				    "not an address of this node" :
				    strerror(-rc));
}

/* What is left of the same connection goes. */
static int connect_patiently(int fd, const struct cr_tcp_shape *shape)
{
	struct cr_wire_tcp same = { .family = shape->family,
				    .local = shape->local,
				    .remote = shape->remote };
	struct sockaddr_storage storage;
	socklen_t length =
		cr_tcp_to_sockaddr(&shape->remote, shape->family, &storage);
	int waited_ms = 0;

	if (!length)
		return -EAFNOSUPPORT;
	while (connect(fd, (const struct sockaddr *)&storage, length) < 0) {
		if (errno != EADDRNOTAVAIL || waited_ms >= CR_TCP_HELD_MS)
			return -errno;
		cr_tcp_end_orphan(&same);
		waited_ms += cr_tcp_nap();
	}
	return 0;
}

static int connect_to(int fd, const struct cr_tcp_shape *shape,
		      struct cr_error *err)
{
	char from[CR_TCP_ADDRESS_TEXT], to[CR_TCP_ADDRESS_TEXT];
	int rc = connect_patiently(fd, shape);

	if (!rc)
		return 0;
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
void cr_tcp_update_mss(int fd)
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
	rc = cr_tcp_bind(fd, shape->family, &shape->local, err);
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
