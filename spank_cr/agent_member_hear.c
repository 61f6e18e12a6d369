/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_member_hear.c - what a member hears of the lead
 */
#include <errno.h>
#include <string.h>

#include "agent_member.h"

void agent_member_order(struct agent *agent,
			const struct cr_peer_message *message)
{
	struct agent_member *member = agent->member;

	if (member->phase != CR_MEMBER_IDLE) {
		member->has_order = 1;
		member->order = *message;
		cr_error_set(&member->why, -ECANCELED,
			     "another checkpoint takes its place");
		agent_member_event(agent, CR_MEMBER_EV_CHECKPOINT);
		return;
	}
	member->round = message->round;
	member->generation = message->generation;
	if (agent->phase == AGENT_GATHERING || agent->phase == AGENT_SAVED) {
		agent_member_tell(agent, CR_PEER_FAILED, -EAGAIN,
				  "its ranks have not all begun");
		return;
	}
	agent->save_generation = message->generation;
	agent->save_is_final = (message->flags & CR_PEER_FINAL) != 0;
	agent->cause = (enum cr_cause)message->value;
	if (agent->save_is_final)
		agent->phase = AGENT_SAVING;
	agent_member_event(agent, CR_MEMBER_EV_CHECKPOINT);
}

void agent_member_forward(struct agent *agent)
{
	if (agent->phase != AGENT_SAVING ||
	    agent->member->phase != CR_MEMBER_IDLE)
		return;
	agent->phase = AGENT_RUNNING;
	agent_forward_term(agent);
}

static void restart(struct agent *agent, const struct cr_peer_message *message)
{
	struct agent_member *member = agent->member;
	int is_waiting = member->phase >= CR_MEMBER_JOINING;

	if (message->type == CR_PEER_WELCOME && !message->generation &&
	    !is_waiting)
		return;
	member->round = message->round;
	member->generation = message->generation;
	member->on_failure = message->value;
	member->is_speaker = message->type == CR_PEER_WELCOME ||
			     (message->flags & CR_PEER_SAY);
	agent_moves_clear(&member->moves);
	if (message->generation && (is_waiting || !member->is_begun)) {
		agent->is_restart = 1;
		agent_member_event(agent, CR_MEMBER_EV_RESTART);
	} else if (message->generation) {
		agent_member_tell(agent, CR_PEER_FAILED, -EPROTO,
				  "its ranks have begun already");
	} else {
		cr_error_set(&member->why, -ECANCELED, "%s",
			     message->text[0] ? message->text :
						"the other nodes run already");
		if (message->type == CR_PEER_WELCOME)
			member->on_failure = CR_ON_FAILURE_FAIL;
		agent_member_event(agent, CR_MEMBER_EV_GIVE_UP);
	}
}

static void abort_round(struct agent *agent,
			const struct cr_peer_message *message)
{
	struct agent_member *member = agent->member;

	if (member->has_order && message->round == member->order.round)
		member->has_order = 0;
	if (message->round != member->round)
		return;
	cr_error_set(&member->why, message->value, "%s", message->text);
	member->is_speaker = (message->flags & CR_PEER_SAY) != 0;
	agent_member_event(agent, CR_MEMBER_EV_ABORT);
}

void agent_member_hear(struct agent *agent,
		       const struct cr_peer_message *message)
{
	struct agent_member *member = agent->member;

	member->heard_ms = agent_now_ms();
	switch (message->type) {
	case CR_PEER_WELCOME:
	case CR_PEER_RESTART:
		restart(agent, message);
		break;
	case CR_PEER_MOVES:
		agent_tcp_member_hears(agent, message);
		break;
	case CR_PEER_FORWARD:
		agent_member_forward(agent);
		break;
	case CR_PEER_CHECKPOINT:
		agent_member_order(agent, message);
		break;
	case CR_PEER_PASS:
		if (message->round == member->round &&
		    (message->barrier == CR_BARRIER_COMMITTED ||
		     message->barrier == cr_member_barrier(member->phase)))
			agent_member_event(agent, CR_MEMBER_EV_PASS);
		break;
	case CR_PEER_ABORT:
		abort_round(agent, message);
		break;
	default:
		break;
	}
}
