/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_tcp_queue.c - what is under way on one TCP connection
 *
 * Some of it the kernel tells in repair mode only.  A socket is in it for a few
 * system calls at a time (file_tcp_tree.c says why).  While the send queue is
 * selected the kernel takes what it would send for sent, so that a
 * retransmission has to repair it: this is the shortest.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "file_tcp.h"

#define SLACK 262144u /* bytes: a segment is less */
#define TRIES 100

static int get_number(int fd, int name, uint32_t *valuep)
{
	socklen_t length = sizeof(*valuep);

	return getsockopt(fd, IPPROTO_TCP, name, valuep, &length) < 0 ? -errno :
									0;
}

static int select_queue(int fd, int queue)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue,
			  sizeof(queue)) < 0 ?
		       -errno :
		       0;
}

static uint32_t state_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	return info.tcpi_state;
}

static int has_sent_fin(uint32_t state)
{
	return state == CR_TCP_FIN_WAIT1 || state == CR_TCP_FIN_WAIT2 ||
	       state == CR_TCP_CLOSING || state == CR_TCP_LAST_ACK;
}

static int has_received_fin(uint32_t state)
{
	return state == CR_TCP_CLOSE_WAIT || state == CR_TCP_CLOSING ||
	       state == CR_TCP_LAST_ACK;
}

/* Nothing more is to be read: if no FIN was received, then shutdown(2). */
static int is_receive_shut(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLRDHUP };

	return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & POLLRDHUP;
}

/* What a read of a queue has brought. */
struct queue {
	uint8_t *bytes;
	size_t room;
	ssize_t length; /* or a negative errno */
	uint32_t end; /* sequence number after it; FIN included */
	uint32_t unsent; /* SIOCOUTQ: of these bytes, FIN included */
};

/* In repair mode the send queue can be looked at, whole or not at all. */
static void peek_send_queue(int fd, struct queue *queue)
{
	int unsent = 0;

	queue->length = select_queue(fd, TCP_SEND_QUEUE);
	if (queue->length < 0)
		return;
	queue->length = recv(fd, queue->bytes, queue->room, MSG_PEEK);
	if (queue->length < 0)
		queue->length = -errno;
	get_number(fd, TCP_QUEUE_SEQ, &queue->end);
	ioctl(fd, SIOCOUTQ, &unsent);
	queue->unsent = (uint32_t)unsent;
	select_queue(fd, TCP_NO_QUEUE);
}

static int get_connection(int fd, struct cr_wire_tcp *head)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);
	int rc = get_number(fd, TCP_MAXSEG, &head->mss);

	if (rc < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
		return rc < 0 ? rc : -errno;
	head->flags &= ~(CR_TCP_F_SCALE | CR_TCP_F_SACK | CR_TCP_F_TIMESTAMPS);
	if (info.tcpi_options & TCPI_OPT_WSCALE) {
		head->flags |= CR_TCP_F_SCALE;
		head->send_scale = info.tcpi_snd_wscale;
		head->receive_scale = info.tcpi_rcv_wscale;
	}
	if (info.tcpi_options & TCPI_OPT_SACK)
		head->flags |= CR_TCP_F_SACK;
	if (info.tcpi_options & TCPI_OPT_TIMESTAMPS)
		head->flags |= CR_TCP_F_TIMESTAMPS;
	return 0;
}

static int read_send_side(int fd, struct cr_wire_tcp *head, struct queue *queue)
{
	int unsent = 0, rc;

	ioctl(fd, SIOCOUTQ, &unsent);
	queue->room = (size_t)unsent + SLACK;
	queue->bytes = malloc(queue->room);
	if (!queue->bytes)
		return -ENOMEM;
	rc = cr_tcp_repair(fd, 1, head);
	if (rc < 0)
		return rc;
	peek_send_queue(fd, queue);
	rc = get_connection(fd, head);
	cr_tcp_repair(fd, CR_TCP_REPAIR_OFF, head);
	return queue->length < 0 ? (int)queue->length : rc;
}

int cr_tcp_append(struct cr_file *file, const void *bytes, size_t length)
{
	size_t before = file->wire.data_length, room;
	char *data;

	room = before + cr_tcp_pad(length);
	if (room + sizeof(file->wire) + file->wire.path_length >
	    CR_WIRE_PAYLOAD_MAX - 4096)
		return -EFBIG;
	data = realloc(file->data, room);
	if (!data)
		return -ENOMEM;
	memset(data + before, 0, room - before);
	if (length)
		memcpy(data + before, bytes, length);
	file->data = data;
	file->wire.data_length = (uint32_t)room;
	return 0;
}

/*
 * The queue ends with the last byte written.  It may begin before the first
 * one that is not acknowledged, since segments are dropped as a whole.
 */
static int keep_unsent(struct cr_file *file, struct cr_wire_tcp *head,
		       const struct queue *queue, uint8_t **keptp)
{
	const uint32_t fin = (head->flags & CR_TCP_F_FIN_SENT) != 0;
	uint32_t length = queue->unsent > fin ? queue->unsent - fin : 0;

	(void)file;
	if (length > queue->length)
		return -EPROTO;
	head->send_length = length;
	head->send_first = queue->end - fin - length;
	*keptp = malloc(length ? length : 1);
	if (!*keptp)
		return -ENOMEM;
	memcpy(*keptp, queue->bytes + ((size_t)queue->length - length), length);
	return 0;
}

int cr_tcp_save_send_side(struct cr_file *file, uint8_t **keptp)
{
	struct cr_wire_tcp *head = file->data;
	struct queue queue = { 0 };
	int rc;

	head->state = state_of(file->fd);
	head->flags &= ~CR_TCP_F_FIN_SENT;
	if (has_sent_fin(head->state))
		head->flags |= CR_TCP_F_FIN_SENT;
	rc = read_send_side(file->fd, head, &queue);
	if (rc == 0)
		rc = keep_unsent(file, head, &queue, keptp);
	free(queue.bytes);
	return rc;
}

/* With the sequence number of its end; the window, too. */
static int read_numbers(int fd, struct cr_wire_tcp *head, uint32_t *endp,
			uint32_t *timestampp)
{
	struct tcp_repair_window window = { 0 };
	socklen_t length = sizeof(window);
	int rc = cr_tcp_repair(fd, 1, head);

	if (rc < 0)
		return rc;
	rc = select_queue(fd, TCP_RECV_QUEUE);
	if (rc == 0)
		rc = get_number(fd, TCP_QUEUE_SEQ, endp);
	if (rc == 0 && getsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window,
				  &length) < 0)
		rc = -errno;
	select_queue(fd, TCP_NO_QUEUE);
	cr_tcp_repair(fd, CR_TCP_REPAIR_OFF, head);
	head->window_begin = window.rcv_wup;
	head->window = window.rcv_wnd;
	head->send_window = window.snd_wnd;
	head->send_window_max = window.max_window;
	get_number(fd, TCP_TIMESTAMP, timestampp);
	return rc;
}

/* All that is there, with numbers that belong to it; it may grow meanwhile. */
static int measure(int fd, struct cr_wire_tcp *head)
{
	uint32_t end = 0, after = 0, state, gap;
	struct cr_tcp_entry entry;
	int length = 0, i, rc = 0;

	for (i = 0; i < TRIES; i++) {
		rc = read_numbers(fd, head, &end, &head->timestamp);
		if (rc < 0 || ioctl(fd, SIOCINQ, &length) < 0)
			return rc < 0 ? rc : -errno;
		state = state_of(fd);
		rc = cr_tcp_diag(head, &entry);
		if (rc == 0)
			rc = read_numbers(fd, head, &after, &head->timestamp);
		if (rc < 0)
			return rc;
		if (end != after)
			continue;
		/* a byte of urgent data that was read out of turn leaves a gap
		 * that nothing else shows; a FIN counts until it is read */
		gap = entry.received - (uint32_t)length;
		if (gap > (uint32_t)has_received_fin(state))
			return -EPROTO;
		head->state = state;
		head->flags &= ~(CR_TCP_F_FIN_RECEIVED | CR_TCP_F_RECEIVE_SHUT);
		if (has_received_fin(state))
			head->flags |= CR_TCP_F_FIN_RECEIVED;
		else if (is_receive_shut(fd))
			head->flags |= CR_TCP_F_RECEIVE_SHUT;
		head->receive_length = (uint32_t)length;
		head->receive_end = end - (uint32_t)has_received_fin(state);
		return 0;
	}
	return -EAGAIN;
}

/* Looking must begin at the first byte, wherever the program looks. */
static int peek(int fd, uint8_t *bytes, size_t length)
{
	int offset = -1, none = -1;
	socklen_t size = sizeof(offset);
	size_t done = 0;
	ssize_t n = 0;

	if (!length)
		return 0;
	getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, &size);
	if (offset >= 0)
		setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &none, sizeof(none));
	n = recv(fd, bytes, length, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0)
		n = -errno;
	else
		done = (size_t)n;
	if (offset >= 0)
		setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset,
			   sizeof(offset));
	return n < 0 ? (int)n : done == length ? 0 : -EPROTO;
}

int cr_tcp_save_receive_side(struct cr_file *file)
{
	struct cr_wire_tcp *head = file->data;
	uint8_t *bytes;
	int rc = 0, length = 0;

	if (head->kind == CR_TCP_CONNECTED)
		rc = measure(file->fd, head);
	else if (ioctl(file->fd, SIOCINQ, &length) == 0 && length > 0)
		head->receive_length = (uint32_t)length;
	if (rc < 0)
		return rc;
	bytes = malloc(head->receive_length ? head->receive_length : 1);
	if (!bytes)
		return -ENOMEM;
	rc = peek(file->fd, bytes, head->receive_length);
	if (rc == 0)
		rc = cr_tcp_append(file, bytes, head->receive_length);
	free(bytes);
	return rc;
}
