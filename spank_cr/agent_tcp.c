/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_tcp.c - TCP connections of a step's trees: note them, and tell
 * restarters what has become of the other ends and of all addresses
 *
 * At a checkpoint each worker puts its ends and its node's addresses into its
 * part of the manifest.  At a restart each member says what its image's
 * addresses are now, the lead tells all, and the restarters, who have the
 * whole manifest, do the rest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "addresses.h"
#include "agent_peers.h"
#include "connections.h"
#include "cr_restart.h"
#include "manifest.h"

#define MOVES_PER_TEXT 64 /* more than fit into one */

/* --- in the worker that saves --- */

int agent_tcp_note_addresses(const struct agent *agent,
			     struct cr_manifest *manifest, struct cr_error *err)
{
	return cr_addresses_list(agent->step->node, &manifest->addresses,
				 &manifest->nr_addresses, err);
}

int agent_tcp_note_ends(const struct agent *agent,
			const struct cr_checkpoint *checkpoint,
			struct cr_manifest *manifest, struct cr_error *err)
{
	struct cr_tcp_end *ends;
	size_t nr_ends;
	int rc;

	rc = cr_checkpoint_connections(checkpoint, &ends, &nr_ends, err);
	if (rc)
		return rc;
	manifest->ends = calloc(nr_ends + 1, sizeof(*manifest->ends));
	if (!manifest->ends)
		rc = cr_error_set(err, -ENOMEM, "no memory");
	for (size_t i = 0; i < nr_ends && !rc; i++) {
		if (ends[i].has_peer)
			continue;
		ends[i].file = 0;
		manifest->ends[manifest->nr_ends++] =
			(struct cr_manifest_end){ .node = agent->step->node,
						  .end = ends[i] };
	}
	free(ends);
	return rc;
}

/* --- in the restarter --- */

static int join_moves(const struct cr_address_move *own, size_t nr_own,
		      const struct agent_moves *others,
		      struct cr_tcp_restart *tcp, struct cr_error *err)
{
	const size_t nr_others = others ? others->nr : 0;
	struct cr_tcp_move *moves =
		calloc(nr_own + nr_others + 1, sizeof(*moves));

	if (!moves)
		return cr_error_set(err, -ENOMEM, "no memory");
	/* what is ours first: other nodes may use the same for themselves */
	for (size_t i = 0; i < nr_own; i++)
		moves[i] = own[i].move;
	for (size_t i = 0; i < nr_others; i++)
		moves[nr_own + i] = others->moves[i].move;
	tcp->moves = moves;
	tcp->nr_moves = nr_own + nr_others;
	return 0;
}

static int list_moves(const struct agent *agent,
		      struct cr_address_move **movesp, size_t *nr_movesp,
		      struct cr_error *err)
{
	struct cr_manifest_address *now;
	size_t nr_now;
	int rc = cr_addresses_list(agent->step->node, &now, &nr_now, err);

	if (rc)
		return rc;
	rc = cr_addresses_move(agent->manifest, agent->image_node, now, nr_now,
			       movesp, nr_movesp, err);
	free(now);
	return rc;
}

int agent_tcp_prepare(const struct agent *agent, struct cr_tcp_restart *tcp,
		      struct cr_error *err)
{
	const struct agent_moves *others =
		agent->member ? &agent->member->moves : NULL;
	struct cr_address_move *own;
	struct cr_tcp_peer *peers;
	size_t nr_own;
	int rc = list_moves(agent, &own, &nr_own, err);

	if (rc)
		return rc;
	rc = join_moves(own, nr_own, others, tcp, err);
	free(own);
	if (rc)
		return rc;
	/* other trees of the step on this node may have our ports, too */
	tcp->renumber = agent->nr_groups_here > 1;
	rc = cr_connections_peers(agent->manifest, agent->image_node,
				  others ? others->moves : NULL,
				  others ? others->nr : 0, &peers,
				  &tcp->nr_peers, err);
	if (!rc)
		tcp->peers = peers;
	return rc;
}

/* --- in the agents --- */

static int add_moves(struct agent *agent, struct agent_moves *to,
		     const struct cr_peer_message *message)
{
	const size_t room = to->nr + MOVES_PER_TEXT;
	struct cr_address_move *moves =
		reallocarray(to->moves, room, sizeof(*moves));
	int rc = -ENOMEM;

	if (moves) {
		to->moves = moves;
		rc = cr_addresses_scan(message->text, moves, &to->nr, room);
	}
	if (rc)
		agent_log(agent, LOG_ERR, "addresses of node %u: %s: %.200s",
			  message->from, strerror(-rc), message->text);
	return rc;
}

void agent_moves_clear(struct agent_moves *moves)
{
	free(moves->moves);
	memset(moves, 0, sizeof(*moves));
}

/* What does not fit one text goes with the next. */
static void send_moves(struct agent *agent, const struct agent_moves *moves,
		       void (*give)(struct agent *agent, uint32_t node,
				    struct cr_peer_message *message),
		       uint32_t node)
{
	size_t next = 0;

	for (;;) {
		struct cr_peer_message message = { .type = CR_PEER_MOVES };

		if (!cr_addresses_print(moves->moves, moves->nr, &next,
					message.text, sizeof(message.text)))
			return;
		give(agent, node, &message);
	}
}

static void give_lead(struct agent *agent, uint32_t image_node,
		      struct cr_peer_message *message)
{
	agent_member_tell_of(agent, message->type, image_node, message->text);
}

int agent_tcp_tell_moves(struct agent *agent, struct cr_error *err)
{
	struct agent_moves moves = { 0 };
	size_t nr_used = 0;
	int rc;

	if (!agent->manifest->nr_ends)
		return 0;
	rc = list_moves(agent, &moves.moves, &moves.nr, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < moves.nr; i++)
		if (cr_addresses_is_used(agent->manifest, &moves.moves[i]))
			moves.moves[nr_used++] = moves.moves[i];
	moves.nr = nr_used;
	send_moves(agent, &moves, give_lead, agent->image_node);
	agent_moves_clear(&moves);
	return 0;
}

void agent_tcp_member_hears(struct agent *agent,
			    const struct cr_peer_message *message)
{
	if (message->round == agent->member->round)
		add_moves(agent, &agent->member->moves, message);
}

void agent_tcp_lead_hears(struct agent *agent, uint32_t node,
			  const struct cr_peer_message *message)
{
	struct agent_peer *peer = &agent->lead->peers[node];

	if (message->round != agent->lead->round ||
	    message->count >= agent->step->nr_nodes ||
	    peer->moves.nr >= CR_MANIFEST_ADDRESSES_MAX)
		return;
	peer->image_node = (uint32_t)message->count;
	add_moves(agent, &peer->moves, message);
}

static void give_member(struct agent *agent, uint32_t node,
			struct cr_peer_message *message)
{
	message->round = agent->lead->round;
	agent_lead_send(agent, node, message);
}

/* All that have been told, in the order of the nodes. */
static int gather_moves(const struct agent *agent, struct agent_moves *all)
{
	const struct agent_lead *lead = agent->lead;
	size_t room = 0;

	for (uint32_t i = 0; i < agent->step->nr_nodes; i++)
		room += lead->peers[i].moves.nr;
	all->moves = calloc(room + 1, sizeof(*all->moves));
	if (!all->moves)
		return -ENOMEM;
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++) {
		const struct agent_moves *one = &lead->peers[i].moves;

		if (one->nr)
			memcpy(all->moves + all->nr, one->moves,
			       one->nr * sizeof(*one->moves));
		all->nr += one->nr;
	}
	return 0;
}

static size_t find_first(const struct cr_address_route *routes, size_t nr,
			 uint32_t image_node)
{
	size_t low = 0, high = nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (routes[middle].node < image_node)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Who has told nothing has no end that leads to another node. */
static int give_each(struct agent *agent, const struct cr_address_route *routes,
		     size_t nr)
{
	struct agent_moves some = {
		.moves = calloc(nr + 1, sizeof(*some.moves)),
	};

	if (!some.moves)
		return -ENOMEM;
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++) {
		const struct agent_peer *peer = &agent->lead->peers[i];
		size_t next = find_first(routes, nr, peer->image_node);

		some.nr = 0;
		if (!peer->moves.nr)
			continue;
		for (; next < nr && routes[next].node == peer->image_node;
		     next++)
			some.moves[some.nr++] = *routes[next].move;
		send_moves(agent, &some, give_member, i);
	}
	agent_moves_clear(&some);
	return 0;
}

void agent_tcp_spread_moves(struct agent *agent)
{
	struct cr_address_route *routes = NULL;
	struct agent_moves all = { 0 };
	size_t nr = 0;

	if (!agent->manifest)
		return;
	if (gather_moves(agent, &all) ||
	    cr_addresses_route(agent->manifest, all.moves, all.nr, &routes, &nr,
			       NULL) ||
	    give_each(agent, routes, nr))
		/* restarters will miss them, by name */
		agent_log(agent, LOG_ERR, "no memory for addresses");
	free(routes);
	agent_moves_clear(&all);
}
