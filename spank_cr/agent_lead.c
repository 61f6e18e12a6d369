/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_lead.c - the lead: what the nodes of a step do together
 *
 * It counts who has arrived at a barrier.  What follows is in the table of
 * step_fsm.c; how it is done, in the files that agent_lead.h names.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "agent_lead.h"

#define TICK_MS 1000

static void clear_arrivals(struct agent *agent)
{
	agent->lead->nr_arrived = 0;
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++)
		agent->lead->peers[i].has_arrived = 0;
}

void agent_lead_fail(struct agent *agent, enum cr_lead_event what,
		     uint32_t node, int code, const char *fmt, ...)
{
	struct agent_lead *lead = agent->lead;
	char *host = lead->peers[node].host;
	char text[CR_ERROR_TEXT_MAX];
	va_list args;

	if (!*host) /* it has never come */
		agent_slurm_node_name(agent->step, node, host,
				      sizeof(lead->peers[node].host));
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!lead->why.code)
		cr_error_set(&lead->why, code, "node %u%s%.64s%s: %.400s", node,
			     *host ? " (" : "", host, *host ? ")" : "", text);
	agent_lead_event(agent, what);
}

static void log_checkpoint(struct agent *agent)
{
	const struct agent_lead *lead = agent->lead;

	agent_log(agent, LOG_INFO,
		  "checkpoint %u of %u nodes is complete after %lld ms",
		  lead->generation, agent->step->nr_nodes,
		  (long long)(agent_now_ms() - lead->began_ms));
}

/* A wanted final one begins when nothing else is under way. */
static void be_idle(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;

	if (!lead->is_wanted)
		return;
	lead->is_wanted = 0;
	agent_lead_checkpoint(agent, 1);
}

static void act(struct agent *agent, int action, enum cr_barrier passed)
{
	switch (action) {
	case CR_LEAD_DO_PREPARE:
		agent_lead_prepare(agent);
		break;
	case CR_LEAD_DO_ORDER:
		agent_lead_order(agent);
		break;
	case CR_LEAD_DO_PASS:
	case CR_LEAD_DO_RUN:
		agent_lead_pass(agent, passed);
		break;
	case CR_LEAD_DO_MATCH:
		agent_lead_match(agent);
		break;
	case CR_LEAD_DO_COMMIT:
		agent_lead_commit(agent);
		break;
	case CR_LEAD_DO_VERDICT:
		log_checkpoint(agent);
		agent_lead_pass(agent, CR_BARRIER_COMMITTED);
		break;
	case CR_LEAD_DO_ABORT:
		agent_lead_abort_round(agent);
		break;
	case CR_LEAD_DO_NEXT:
		agent_lead_next_candidate(agent);
		break;
	case CR_LEAD_DO_GIVE_UP:
		agent_lead_end_restart(agent,
				       agent_retry(agent, &agent->lead->why) ?
					       CR_ON_FAILURE_LATER :
					       CR_ON_FAILURE_FAIL,
				       agent->lead->why.text);
		break;
	default:
		break;
	}
}

/* What has been done, and what it took. */
static void log_phase(const struct agent *agent, enum cr_lead_event what,
		      enum cr_barrier barrier)
{
	const struct agent_lead *lead = agent->lead;
	const int64_t us = agent_now_us() - lead->phase_us;

	if (what == CR_LEAD_EV_PREPARED)
		agent_log(agent, LOG_INFO,
			  "round %u: prepared after %lld.%03lld ms",
			  lead->round, (long long)us / 1000,
			  (long long)us % 1000);
	else if (what == CR_LEAD_EV_ALL || what == CR_LEAD_EV_MATCHED ||
		 what == CR_LEAD_EV_COMMITTED)
		agent_log(agent, LOG_INFO,
			  "round %u: all of %u nodes %s after %lld.%03lld ms",
			  lead->round, agent->step->nr_nodes,
			  cr_barrier_name(barrier), (long long)us / 1000,
			  (long long)us % 1000);
}

void agent_lead_event(struct agent *agent, enum cr_lead_event what)
{
	struct agent_lead *lead = agent->lead;
	const enum cr_barrier barrier = cr_lead_barrier(lead->phase);
	const enum cr_lead_phase before = lead->phase;
	const struct timeval period = { TICK_MS / 1000, 0 };
	int action;

	action = cr_lead_step(&lead->phase, what);
	if (action < 0)
		return; /* too late to matter */
	log_phase(agent, what, barrier);
	if (lead->phase != before) {
		lead->phase_us = agent_now_us();
		clear_arrivals(agent);
		evtimer_add(lead->tick, &period);
	}
	act(agent, action, barrier);
	if (lead->phase == CR_LEAD_IDLE)
		be_idle(agent);
}

/* --- beginning --- */

void agent_lead_forward(struct agent *agent)
{
	struct cr_peer_message message = { .type = CR_PEER_FORWARD };

	for (uint32_t i = 1; i < agent->step->nr_nodes; i++)
		agent_lead_send(agent, i, &message);
}

void agent_lead_term(struct agent *agent, uint32_t node)
{
	struct cr_peer_message message = { .type = CR_PEER_FORWARD };
	struct agent_lead *lead = agent->lead;

	const int is_restarting =
		agent->phase == AGENT_GATHERING && agent->is_restart;

	if (!is_restarting && (agent->phase == AGENT_GATHERING ||
			       agent_now_ms() < lead->forward_until_ms))
		agent_lead_send(agent, node, &message);
	else if (is_restarting || agent->phase == AGENT_RUNNING)
		agent_ask_cause(agent);
	/* else it is being decided, and the node will hear of it */
}

void agent_lead_checkpoint(struct agent *agent, int is_final)
{
	struct agent_lead *lead = agent->lead;

	if (lead->phase == CR_LEAD_COMMIT) {
		lead->is_wanted |= is_final; /* soon */
		return;
	}
	if (lead->phase != CR_LEAD_IDLE && !is_final)
		return;
	if (lead->phase != CR_LEAD_IDLE) {
		cr_error_set(&lead->why, -ECANCELED,
			     "a final checkpoint takes its place");
		lead->is_wanted = 1;
		agent_lead_event(agent, CR_LEAD_EV_FAILED);
		return;
	}
	lead->is_final = is_final;
	lead->began_ms = agent_now_ms();
	agent_lead_event(agent, CR_LEAD_EV_CHECKPOINT);
}

int agent_lead_start(struct agent *agent, struct cr_error *err)
{
	struct agent_lead *lead = calloc(1, sizeof(*lead));

	agent->lead = lead;
	if (lead)
		lead->peers =
			calloc(agent->step->nr_nodes, sizeof(*lead->peers));
	if (!lead || !lead->peers)
		return cr_error_set(err, -ENOMEM, "no memory");
	lead->tick = evtimer_new(agent->base, agent_lead_tick, agent);
	if (!lead->tick)
		return cr_error_set(err, -ENOMEM, "no event");
	lead->peers[0].state = AGENT_PEER_PRESENT;
	gethostname(lead->peers[0].host, sizeof(lead->peers[0].host) - 1);
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++)
		lead->peers[i].heard_ms = agent_now_ms();
	return agent_lead_listen(agent, err);
}
