/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_member.c - one node's part in what the step's nodes do together
 *
 * What follows from what is in the table of step_fsm.c; here is how it is
 * done.  The conversation with the lead, restarts and the clock have files of
 * their own.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "agent_member.h"
#include "agent_sync.h"

/* --- checkpoint --- */

static void thaw(struct agent *agent)
{
	agent->member->thaw_ms = agent_now_ms();
	agent_sync_abort(agent);
}

static void finish(struct agent *agent, enum cr_member_phase before)
{
	struct agent_member *member = agent->member;

	agent_sync_close(agent);
	/* we had no part in it, or no more */
	if (before == CR_MEMBER_IDLE && !member->is_speaker &&
	    !(agent->phase == AGENT_SAVING && agent->save_is_final))
		return;
	if (before == CR_MEMBER_THAWING || before == CR_MEMBER_IDLE)
		agent_save_finish(agent, &member->why, !member->is_speaker);
	else
		agent_save_finish(agent, NULL, 0);
}

/* The one that has waited. */
static void next_order(struct agent *agent)
{
	struct agent_member *member = agent->member;

	if (!member->has_order || member->phase != CR_MEMBER_IDLE)
		return;
	member->has_order = 0;
	agent_member_order(agent, &member->order);
}

/* The generation is complete, but our tree has run on since: it must not. */
static void kill_tree(struct agent *agent)
{
	if (agent->phase != AGENT_SAVING || !agent->save_is_final)
		return;
	agent_log(agent, LOG_WARNING, "saved, but not held: ended now");
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		if (agent->ranks[i].program > 0)
			kill(agent->ranks[i].program, SIGKILL);
	agent_save_for_good(agent);
}

static void save(struct agent *agent)
{
	struct agent_member *member = agent->member;

	memset(&member->why, 0, sizeof(member->why));
	member->bytes_done = member->bytes_total = 0;
	member->is_speaker = 0;
	if (agent_save_start(agent, &member->why))
		agent_member_event(agent, CR_MEMBER_EV_FAILED);
}

/* --- what happens --- */

static void go(struct agent *agent, enum cr_member_phase before)
{
	agent_sync_go(agent);
	if (before == CR_MEMBER_AT_GATE && agent->image_fd < 0)
		agent_restart_ended(agent);
}

static void act(struct agent *agent, int action, enum cr_member_phase before)
{
	struct agent_member *member = agent->member;

	switch (action) {
	case CR_MEMBER_DO_SAVE:
		save(agent);
		break;
	case CR_MEMBER_DO_TELL:
		agent_member_tell_arrived(agent, cr_member_barrier(before));
		break;
	case CR_MEMBER_DO_GO:
		go(agent, before);
		break;
	case CR_MEMBER_DO_THAW:
		thaw(agent);
		break;
	case CR_MEMBER_DO_FAIL:
		agent_member_tell(agent, CR_PEER_FAILED, member->why.code,
				  member->why.text);
		break;
	case CR_MEMBER_DO_DECIDE:
		agent_log(agent, LOG_WARNING,
			  "the manifest will tell whether checkpoint %u is "
			  "complete",
			  member->generation);
		agent_sync_decide(agent);
		break;
	case CR_MEMBER_DO_FINISH:
		finish(agent, before);
		break;
	case CR_MEMBER_DO_KILL:
		kill_tree(agent);
		break;
	case CR_MEMBER_DO_OPEN:
		agent_worker_cancel(agent->restarter);
		agent->restarter = NULL;
		agent_member_get_ready(agent);
		break;
	case CR_MEMBER_DO_RESTORE:
		agent_member_start_restart(agent);
		break;
	case CR_MEMBER_DO_CANCEL:
		agent_worker_cancel(agent->restarter);
		agent->restarter = NULL;
		break;
	case CR_MEMBER_DO_GIVE_UP:
		agent_member_give_up(agent);
		break;
	default:
		break;
	}
}

void agent_member_event(struct agent *agent, enum cr_member_event event)
{
	struct agent_member *member = agent->member;
	const enum cr_member_phase before = member->phase;
	int action = cr_member_step(&member->phase, event);

	if (action < 0)
		return; /* too late to matter */
	if (member->phase != CR_MEMBER_IDLE)
		agent_member_arm(agent);
	act(agent, action, before);
	agent_status_write(agent);
	next_order(agent);
}

void agent_member_lead_lost(struct agent *agent)
{
	struct agent_member *member = agent->member;

	cr_error_set(&member->why, -ECONNRESET,
		     "the agent of node 0 has died or cannot be reached");
	member->is_speaker = 1;
	agent_member_event(agent, CR_MEMBER_EV_LEAD_LOST);
}

void agent_member_term(struct agent *agent)
{
	struct agent_member *member = agent->member;

	if (agent_member_is_remote(agent)) {
		if (agent->phase != AGENT_GATHERING)
			agent->phase = AGENT_SAVING;
		member->term_ms = agent_now_ms();
		agent_member_arm(agent);
		agent_member_tell(agent, CR_PEER_TERM, 0, "");
	} else {
		agent_lead_term(agent, 0);
	}
}

/* --- beginning and end --- */

static void ring(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* Let something happen, for @ms at most. */
static void wait_event(struct agent *agent, int ms)
{
	const struct timeval time = { ms / 1000, ms % 1000 * 1000L };
	struct event *bell = evtimer_new(agent->base, ring, NULL);

	if (!bell)
		return;
	evtimer_add(bell, &time);
	event_base_loop(agent->base, EVLOOP_ONCE);
	event_free(bell);
}

int agent_member_start(struct agent *agent, struct cr_error *err)
{
	struct agent_member *member = calloc(1, sizeof(*member));

	agent->member = member;
	if (!member)
		return cr_error_set(err, -ENOMEM, "no memory");
	member->sync_fd = -1;
	member->heard_ms = agent_now_ms();
	member->tick = evtimer_new(agent->base, agent_member_tick, agent);
	if (!member->tick)
		return cr_error_set(err, -ENOMEM, "no event");
	return 0;
}

int agent_member_await_lead(struct agent *agent, struct cr_error *err)
{
	struct agent_member *member = agent->member;
	const int64_t until = agent_now_ms() + AGENT_JOIN_MS;
	char host[64];
	int rc;

	while (!member->is_met && agent_now_ms() < until)
		wait_event(agent, 1000);
	if (!member->is_met) {
		agent_slurm_node_name(agent->step, 0, host, sizeof(host));
		cr_error_set(err, -ETIMEDOUT,
			     "the agent of node 0 (%s) does not come within "
			     "%d s",
			     *host ? host : "?", AGENT_JOIN_MS / 1000);
		agent_retry_without_lead(agent, err);
		return err->code;
	}
	if (!agent->is_restart)
		return 0;
	/* for the clocks; if it fails the lead hears of it in its time */
	rc = agent_image_open(agent, member->generation, &member->why);
	if (rc)
		agent_log(agent, LOG_ERR, "checkpoint %u: %s",
			  member->generation, member->why.text);
	agent->keeper_generation = member->generation;
	return 0;
}
