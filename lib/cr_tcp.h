/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cr_tcp.h - TCP connections of a tree: addresses, and ends in other images
 *
 * A connection has two ends.  If both are in one image, the image says all
 * that a restart needs.  If the other one is in the image of another node, the
 * caller, who alone sees all images, brings the two together:
 *
 *	save	every node with cr_checkpoint_options.peers_elsewhere and a
 *		barrier in between_queues; then cr_checkpoint_connections() or
 *		cr_image_connections() of all; an end without a match leads out
 *		of the step
 *	restart	every node with the matches as cr_restart_options.tcp.peers, new
 *		addresses as .moves, and a barrier in at_gate
 *
 * Why two barriers: a byte that left one send queue is in the other's receive
 * queue only if receive queues are read after all send queues have been; and
 * whoever speaks before the other end exists is answered with a reset.
 *
 * Sequence numbers count as in TCP, modulo 2^32.
 */
#ifndef CR_TCP_H
#define CR_TCP_H

#include <stddef.h>
#include <stdint.h>

#include "cr_error.h"

struct cr_checkpoint;
struct cr_image;

/* An address and port.  IPv4 is written as IPv6 does, ::ffff:10.0.0.1. */
struct cr_tcp_address {
	uint8_t ip[16];
	uint16_t port; /* host order */
	uint16_t reserved; /* 0 */
};

#define CR_TCP_ADDRESS_TEXT 64

/* "10.0.0.1:40", "[::1]:40".  Returns @text, of CR_TCP_ADDRESS_TEXT bytes. */
const char *cr_tcp_print(const struct cr_tcp_address *address, char *text);

/* The same back, from such text alone.  0 or -EINVAL. */
int cr_tcp_scan(const char *text, struct cr_tcp_address *address);

/* Of this node itself: 127.0.0.0/8, ::1. */
int cr_tcp_is_loopback(const struct cr_tcp_address *address);

enum cr_tcp_end_kind {
	CR_TCP_END = 1, /* a socket of the tree */
	CR_TCP_END_WAITING = 2, /* waits at a listener of the tree for
				 * accept(2); nothing has been received on it */
	CR_TCP_END_CONNECTING = 3, /* a socket of the tree; its other end waits
				    * for accept(2), or does not exist yet:
				    * without a match it is connected again */
	CR_TCP_END_HALF = 4, /* as WAITING, but the handshake is not over on
			      * this side; fine without a match.  Only of a
			      * checkpoint, an image does not have it */
};

/* One end of a connection, for the caller to match. */
struct cr_tcp_end {
	uint32_t kind; /* enum cr_tcp_end_kind */
	uint32_t file; /* object of the image; of WAITING: the listener's */
	uint32_t vpid; /* who has it, for messages */
	uint32_t fd; /* ... and under which descriptor */
	struct cr_tcp_address local, remote; /* as saved */
	uint32_t send_first; /* first byte that is saved as not received yet */
	uint32_t send_end; /* after the last byte sent; no FIN */
	uint32_t received; /* after the last byte received; no FIN */
	uint32_t window_end; /* may be sent to it up to here */
	uint32_t fin_sent, fin_received; /* 0 or 1 */
	uint32_t has_peer; /* 1: the other end is in this image */
};

/*
 * All ends in @image, which is read to its end: open it anew for anything
 * else.  *@endsp is freed with free(3).
 * Returns 0, -ENOMEM, or as cr_image_open() and cr_saved_load() do.
 */
int cr_image_connections(struct cr_image *image, struct cr_tcp_end **endsp,
			 size_t *nr_endsp, struct cr_error *err);

/* The same of a checkpoint, from cr_checkpoint_collect() on.  Returns 0,
 * -ENOMEM, or -EPROTO before. */
int cr_checkpoint_connections(const struct cr_checkpoint *checkpoint,
			      struct cr_tcp_end **endsp, size_t *nr_endsp,
			      struct cr_error *err);

/* Does it wait at a listener, with or without its handshake? */
int cr_tcp_end_waits(const struct cr_tcp_end *end);

/* Are @a and @b the two ends of one connection?  Of different images. */
int cr_tcp_is_match(const struct cr_tcp_end *a, const struct cr_tcp_end *b);

/* ---- restart ---- */

/* What an address has become.  Loopback stays what it is. */
struct cr_tcp_move {
	struct cr_tcp_address from; /* port 0: all ports */
	struct cr_tcp_address to; /* port 0: the same port */
};

enum cr_tcp_peer_kind {
	CR_TCP_PEER_END = 1, /* in another image, restarted at the same time */
	CR_TCP_PEER_WAITING = 2, /* at a listener of another image: connect */
	CR_TCP_PEER_CLOSED = 3, /* nowhere: the program gets ECONNRESET */
	CR_TCP_PEER_GONE = 4, /* nowhere, but it had sent a FIN, which has been
			       * received: the program gets end of file, and
			       * another name of the other end */
};

/* The other end of a connection of this image. */
struct cr_tcp_peer {
	struct cr_tcp_address local, remote; /* our end, as saved */
	uint32_t kind; /* enum cr_tcp_peer_kind */
	/* Where it is now; port 0: as .moves say of ->remote.  For nodes that
	 * had the same address. */
	struct cr_tcp_address moved;
	/* of END, its own: see struct cr_tcp_end */
	uint32_t received, window_end;
};

/* All that lives until cr_restart() returns. */
struct cr_tcp_restart {
	const struct cr_tcp_move *moves; /* the first that fits counts */
	size_t nr_moves;
	const struct cr_tcp_peer *peers;
	size_t nr_peers;
	/* Other trees that are restarted at the same time may have the ports
	 * of ours on this node, since they came from another one.  Then a
	 * name that is taken gets another port, unless it is a loopback
	 * address: at others nobody finds it any more anyway who remembers
	 * where it was. */
	int renumber;
};

#endif /* CR_TCP_H */
