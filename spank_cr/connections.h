/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connections.h - TCP connections between a step's nodes: which ends belong
 * together
 *
 * Pure: works on what the nodes' agents have put into the manifest.
 */
#ifndef CONNECTIONS_H
#define CONNECTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "addresses.h"
#include "cr_error.h"
#include "cr_tcp.h"
#include "manifest.h"

/*
 * Has every end in @manifest, of all nodes, its other one?  Fine without are:
 * one that is just being connected, on either side, which is connected again;
 * and one that a program of another node of the step has closed, if all of that
 * has arrived. Returns 0, -ENOMEM, or -EOPNOTSUPP: it leads out of the step;
 * the text says where from, and where to.
 */
int cr_connections_check(const struct cr_manifest *manifest,
			 struct cr_error *err);

/*
 * What the ends of node @node are to be told about their other ends, whose new
 * addresses are in @moves; those without are CR_TCP_PEER_CLOSED.  *@peersp is
 * freed with free(3). Returns 0 or -ENOMEM.
 */
int cr_connections_peers(const struct cr_manifest *manifest, uint32_t node,
			 const struct cr_address_move *moves, size_t nr_moves,
			 struct cr_tcp_peer **peersp, size_t *nr_peersp,
			 struct cr_error *err);

#endif /* CONNECTIONS_H */
