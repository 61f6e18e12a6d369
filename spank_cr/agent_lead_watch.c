/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_lead_watch.c - who is silent, who does not come, who is still there
 */
#include <errno.h>
#include <syslog.h>

#include "agent_lead.h"

#define TICK_MS 1000

/* At a restart a node that is silent may come again: it is lost, not at fault.
 */
static void check_silence(struct agent *agent, uint32_t node, int64_t now)
{
	const struct agent_peer *peer = &agent->lead->peers[node];
	int64_t limit = agent->config->timeout * 1000LL;
	int64_t since = peer->heard_ms;

	if (peer->state == AGENT_PEER_LEFT || node == 0)
		return;
	if (since < agent->lead->began_ms)
		since = agent->lead->began_ms;
	if (peer->state == AGENT_PEER_ABSENT) {
		if (agent->lead->phase == CR_LEAD_JOIN && limit < AGENT_JOIN_MS)
			limit = AGENT_JOIN_MS;
		if (now - since > limit)
			agent_lead_fail(agent, CR_LEAD_EV_ABSENT, node,
					-ETIMEDOUT,
					"its agent does not come within %lld s",
					(long long)limit / 1000);
	} else if (now - since > limit &&
		   agent_lead_is_restarting(agent->lead)) {
		agent_log(agent, LOG_WARNING,
			  "node %u (%s) has been silent for %lld s", node,
			  peer->host, (long long)limit / 1000);
		agent_lead_drop(agent, node);
	} else if (now - since > limit) {
		agent_lead_fail(agent, CR_LEAD_EV_FAILED, node, -ETIMEDOUT,
				"its agent has been silent for %lld s",
				(long long)limit / 1000);
	}
}

void agent_lead_tick(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval period = { TICK_MS / 1000, 0 };
	struct cr_peer_message ping = { .type = CR_PEER_PING };
	struct agent *agent = arg;
	const int64_t now = agent_now_ms();

	(void)fd;
	(void)what;
	for (uint32_t i = 0;
	     i < agent->step->nr_nodes && cr_lead_barrier(agent->lead->phase);
	     i++)
		check_silence(agent, i, now);
	if (agent->lead->is_lingering && !agent_lead_linger(agent)) {
		event_base_loopbreak(agent->base);
		return;
	}
	if (agent->lead->phase == CR_LEAD_IDLE && !agent->lead->is_lingering)
		return;
	evtimer_add(agent->lead->tick, &period);
	agent_lead_send_all(agent, &ping);
}

int agent_lead_linger(struct agent *agent)
{
	const struct agent_lead *lead = agent->lead;

	const struct timeval period = { TICK_MS / 1000, 0 };

	if (!agent->lead->is_lingering)
		evtimer_add(agent->lead->tick, &period);
	agent->lead->is_lingering = 1;
	for (uint32_t i = 1; i < agent->step->nr_nodes; i++)
		if (lead->peers[i].state == AGENT_PEER_PRESENT ||
		    (lead->peers[i].state == AGENT_PEER_ABSENT &&
		     agent_now_ms() - lead->peers[i].heard_ms <
			     agent->config->timeout * 1000LL))
			return 1;
	return 0;
}

int agent_lead_all_exited(const struct agent *agent)
{
	for (uint32_t i = 1; i < agent->step->nr_nodes; i++)
		if (agent->lead->peers[i].state != AGENT_PEER_LEFT ||
		    agent->lead->peers[i].leave != CR_PEER_LEAVE_EXITED)
			return 0;
	return 1;
}
