/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_local.c - messages between the lead and the member in one agent
 *
 * They go through the event loop, in order, as if they came from afar: so
 * that neither is called in the middle of what it is doing.
 */
#include <stdlib.h>
#include <syslog.h>

#include "agent_peers.h"

struct letter {
	struct letter *next;
	int to_lead;
	struct cr_peer_message message;
};

static struct letter *first, **last = &first;
static struct event *delivery;

static void deliver(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	struct letter *letter;

	(void)fd;
	(void)what;
	while ((letter = first)) {
		first = letter->next;
		if (!first)
			last = &first;
		if (letter->to_lead)
			agent_lead_hear(agent, 0, &letter->message);
		else
			agent_member_hear(agent, &letter->message);
		free(letter);
	}
}

static void post(struct agent *agent, const struct cr_peer_message *message,
		 int to_lead)
{
	struct letter *letter = calloc(1, sizeof(*letter));

	if (!delivery)
		delivery = event_new(agent->base, -1, 0, deliver, agent);
	if (!letter || !delivery) {
		agent_log(agent, LOG_ERR, "no memory: %s is lost",
			  cr_peer_type_name(message->type));
		free(letter);
		return;
	}
	letter->to_lead = to_lead;
	letter->message = *message;
	*last = letter;
	last = &letter->next;
	event_active(delivery, 0, 0);
}

void agent_local_to_lead(struct agent *agent,
			 const struct cr_peer_message *message)
{
	post(agent, message, 1);
}

void agent_local_to_member(struct agent *agent,
			   const struct cr_peer_message *message)
{
	post(agent, message, 0);
}
