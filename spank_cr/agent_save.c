/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_save.c - begin a checkpoint, and what follows from how it went
 *
 * The saving itself is in agent_saver.c; when a step of several nodes is saved
 * is the lead's to say.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "advice.h"
#include "agent_park.h"
#include "agent_peers.h"
#include "agent_sync.h"

/* In which nothing is written or digested: docs/admin.md names it. */
#define SAVE_TIMEOUT_MS (3600u * 1000)
#define REQUEUE_TIMEOUT_MS 10000
/* Between requeueing and ending a step, so that the script that started it is
 * held before it sees its srun end. */
#define LINGER_MS 2000

static void requeued(struct agent *agent, const struct agent_result *result)
{
	agent->requeuer = NULL;
	if (result->err.code) {
		agent_log(agent, LOG_WARNING, "%s; trying again at the end",
			  result->err.text);
		agent->requeue_later = 1;
	}
	agent_tell_ranks(agent, CR_MSG_SAVED,
			 agent->step->step == CR_STEP_BATCH ? 0 : LINGER_MS);
}

/* Of several nodes the lead requeues, unless it is lost. */
static int is_requeuer(const struct agent *agent)
{
	if (agent->member && !agent->lead && agent->member->is_met)
		return 0;
	if (agent->is_retry)
		return 1;
	/* In a grace time Slurm would wait for its end, or for the job's:
	 * and the job would complete.  Out of time, it would not run again. */
	return agent->cause == CR_CAUSE_PREEMPT ||
	       agent->cause == CR_CAUSE_TIME_LIMIT;
}

void agent_save_for_good(struct agent *agent)
{
	struct cr_error err = { 0 };

	agent->phase = AGENT_SAVED;
	if (is_requeuer(agent)) {
		agent->requeuer =
			agent_worker_start(agent, "cr-requeue",
					   agent_slurm_requeue, requeued,
					   REQUEUE_TIMEOUT_MS, NULL, 0, &err);
		if (agent->requeuer)
			return;
		agent->requeue_later = 1;
	}
	agent_tell_ranks(agent, CR_MSG_SAVED,
			 agent->step->step == CR_STEP_BATCH ? 0 : LINGER_MS);
}

static void linger(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;

	(void)fd;
	(void)what;
	cr_message_tell(agent->stepd, CR_MSG_KILLED, 0);
}

/* Its ranks are dead: slurmstepd lingers for them. */
void agent_save_linger(struct agent *agent)
{
	const struct timeval time = { LINGER_MS / 1000, 0 };

	if (!agent->is_retry ||
	    event_base_once(agent->base, -1, EV_TIMEOUT, linger, agent, &time))
		linger(-1, 0, agent);
}

static char comment[CR_ERROR_TEXT_MAX];

static void put_comment(struct agent *agent, struct agent_result *result)
{
	(void)result;
	agent_slurm_comment(agent, comment);
}

static void comment_put(struct agent *agent, const struct agent_result *result)
{
	(void)agent;
	(void)result;
}

static void start_comment(struct agent *agent, const char *why)
{
	snprintf(comment, sizeof(comment), "step %s: checkpoint failed: %.400s",
		 agent->step->name, why);
	agent_worker_start(agent, "cr-comment", put_comment, comment_put,
			   REQUEUE_TIMEOUT_MS, NULL, 0, NULL);
}

void agent_save_cut_short(struct agent *agent)
{
	struct cr_error why = { 0 };

	if (!agent->saver ||
	    !(agent->save_is_final || agent->is_final_wanted) ||
	    (agent->member && !agent->lead))
		return;
	cr_error_set(&why, -ETIMEDOUT,
		     "killed before it was complete (KillWait is %u s): an "
		     "older one counts, if there is one",
		     agent->job.kill_wait);
	if (!cr_failures_tell(&agent->failures, &why, 0))
		return;
	agent_log(agent, LOG_ERR, "checkpoint failed: %s", why.text);
	start_comment(agent, why.text);
}

static void explain(struct agent *agent, const struct cr_error *why)
{
	if (!cr_failures_tell(&agent->failures, why, agent->save_is_final)) {
		agent_log(agent, LOG_ERR,
			  "checkpoint failed, which the user is not told: %s",
			  why->text);
		return;
	}
	agent_say(agent, "checkpoint failed, the program runs on: %s%s",
		  why->text, cr_advice(why->text, agent->step->command));
	start_comment(agent, why->text);
}

/* -ESRCH: it has just ended by itself; -ECANCELED: another one is coming. */
static void not_saved(struct agent *agent, const struct cr_error *why,
		      int is_silent)
{
	/* its steps have been: nothing runs that could run on */
	if (agent->save_is_final && agent_park_has_asked()) {
		agent_begin_anew(agent, why->text);
		return;
	}
	if (is_silent || why->code == -ESRCH ||
	    (agent->member && why->code == -ECANCELED && !agent->save_is_final))
		agent_log(agent, LOG_INFO, "not saved: %s", why->text);
	else
		explain(agent, why);
	if (agent->member && !agent->save_is_final)
		return;
	agent_tell_ranks(agent, CR_MSG_NOT_SAVED, 0);
	if (!agent->save_is_final)
		return;
	agent->phase = AGENT_RUNNING;
	agent_forward_term(agent);
}

static void outcome(struct agent *agent, const struct cr_error *failure,
		    int is_silent)
{
	const struct agent_result *result = &agent->saved;
	const struct cr_checkpoint_stats *stats = &result->stats;

	if (failure) {
		not_saved(agent, failure, is_silent);
		return;
	}
	cr_failures_forget(&agent->failures);
	if (result->err.code)
		agent_log(agent, LOG_WARNING,
			  "checkpoint %u is complete, but: %s",
			  result->generation, result->err.text);
	agent_log(agent, LOG_INFO,
		  "checkpoint %u: %u tasks, %u threads, %llu bytes, frozen for "
		  "%llu ms%s; written in %llu ms, digested in %lld ms",
		  result->generation, stats->nr_tasks, stats->nr_threads,
		  (unsigned long long)stats->file_bytes,
		  (unsigned long long)stats->frozen_ns / 1000000,
		  agent->save_is_final ? ", ended" : "",
		  (unsigned long long)(stats->memory_ns + stats->commit_ns) /
			  1000000,
		  (long long)result->digest_us / 1000);
	if (agent->save_is_final)
		agent_save_for_good(agent);
}

/* The worker's own word. */
static const struct cr_error *failure_of(const struct agent *agent)
{
	return agent->saved.is_saved ? NULL : &agent->saved.err;
}

void agent_save_finish(struct agent *agent, const struct cr_error *failure,
		       int is_silent)
{
	agent_sync_close(agent);
	outcome(agent, failure ? failure : failure_of(agent), is_silent);
}

static void save_done(struct agent *agent, const struct agent_result *result)
{
	const struct cr_error *failure;

	agent->saver = NULL;
	agent->saved = *result;
	failure = failure_of(agent);
	if (!agent->member) {
		outcome(agent, failure, 0);
		agent_status_write(agent);
		if (agent->is_final_wanted)
			agent_save(agent, 1);
		return;
	}
	/* while thawing it is known why */
	if (failure && agent->member->phase != CR_MEMBER_THAWING)
		agent->member->why = *failure;
	agent_member_event(agent,
			   failure ? CR_MEMBER_EV_FAILED : CR_MEMBER_EV_DONE);
}

static int start(struct agent *agent, int sync_fd, struct cr_error *err)
{
	uint32_t nr = agent->step->nr_local_ranks;
	int keep[3 + CR_STEP_RANKS_MAX] = { agent->step_dirfd, sync_fd };

	for (uint32_t i = 0; i < nr; i++)
		keep[3 + i] = agent->ranks[i].counter_fd;
	agent_relay_open_session(agent);
	keep[2] = agent->relay.session;
	if (agent->save_is_final)
		agent_tell_ranks(agent, CR_MSG_SAVING, 0);
	agent->saver = agent_worker_start(agent, "cr-save", agent_saver_work,
					  save_done, SAVE_TIMEOUT_MS, keep,
					  3 + nr, err);
	agent_relay_close_session(agent);
	agent_status_write(agent);
	return agent->saver ? 0 : err->code;
}

int agent_save_start(struct agent *agent, struct cr_error *err)
{
	return agent_sync_start(agent, start, err);
}

void agent_save(struct agent *agent, int is_final)
{
	struct cr_error err = { 0 };

	if (agent->lead) {
		agent_lead_checkpoint(agent, is_final);
		return;
	}
	/* to kill it may end a task whose registers it has borrowed */
	if (agent->saver) {
		agent->is_final_wanted |= is_final;
		return;
	}
	agent->is_final_wanted = 0;
	agent->save_is_final = is_final;
	if (start(agent, -1, &err))
		not_saved(agent, &err, 0);
}

static int any_runs(const struct agent *agent)
{
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		if (!agent->ranks[i].has_ended && agent->ranks[i].program)
			return 1;
	return 0;
}

static void interval_tick(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	const struct timeval period = { agent->config->interval, 0 };

	(void)fd;
	(void)what;
	evtimer_add(agent->interval_timer, &period);
	if (agent->phase != AGENT_RUNNING || agent->saver ||
	    agent->is_suspended || (!agent->member && !any_runs(agent)))
		return;
	if (agent->step->step == CR_STEP_BATCH && agent_clients_any(agent))
		return; /* its steps have their own */
	agent_save(agent, 0);
}

void agent_start_interval(struct agent *agent)
{
	const struct timeval period = { agent->config->interval, 0 };

	if (!agent->config->interval || (agent->member && !agent->lead))
		return;
	agent->interval_timer = evtimer_new(agent->base, interval_tick, agent);
	evtimer_add(agent->interval_timer, &period);
}
