/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_lead_restart.c - which generation all nodes restart from
 */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "agent_lead.h"

#define RETRIES 3 /* of a candidate, when a node was lost at it */

/* None is left, or a node does not come; one member tells the user. */
void agent_lead_end_restart(struct agent *agent, int on_failure,
			    const char *why)
{
	struct cr_peer_message message =
		agent_lead_compose(agent, CR_PEER_RESTART);

	message.generation = 0;
	message.value = on_failure;
	strcpy(message.text, why);
	if (*why)
		agent_log(agent, LOG_ERR, "restart: %s", why);
	agent_lead_send_and_say(agent, &message);
}

static int is_lost(const struct cr_error *why)
{
	return why->code == -ECONNRESET || why->code == -ETIMEDOUT;
}

/* Choose the next candidate.  A lost node says nothing about the images: the
 * same again, a few times.  True if it is left to another run of the job. */
static int choose_next(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;

	if (is_lost(&lead->why) && lead->retries++ < RETRIES &&
	    agent->next_candidate) {
		agent->next_candidate--;
		return 0;
	}
	if (agent_retry(agent, &lead->why))
		return 1;
	if (!agent->refused.code)
		agent->refused = lead->why;
	return 0;
}

/* All nodes go back to the beginning. */
static void begin_round(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;

	memset(&lead->why, 0, sizeof(lead->why));
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++)
		agent_moves_clear(&lead->peers[i].moves);
	lead->round++;
	lead->began_ms = agent_now_ms();
}

/* The next candidate for all; never anew because a node was lost. */
void agent_lead_next_candidate(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;
	const int on_failure = is_lost(&lead->why) ?
				       CR_ON_FAILURE_FAIL :
				       agent_retry_last(agent, &lead->why);

	agent_log(agent, LOG_ERR, "restart from checkpoint %u: %s",
		  lead->generation, lead->why.text);
	if (choose_next(agent)) {
		agent_lead_give_up(agent, CR_ON_FAILURE_LATER, lead->why.text);
		return;
	}
	begin_round(agent);
	if (agent_image_open_next(agent)) {
		agent_lead_give_up(agent,
				   agent_retry(agent, &agent->refused) ?
					   CR_ON_FAILURE_LATER :
					   on_failure,
				   agent->refused.text);
		return;
	}
	lead->generation = agent->candidates[agent->next_candidate - 1];
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++)
		agent_lead_send_restart(agent, i, CR_PEER_RESTART);
}

void agent_lead_give_up(struct agent *agent, int on_failure, const char *why)
{
	agent->lead->phase = CR_LEAD_IDLE;
	agent_lead_end_restart(agent, on_failure, why);
}

int agent_lead_cut_short(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;
	uint32_t node = 1;

	if (lead && lead->is_cut_short)
		return 1;
	if (!lead || lead->phase != CR_LEAD_JOIN ||
	    !agent_ranks_all_ready(agent))
		return 0;
	while (node < agent->step->nr_nodes &&
	       lead->peers[node].state != AGENT_PEER_ABSENT)
		node++;
	if (node == agent->step->nr_nodes)
		return 0;
	lead->is_cut_short = 1;
	agent_lead_fail(agent, CR_LEAD_EV_ABSENT, node, -EHOSTUNREACH,
			"its agent had not come when the step was killed");
	return 1;
}

void agent_lead_restart(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;

	lead->round = 1;
	lead->generation = agent->candidates[agent->next_candidate - 1];
	lead->began_ms = agent_now_ms();
	agent_lead_event(agent, CR_LEAD_EV_RESTART);
	agent_lead_send_restart(agent, 0, CR_PEER_RESTART);
}
