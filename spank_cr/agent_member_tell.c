/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_member_tell.c - what a member says to the lead
 */
#include <string.h>

#include "agent_member.h"

/* Before the lead's welcome only that we leave, once it knows who we are. */
int agent_member_may_send(const struct agent_member *member, uint32_t type)
{
	return member->is_met ||
	       (type == CR_PEER_LEAVE && member->link && member->link->sent);
}

static void send_lead(struct agent *agent, struct cr_peer_message *message)
{
	struct agent_member *member = agent->member;

	message->round = member->round;
	if (!agent_member_is_remote(agent))
		agent_local_to_lead(agent, message);
	else if (agent_member_may_send(member, message->type))
		agent_link_send(member->link, message);
}

static void tell(struct agent *agent, struct cr_peer_message *message,
		 const char *text)
{
	strncpy(message->text, text, sizeof(message->text) - 1);
	send_lead(agent, message);
}

void agent_member_tell(struct agent *agent, uint32_t type, int value,
		       const char *text)
{
	struct cr_peer_message message = { .type = type, .value = value };

	tell(agent, &message, text);
}

void agent_member_tell_of(struct agent *agent, uint32_t type, uint64_t count,
			  const char *text)
{
	struct cr_peer_message message = { .type = type, .count = count };

	tell(agent, &message, text);
}

void agent_member_tell_arrived(struct agent *agent, enum cr_barrier barrier)
{
	struct agent_member *member = agent->member;
	struct cr_peer_message message = { .type = CR_PEER_ARRIVED,
					   .barrier = barrier,
					   .count = member->arrived_count };

	member->arrived_count = 0;
	send_lead(agent, &message);
}

void agent_member_tell_progress(struct agent *agent)
{
	const struct agent_member *member = agent->member;
	struct cr_peer_message message = {
		.type = CR_PEER_PROGRESS,
		.bytes_done = member->bytes_done,
		.bytes_total = member->bytes_total,
	};

	if (message.bytes_done > message.bytes_total)
		message.bytes_total = message.bytes_done;
	send_lead(agent, &message);
}
