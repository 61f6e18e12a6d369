/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_term.c - SIGTERM has come, or the job is to be preempted: what now?
 *
 * Slurm's record of the job tells the cause.  The job will run again: make a
 * final checkpoint.  It will not: pass the signal on, as without us.
 */
#include <signal.h>
#include <syslog.h>

#include "agent_park.h"
#include "agent_peers.h"
#include "generation.h"

#define ASK_TIMEOUT_MS 5000
#define CLIENTS_POLL_MS 100
#define CLIENTS_MARGIN 2 /* seconds before Slurm's SIGKILL */

/* A batch script in which an srun runs: it cannot be saved as it is. */
static int has_clients(const struct agent *agent)
{
	return agent->step->step == CR_STEP_BATCH && agent_clients_any(agent);
}

/* Such a script whose steps are saved. */
static int has_saved_clients(const struct agent *agent)
{
	return has_clients(agent) &&
	       cr_generation_has_steps(agent->dirfd, agent->step);
}

/*
 * Stop a script whose steps are saved, also between two of them, but for its
 * sruns, which deliver what they have, and park.
 */
static void hold_script(struct agent *agent)
{
	if (agent->step->step != CR_STEP_BATCH || agent->holds_script ||
	    agent->ranks[0].program <= 0 ||
	    !cr_generation_has_steps(agent->dirfd, agent->step))
		return;
	agent->holds_script = 1;
	agent_clients_signal_others(agent, SIGSTOP);
	agent_output_note(agent);
	agent_park_ask(agent);
}

static void let_script_go(struct agent *agent)
{
	/* its sruns may have ended since it was stopped */
	if (agent->holds_script)
		agent_clients_signal_others(agent, SIGCONT);
	agent->holds_script = 0;
	agent_park_release(agent);
}

void agent_forward_term(struct agent *agent)
{
	let_script_go(agent);
	if (agent->has_term)
		agent_tell_ranks(agent, CR_MSG_FORWARD, SIGTERM);
	agent->has_forwarded_term |= agent->has_term;
	agent->has_term = 0;
}

/* One that has failed since the restart of its step was put off: as it is now
 * the script would not start it again.  What is requeued has been counted. */
static int has_lost_client(const struct agent *agent)
{
	const uint32_t run =
		agent->job.restart_count - (agent->cause == CR_CAUSE_REQUEUE);

	return agent->step->step == CR_STEP_BATCH &&
	       cr_generation_job_is_put_off(agent->dirfd, agent->step, run);
}

static void end_script(struct agent *agent)
{
	pid_t root = agent->ranks[0].program;

	if (root > 0)
		kill(root, SIGKILL);
}

void agent_begin_anew(struct agent *agent, const char *why)
{
	agent_park_release(agent);
	agent_log(agent, LOG_INFO,
		  "%s: the script ends, and begins anew when the job starts "
		  "again",
		  why);
	agent_output_keep(agent, end_script);
}

static void clients_tick(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval tick = { 0, CLIENTS_POLL_MS * 1000L };
	struct agent *agent = arg;

	(void)fd;
	(void)what;
	if (agent->holds_script)
		agent_park_ask(agent);
	if ((has_saved_clients(agent) || agent_park_is_busy(agent)) &&
	    agent_now_ms() < agent->clients_deadline_ms)
		evtimer_add(agent->clients_timer, &tick);
	else if (agent_park_is_done(agent))
		agent_save(agent, 1);
	else
		agent_begin_anew(agent, "the script's steps are over");
}

/* Until the sruns of a script that is held have ended or parked.  Then save it,
 * or, if one cannot park, end it. */
static void wait_for_clients(struct agent *agent)
{
	uint32_t seconds = agent->job.kill_wait;

	if (agent_park_has_asked())
		agent_log(agent, LOG_INFO,
			  "the script waits for srun: it is saved when that "
			  "has parked");
	else
		agent_log(agent, LOG_INFO,
			  "the script waits for srun: it is not saved, its "
			  "steps are");
	seconds = seconds > CLIENTS_MARGIN ? seconds - CLIENTS_MARGIN : 1;
	agent->clients_deadline_ms = agent_now_ms() + seconds * 1000LL;
	if (!agent->clients_timer)
		agent->clients_timer =
			evtimer_new(agent->base, clients_tick, agent);
	clients_tick(-1, 0, agent);
}

static void do_not_save(struct agent *agent)
{
	/* the job will not run again: periodic images are of no more use */
	if (agent->cause != CR_CAUSE_SIGNAL)
		agent->remove_images = 1;
	if (agent->cause != CR_CAUSE_SIGNAL && agent->cause != CR_CAUSE_CANCEL)
		agent_log(agent, LOG_INFO,
			  "%s, but the job cannot be requeued: not saved",
			  cr_cause_name(agent->cause));
	agent->phase = AGENT_RUNNING;
	agent_forward_term(agent);
	if (agent->lead)
		agent_lead_forward(agent);
}

/* Its steps are without checkpoints: so is the job. */
static void leave_to_slurm(struct agent *agent)
{
	agent_log(
		agent, LOG_INFO,
		"the script waits for an srun without checkpoints: not saved");
	agent_clients_explain(agent);
	agent->phase = AGENT_RUNNING;
	agent_forward_term(agent);
}

/*
 * Nothing is to be saved that is not saved already: end the restart.  What it
 * was made from remains for the next one, unless nobody will want that.  A
 * signal, and what we cannot tell, waits until the program runs.
 */
static void end_restart(struct agent *agent)
{
	if (agent->cause == CR_CAUSE_CANCEL)
		agent->remove_images = 1;
	else if (agent->cause == CR_CAUSE_UNKNOWN ||
		 !cr_cause_saves(agent->cause, &agent->job))
		return;
	agent_log(agent, LOG_INFO, "the restart is given up");
	if (agent->lead)
		agent_lead_give_up(agent, CR_ON_FAILURE_LATER, "");
	else
		agent_restart_give_up(agent, CR_ON_FAILURE_LATER);
}

/* A script that is held cannot see what has become of its sruns since. */
static void save_or_wait(struct agent *agent)
{
	const int has_lost = has_lost_client(agent);

	hold_script(agent);
	if (has_lost)
		agent_park_give_up(agent);
	if (has_lost || agent_park_has_asked() || has_saved_clients(agent))
		wait_for_clients(agent);
	else if (has_clients(agent))
		leave_to_slurm(agent);
	else
		agent_save(agent, 1);
}

static void asked(struct agent *agent, const struct agent_result *result)
{
	agent->asker = NULL;
	agent->job = result->job;
	agent->cause = result->cause;
	if (result->err.code) {
		agent->cause = CR_CAUSE_UNKNOWN;
		agent_log(agent, LOG_WARNING, "%s", result->err.text);
	}
	agent_log(agent, LOG_INFO, "SIGTERM: %s (state 0x%x)",
		  cr_cause_name(agent->cause), agent->job.state);
	if (agent->phase == AGENT_GATHERING) {
		end_restart(agent);
		return;
	}
	agent->phase = AGENT_SAVING;
	if (!cr_cause_saves(agent->cause, &agent->job))
		do_not_save(agent);
	else
		save_or_wait(agent);
}

void agent_ask_cause(struct agent *agent)
{
	struct cr_error err = { 0 };

	if (agent->phase != AGENT_GATHERING)
		agent->phase = AGENT_SAVING;
	else if (agent->asker)
		return;
	agent_worker_cancel(agent->asker);
	agent->asker = agent_worker_start(agent, "cr-ask", agent_slurm_ask,
					  asked, ASK_TIMEOUT_MS, NULL, 0, &err);
	if (agent->asker)
		return;
	agent_log(agent, LOG_ERR, "%s", err.text);
	if (agent->phase == AGENT_GATHERING)
		return;
	agent->phase = AGENT_RUNNING;
	agent_forward_term(agent);
	if (agent->lead)
		agent_lead_forward(agent);
}

void agent_handle_term(struct agent *agent)
{
	agent->has_term = 1;
	if (agent->phase == AGENT_GATHERING && !agent->is_restart) {
		agent_forward_term(agent);
		return;
	}
	if (agent->phase != AGENT_GATHERING && agent->phase != AGENT_RUNNING)
		return;
	if (agent->member) {
		agent_member_term(agent);
		return;
	}
	hold_script(agent);
	agent_ask_cause(agent);
}

/* --- a batch script hears nothing before its grace time is over: look --- */

static void arm_poll(struct agent *agent)
{
	const struct timeval period = { agent->config->poll, 0 };

	evtimer_add(agent->poll_timer, &period);
}

static void polled(struct agent *agent, const struct agent_result *result)
{
	agent->asker = NULL;
	if (agent->phase != AGENT_RUNNING || result->err.code ||
	    result->cause != CR_CAUSE_PREEMPT)
		return;
	/* once is enough: at the end of the grace time comes SIGTERM */
	evtimer_del(agent->poll_timer);
	if (!cr_cause_saves(result->cause, &result->job) || has_clients(agent))
		return;
	hold_script(agent);
	if (has_clients(agent)) {
		let_script_go(agent);
		return;
	}
	agent_log(agent, LOG_INFO, "the job is to be preempted");
	agent->cause = result->cause;
	agent->job = result->job;
	agent->phase = AGENT_SAVING;
	agent_save(agent, 1);
}

/* A SIGTERM may take the question over, or somebody else ask just now: the next
 * look does not depend on what becomes of this one. */
static void poll_tick(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;

	(void)fd;
	(void)what;
	arm_poll(agent);
	agent_clients_explain(agent);
	if (agent->phase == AGENT_RUNNING && !agent->asker)
		agent->asker =
			agent_worker_start(agent, "cr-ask", agent_slurm_ask,
					   polled, ASK_TIMEOUT_MS, NULL, 0,
					   NULL);
}

void agent_start_poll(struct agent *agent)
{
	if (agent->step->step != CR_STEP_BATCH || !agent->config->poll)
		return;
	agent->poll_timer = evtimer_new(agent->base, poll_tick, agent);
	arm_poll(agent);
}
