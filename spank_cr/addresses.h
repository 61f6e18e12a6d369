/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addresses.h - a node's addresses, and what they become on another node
 *
 * A tree that moves takes its TCP sockets along, but not the addresses of the
 * node on which it was saved.
 */
#ifndef ADDRESSES_H
#define ADDRESSES_H

#include <stddef.h>
#include <stdint.h>

#include "cr_error.h"
#include "cr_tcp.h"
#include "manifest.h"

/*
 * This node's, of interfaces that are up, as those of node @node of the step:
 * no loopback, no link-local ones, at most CR_MANIFEST_ADDRESSES_MAX.
 * *@addressesp is freed with free(3).  Returns 0 or a negative errno.
 */
int cr_addresses_list(uint32_t node, struct cr_manifest_address **addressesp,
		      size_t *nr_addressesp, struct cr_error *err);

/* What an address of node @node, as saved, has become.  Groups of ranks that
 * shared a node had the same address, and may be on different ones now. */
struct cr_address_move {
	uint32_t node;
	struct cr_tcp_move move;
};

/*
 * What each of node @node's addresses in @manifest becomes among @now: itself
 * if it is there; else one in the same network, else one of the same
 * interface, else the only one of its family.  Of several the first.  One for
 * which there is none is left out.
 * *@movesp is freed with free(3).  Returns 0 or -ENOMEM.
 */
int cr_addresses_move(const struct cr_manifest *manifest, uint32_t node,
		      const struct cr_manifest_address *now, size_t nr_now,
		      struct cr_address_move **movesp, size_t *nr_movesp,
		      struct cr_error *err);

/* Do the ends of @manifest's connections between nodes need @move?  Others need
 * not hear of it. */
int cr_addresses_is_used(const struct cr_manifest *manifest,
			 const struct cr_address_move *move);

/* What @address of node @node has become: NULL if @moves do not tell. */
const struct cr_tcp_address *
cr_addresses_find(const struct cr_address_move *moves, size_t nr_moves,
		  uint32_t node, const struct cr_tcp_address *address);

/* Node @node has an end that leads to where @move has come from. */
struct cr_address_route {
	uint32_t node; /* as saved */
	const struct cr_address_move *move;
};

/*
 * Which of @moves the ends of which node need: sorted by node, each in the
 * order of @moves, none twice.  So much is told and no more: it grows as
 * connections do, and not as the square of the number of nodes.
 * *@routesp is freed with free(3).  Returns 0 or -ENOMEM.
 */
int cr_addresses_route(const struct cr_manifest *manifest,
		       const struct cr_address_move *moves, size_t nr_moves,
		       struct cr_address_route **routesp, size_t *nr_routesp,
		       struct cr_error *err);

/*
 * For a message: "3/10.0.0.1:0>10.0.0.5:0" (of node 3), separated by spaces.
 * Prints from move *@nextp on, as many as fit into @size bytes, and moves
 * *@nextp on; 0 if there was none left.
 */
int cr_addresses_print(const struct cr_address_move *moves, size_t nr_moves,
		       size_t *nextp, char *text, size_t size);

/* The same back, added to @moves, which has room for @room of them.  Returns 0,
 * -EBADMSG, or -E2BIG. */
int cr_addresses_scan(const char *text, struct cr_address_move *moves,
		      size_t *nr_movesp, size_t room);

#endif /* ADDRESSES_H */
