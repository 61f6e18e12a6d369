/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_lead_hear.c - what the lead hears of its members
 */
#include <errno.h>
#include <syslog.h>

#include "agent_lead.h"

static void arrived(struct agent *agent, uint32_t node,
		    const struct cr_peer_message *message)
{
	struct agent_lead *lead = agent->lead;
	struct agent_peer *peer = &lead->peers[node];

	if (message->round != lead->round || peer->has_arrived ||
	    message->barrier != cr_lead_barrier(lead->phase))
		return;
	if (message->barrier == CR_BARRIER_ENDS)
		lead->nr_ends += message->count;
	else if (message->barrier == CR_BARRIER_SAVED)
		peer->image_size = message->count;
	peer->has_arrived = 1;
	lead->nr_arrived++;
	if (lead->nr_arrived + lead->nr_left >= agent->step->nr_nodes)
		agent_lead_event(agent, CR_LEAD_EV_ALL);
}

static void left(struct agent *agent, uint32_t node, int leave)
{
	struct agent_lead *lead = agent->lead;
	struct agent_peer *peer = &lead->peers[node];

	if (peer->state != AGENT_PEER_LEFT)
		lead->nr_left++;
	peer->state = AGENT_PEER_LEFT;
	peer->leave = leave;
	if (peer->has_arrived)
		lead->nr_arrived--;
	peer->has_arrived = 0;
	if (peer->is_ordered && cr_lead_barrier(lead->phase) &&
	    lead->phase < CR_LEAD_COMMIT)
		agent_lead_fail(agent, CR_LEAD_EV_FAILED, node, -ESRCH,
				"its ranks have just ended");
	else if (agent_lead_is_restarting(lead))
		agent_lead_fail(agent, CR_LEAD_EV_ABSENT, node, -ESRCH,
				"its ranks ended during the restart");
	if (lead->is_lingering && !agent_lead_linger(agent))
		event_base_loopbreak(agent->base);
}

void agent_lead_hear(struct agent *agent, uint32_t node,
		     const struct cr_peer_message *message)
{
	struct agent_peer *peer = &agent->lead->peers[node];

	peer->heard_ms = agent_now_ms();
	switch (message->type) {
	case CR_PEER_TERM:
		agent_lead_term(agent, node);
		break;
	case CR_PEER_ARRIVED:
		arrived(agent, node, message);
		break;
	case CR_PEER_FAILED:
		if (message->round == agent->lead->round)
			agent_lead_fail(agent, CR_LEAD_EV_FAILED, node,
					message->value < 0 ? message->value :
							     -EIO,
					"%s", message->text);
		break;
	case CR_PEER_MOVES:
		agent_tcp_lead_hears(agent, node, message);
		break;
	case CR_PEER_LEAVE:
		left(agent, node, message->value);
		break;
	default:
		break;
	}
}

void agent_lead_came(struct agent *agent, uint32_t node)
{
	struct agent_lead *lead = agent->lead;
	struct agent_peer *peer = &lead->peers[node];

	agent_log(agent, LOG_INFO, "node %u (%s) has come", node, peer->host);
	if (peer->was_lost) {
		peer->was_lost = 0;
		agent_status_write(agent);
	}
	if (agent_lead_is_restarting(lead)) {
		agent_lead_send_restart(agent, node, CR_PEER_WELCOME);
		return;
	}
	agent_lead_send(agent, node,
			&(struct cr_peer_message){ .type = CR_PEER_WELCOME });
	if (lead->phase == CR_LEAD_FREEZE && !peer->is_ordered)
		agent_lead_send_order(agent, node);
}

void agent_lead_lost(struct agent *agent, uint32_t node)
{
	struct agent_lead *lead = agent->lead;
	struct agent_peer *peer = &lead->peers[node];

	if (peer->state != AGENT_PEER_PRESENT)
		return;
	agent_log(agent, LOG_WARNING, "node %u (%s) is lost", node, peer->host);
	peer->state = AGENT_PEER_ABSENT;
	peer->heard_ms = agent_now_ms();
	peer->was_lost = 1;
	agent_status_write(agent);
	if (peer->has_arrived)
		lead->nr_arrived--;
	peer->has_arrived = 0;
	agent_moves_clear(&peer->moves);
	if (lead->phase == CR_LEAD_JOIN || lead->phase == CR_LEAD_PREPARE)
		return; /* it may come back */
	if (cr_lead_barrier(lead->phase))
		agent_lead_fail(agent, CR_LEAD_EV_FAILED, node, -ECONNRESET,
				"its agent has died or cannot be reached");
}
