/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_lead_tell.c - what the lead says to the members
 */
#include <string.h>

#include "agent_lead.h"

struct cr_peer_message agent_lead_compose(const struct agent *agent,
					  uint32_t type)
{
	const struct agent_lead *lead = agent->lead;
	struct cr_peer_message message = {
		.type = type,
		.round = lead->round,
		.generation = lead->generation,
		.flags = lead->is_final ? CR_PEER_FINAL : 0,
	};

	return message;
}

void agent_lead_send_order(struct agent *agent, uint32_t node)
{
	struct cr_peer_message message =
		agent_lead_compose(agent, CR_PEER_CHECKPOINT);

	message.value = (int32_t)agent->cause;
	agent->lead->peers[node].is_ordered = 1;
	agent_lead_send(agent, node, &message);
}

void agent_lead_send_restart(struct agent *agent, uint32_t node, uint32_t type)
{
	struct cr_peer_message message = agent_lead_compose(agent, type);

	agent_lead_send(agent, node, &message);
}

void agent_lead_pass(struct agent *agent, enum cr_barrier barrier)
{
	struct cr_peer_message message =
		agent_lead_compose(agent, CR_PEER_PASS);

	message.barrier = barrier;
	if (barrier == CR_BARRIER_READY)
		agent_tcp_spread_moves(agent);
	agent_lead_send_all(agent, &message);
}

/* To all; one member tells the user: the first that is there. */
void agent_lead_send_and_say(struct agent *agent,
			     struct cr_peer_message *message)
{
	message->flags |= CR_PEER_SAY;
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++) {
		if (agent->lead->peers[i].state != AGENT_PEER_PRESENT)
			continue;
		agent_lead_send(agent, i, message);
		message->flags &= ~CR_PEER_SAY;
	}
}

void agent_lead_send_abort(struct agent *agent)
{
	struct cr_peer_message message =
		agent_lead_compose(agent, CR_PEER_ABORT);

	message.value = agent->lead->why.code;
	strcpy(message.text, agent->lead->why.text);
	agent_lead_send_and_say(agent, &message);
}
