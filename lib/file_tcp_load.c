/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_tcp_load.c - what an image says about TCP sockets, checked
 *
 * First each alone, then whether the two ends of a connection fit.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "file_tcp.h"

static int damaged(const struct cr_saved_file *file, const char *what,
		   struct cr_error *err)
{
	return cr_error_set(err, -EBADMSG, "file %u: TCP socket with %s",
			    file->file->id, what);
}

static int has_end(const char *text, size_t length)
{
	return memchr(text, '\0', length) != NULL;
}

static int check_numbers(const struct cr_saved_file *file,
			 const struct cr_wire_tcp *head, struct cr_error *err)
{
	if (head->family != AF_INET && head->family != AF_INET6)
		return damaged(file, "an unknown family", err);
	if (head->family == AF_INET && (!cr_tcp_is_mapped(&head->local) ||
					(head->kind >= CR_TCP_CONNECTED &&
					 head->kind <= CR_TCP_CONNECTING &&
					 !cr_tcp_is_mapped(&head->remote))))
		return damaged(file, "addresses of another family", err);
	if (head->kind < CR_TCP_UNCONNECTED || head->kind > CR_TCP_CLOSED ||
	    head->flags & ~CR_TCP_F_ALL)
		return damaged(file, "an unknown kind or flag", err);
	if (head->error && head->error != ECONNRESET)
		return damaged(file, "an impossible error", err);
	if (head->send_scale > 14 || head->receive_scale > 14 ||
	    head->mss > UINT16_MAX || head->buffer_locks > 3 ||
	    head->send_buffer > INT32_MAX || head->receive_buffer > INT32_MAX)
		return damaged(file, "impossible numbers", err);
	if (!has_end(head->congestion, sizeof(head->congestion)) ||
	    !has_end(head->device, sizeof(head->device)))
		return damaged(file, "a name without an end", err);
	return 0;
}

/* Only the kinds that have them. */
static int check_arrays(const struct cr_saved_file *file,
			const struct cr_wire_tcp *head, struct cr_error *err)
{
	if (head->nr_waiting && (head->kind != CR_TCP_LISTENING ||
				 head->nr_waiting > CR_TCP_WAITING_MAX))
		return damaged(file, "connections that wait", err);
	if (head->receive_length && head->kind != CR_TCP_CONNECTED &&
	    head->kind != CR_TCP_CLOSED)
		return damaged(file, "bytes received", err);
	if (head->send_length && head->kind != CR_TCP_CONNECTED &&
	    head->kind != CR_TCP_CONNECTING)
		return damaged(file, "bytes to send", err);
	return 0;
}

int cr_tcp_parse(const struct cr_saved_file *file, struct cr_tcp_saved *tcp,
		 struct cr_error *err)
{
	const struct cr_wire_tcp *head = file->data;
	uint64_t waiting, received, sent;
	int rc;

	if (file->file->kind != CR_FILE_TCP ||
	    file->file->data_length < sizeof(*head))
		return damaged(file, "too little data", err);
	rc = check_numbers(file, head, err);
	if (rc == 0)
		rc = check_arrays(file, head, err);
	if (rc < 0)
		return rc;
	waiting = cr_tcp_pad(head->nr_waiting * sizeof(*tcp->waiting));
	received = cr_tcp_pad((size_t)head->receive_length);
	sent = cr_tcp_pad((size_t)head->send_length);
	if (sizeof(*head) + waiting + received + sent !=
	    file->file->data_length)
		return damaged(file, "queues of another length", err);
	tcp->head = head;
	tcp->waiting = (const void *)(head + 1);
	tcp->received = (const uint8_t *)(head + 1) + waiting;
	tcp->sent = tcp->received + received;
	return 0;
}

/* All that @head has sent is in its own queue or in that of @other. */
static int fits(const struct cr_wire_tcp *head, const struct cr_wire_tcp *other)
{
	const uint32_t skip = other->receive_end - head->send_first;

	if (skip > head->send_length)
		return 0;
	return !(other->flags & CR_TCP_F_FIN_RECEIVED) ||
	       (head->flags & CR_TCP_F_FIN_SENT && skip == head->send_length);
}

int cr_tcp_check(const struct cr_saved *saved, const struct cr_saved_file *file,
		 struct cr_error *err)
{
	const uint32_t peer = file->file->peer;
	struct cr_tcp_saved tcp, other;
	int rc = cr_tcp_parse(file, &tcp, err);

	if (rc < 0 || !peer)
		return rc;
	if (peer > saved->nr_files || peer == file->file->id ||
	    tcp.head->kind != CR_TCP_CONNECTED ||
	    saved->files[peer - 1].file->peer != file->file->id)
		return damaged(file, "another end that does not know it", err);
	rc = cr_tcp_parse(&saved->files[peer - 1], &other, err);
	if (rc < 0)
		return rc;
	if (other.head->kind != CR_TCP_CONNECTED ||
	    !cr_tcp_is_same(&tcp.head->local, &other.head->remote) ||
	    !cr_tcp_is_same(&tcp.head->remote, &other.head->local))
		return damaged(file, "another end at another address", err);
	if (!fits(tcp.head, other.head))
		return damaged(file, "a gap between its two ends", err);
	return 0;
}

/* ---- for restoring ---- */

static void move(const struct cr_tcp_restart *restart,
		 const struct cr_tcp_address *from, struct cr_tcp_address *to)
{
	size_t i;

	*to = *from;
	if (!restart || cr_tcp_is_loopback(from) || cr_tcp_is_any(from))
		return;
	for (i = 0; i < restart->nr_moves; i++) {
		const struct cr_tcp_move *one = &restart->moves[i];

		if (memcmp(one->from.ip, from->ip, sizeof(from->ip)) ||
		    (one->from.port && one->from.port != from->port))
			continue;
		memcpy(to->ip, one->to.ip, sizeof(to->ip));
		if (one->to.port)
			to->port = one->to.port;
		break;
	}
}

/* A socket for IPv4 has no way to an address of IPv6. */
static int check_family(const struct cr_wire_tcp *head,
			const struct cr_tcp_address *from,
			const struct cr_tcp_address *to, struct cr_error *err)
{
	char text[CR_TCP_ADDRESS_TEXT];

	if (head->family != AF_INET || !cr_tcp_is_mapped(from) ||
	    cr_tcp_is_mapped(to))
		return 0;
	return cr_error_set(err, -EAFNOSUPPORT,
			    "%s cannot become an address of IPv6",
			    cr_tcp_print(from, text));
}

static const struct cr_tcp_peer *find_peer(const struct cr_tcp_restart *restart,
					   const struct cr_wire_tcp *head)
{
	size_t i;

	for (i = 0; restart && i < restart->nr_peers; i++)
		if (cr_tcp_is_same(&restart->peers[i].local, &head->local) &&
		    cr_tcp_is_same(&restart->peers[i].remote, &head->remote))
			return &restart->peers[i];
	return NULL;
}

/* The other end has got everything before @received, and takes up to
 * @window_end. */
static int fit_peer(struct cr_tcp_making *making, uint32_t received,
		    uint32_t window_end, struct cr_error *err)
{
	const struct cr_wire_tcp *head = making->tcp.head;
	const uint32_t skip = received - head->send_first;
	const int32_t window = (int32_t)(window_end - received);
	char from[CR_TCP_ADDRESS_TEXT], to[CR_TCP_ADDRESS_TEXT];

	if (skip > head->send_length)
		return cr_error_set(err, -EBADMSG,
				    "TCP connection %s -> %s: the other end "
				    "has received what is not known here",
				    cr_tcp_print(&head->local, from),
				    cr_tcp_print(&head->remote, to));
	making->send_first = received;
	making->send_window = window > 0 ? (uint32_t)window : 0;
	/* a FIN that has been received before must get through again */
	if (head->flags & CR_TCP_F_FIN_SENT && skip == head->send_length &&
	    !making->send_window)
		making->send_window = 1;
	return 0;
}

static int use_table(struct cr_tcp_making *making,
		     const struct cr_tcp_restart *restart, struct cr_error *err)
{
	const struct cr_wire_tcp *head = making->tcp.head;
	const struct cr_tcp_peer *peer = find_peer(restart, head);
	char from[CR_TCP_ADDRESS_TEXT], to[CR_TCP_ADDRESS_TEXT];

	if (!peer)
		return cr_error_set(err, -ENOTCONN,
				    "TCP connection %s -> %s: nobody has told "
				    "where its other end is",
				    cr_tcp_print(&head->local, from),
				    cr_tcp_print(&head->remote, to));
	if (peer->moved.port)
		making->remote = peer->moved;
	switch (peer->kind) {
	case CR_TCP_PEER_END:
		if (head->kind == CR_TCP_CONNECTED)
			return fit_peer(making, peer->received,
					peer->window_end, err);
		return 0;
	case CR_TCP_PEER_WAITING:
		making->kind = CR_TCP_CONNECTING;
		return 0;
	case CR_TCP_PEER_GONE:
		if (!(head->flags & CR_TCP_F_FIN_RECEIVED))
			return cr_error_set(err, -EINVAL,
					    "TCP connection %s -> %s: nobody "
					    "has closed it",
					    cr_tcp_print(&head->local, from),
					    cr_tcp_print(&head->remote, to));
		making->is_gone = 1;
		making->send_window = head->send_window;
		return 0;
	case CR_TCP_PEER_CLOSED:
		making->kind = CR_TCP_CLOSED;
		making->error = ECONNRESET;
		return 0;
	default:
		return cr_error_set(err, -EINVAL, "unknown kind of peer %u",
				    peer->kind);
	}
}

int cr_tcp_prepare(const struct cr_saved *saved,
		   const struct cr_tcp_restart *restart, uint32_t id,
		   struct cr_tcp_making *making, struct cr_error *err)
{
	const struct cr_saved_file *file = &saved->files[id - 1];
	const struct cr_wire_tcp *head, *other;
	int rc;

	memset(making, 0, sizeof(*making));
	rc = cr_tcp_parse(file, &making->tcp, err);
	if (rc < 0)
		return rc;
	head = making->tcp.head;
	making->kind = head->kind;
	making->error = head->error;
	making->send_first = head->send_first + head->send_length;
	making->is_gone = (head->flags & CR_TCP_F_PEER_GONE) != 0;
	move(restart, &head->local, &making->local);
	move(restart, &head->remote, &making->remote);
	if (file->file->peer) {
		other = saved->files[file->file->peer - 1].data;
		rc = fit_peer(making, other->receive_end,
			      other->window_begin + other->window, err);
	} else if (head->flags & CR_TCP_F_ELSEWHERE) {
		rc = use_table(making, restart, err);
	} else {
		making->send_window = head->send_window;
		rc = 0;
	}
	if (rc == 0)
		rc = check_family(head, &head->local, &making->local, err);
	if (rc == 0)
		rc = check_family(head, &head->remote, &making->remote, err);
	return rc;
}
