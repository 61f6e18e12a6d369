/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_member_watch.c - a member looks after what takes too long: a lead that
 * is silent, a worker that does not stop
 */
#include <errno.h>
#include <syslog.h>

#include "agent_member.h"

#define TICK_MS 1000
#define THAW_MS 20000 /* for a worker to stop */

void agent_member_arm(struct agent *agent)
{
	const struct timeval period = { TICK_MS / 1000, 0 };

	if (!evtimer_pending(agent->member->tick, NULL))
		evtimer_add(agent->member->tick, &period);
}

/* In the middle of a restart. */
static void give_up_lead(struct agent *agent)
{
	struct agent_member *member = agent->member;

	cr_error_set(&member->why, -ETIMEDOUT,
		     "the agent of node 0 does not come back");
	member->on_failure = agent_retry(agent, &member->why) ?
				     CR_ON_FAILURE_LATER :
				     CR_ON_FAILURE_FAIL;
	member->is_speaker = 1;
	agent_member_event(agent, CR_MEMBER_EV_GIVE_UP);
}

static void check_silence(struct agent *agent)
{
	const int64_t limit = agent->config->timeout * 1000LL;
	struct agent_member *member = agent->member;
	const int64_t now = agent_now_ms();
	int64_t since = member->heard_ms;

	if (member->term_ms > since)
		since = member->term_ms;
	if (agent->phase == AGENT_SAVING && member->phase == CR_MEMBER_IDLE) {
		if (now - since <= limit)
			return;
		agent_say(agent, "checkpoint failed: the agent of node 0 does "
				 "not answer");
		agent_tell_ranks(agent, CR_MSG_NOT_SAVED, 0);
		agent_member_forward(agent);
	} else if (member->phase >= CR_MEMBER_JOINING && !member->is_met) {
		if (now - since <= AGENT_JOIN_MS)
			return;
		give_up_lead(agent);
	} else if (member->phase != CR_MEMBER_IDLE && member->is_met &&
		   now - since > limit) {
		agent_log(agent, LOG_WARNING,
			  "the lead agent has been silent for %lld s",
			  (long long)(now - since) / 1000);
		agent_meet_again(agent);
	}
}

/* It was to stop, and does not. */
static void check_worker(struct agent *agent)
{
	struct agent_worker *saver = agent->saver;

	if (agent->member->phase != CR_MEMBER_THAWING ||
	    agent_now_ms() - agent->member->thaw_ms < THAW_MS)
		return;
	agent_log(agent, LOG_ERR, "the worker does not stop: killed");
	agent->saver = NULL;
	agent_worker_cancel(saver);
	agent_member_event(agent, CR_MEMBER_EV_FAILED);
}

void agent_member_tick(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	struct agent_member *member = agent->member;

	(void)fd;
	(void)what;
	if (agent_member_is_remote(agent))
		check_silence(agent);
	check_worker(agent);
	if (member->phase == CR_MEMBER_IDLE && agent->phase != AGENT_SAVING)
		return;
	agent_member_tell_progress(agent);
	agent_status_write(agent);
	agent_member_arm(agent);
}
