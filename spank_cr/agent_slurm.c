/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_slurm.c - talk to slurmctld
 *
 * libslurm may block for minutes when slurmctld does not answer: all of this
 * is called in workers, or at the very end.
 */
#include <errno.h>
#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "agent.h"
#include "agent_hold.h"

#define KILL_WAIT_DEFAULT 30u
#define REQUEUE_LATER_SECONDS 300

static int load_job(const struct agent *agent, struct cr_job_view *view,
		    struct cr_error *err)
{
	job_info_msg_t *jobs = NULL;
	const job_info_t *job;
	int rc = -ENOENT;

	if (slurm_load_job(&jobs, agent->step->job, SHOW_DETAIL))
		return cr_error_set(err, -EIO, "ask slurmctld: %s",
				    slurm_strerror(slurm_get_errno()));
	for (uint32_t i = 0; i < jobs->record_count; i++) {
		job = &jobs->job_array[i];
		if (job->job_id != agent->step->job)
			continue;
		view->state = job->job_state;
		view->is_batch = job->batch_flag != 0;
		view->may_requeue = job->requeue != 0;
		view->preempt_time = job->preempt_time;
		view->restart_count = job->restart_cnt;
		view->leader = job->het_job_id ? job->het_job_id : job->job_id;
		rc = 0;
	}
	slurm_free_job_info_msg(jobs);
	if (rc)
		cr_error_set(err, rc, "slurmctld does not know the job");
	return rc;
}

static uint32_t load_kill_wait(void)
{
	slurm_conf_t *conf = NULL;
	uint32_t seconds = KILL_WAIT_DEFAULT;

	if (slurm_load_ctl_conf(0, &conf) == 0 && conf) {
		seconds = conf->kill_wait;
		slurm_free_ctl_conf(conf);
	}
	return seconds;
}

void agent_slurm_ask(struct agent *agent, struct agent_result *result)
{
	slurm_init(NULL);
	result->cause = CR_CAUSE_UNKNOWN;
	if (agent_hold("ask", &result->err))
		return;
	if (load_job(agent, &result->job, &result->err))
		return;
	result->cause = cr_cause_of(&result->job);
	result->job.kill_wait = load_kill_wait();
}

static int place_ranks(const slurm_step_layout_t *layout, uint32_t *node_of,
		       uint32_t nr_ranks)
{
	uint32_t nr = 0;

	for (uint32_t node = 0; node < layout->node_cnt; node++)
		for (uint32_t i = 0; i < layout->tasks[node]; i++, nr++) {
			if (layout->tids[node][i] >= nr_ranks)
				return -ERANGE;
			node_of[layout->tids[node][i]] = node;
		}
	return nr == nr_ranks ? 0 : -ERANGE;
}

int agent_slurm_layout(const struct agent *agent, uint32_t *node_of,
		       struct cr_error *err)
{
	slurm_step_id_t id = { .job_id = agent->step->job,
			       .step_id = agent->step->step,
			       .step_het_comp = NO_VAL };
	slurm_step_layout_t *layout;
	int rc;

	slurm_init(NULL);
	layout = slurm_job_step_layout_get(&id);
	if (!layout)
		return cr_error_set(err, -EIO,
				    "ask slurmctld where the ranks are: %s",
				    slurm_strerror(slurm_get_errno()));
	rc = place_ranks(layout, node_of, agent->step->nr_ranks);
	slurm_job_step_layout_free(layout);
	return rc ? cr_error_set(err, rc, "slurmctld tells of other ranks") : 0;
}

void agent_slurm_node_name(const struct cr_step *step, uint32_t node,
			   char *name, size_t size)
{
	hostlist_t list = slurm_hostlist_create(step->nodes);
	char *host = NULL;

	if (list && slurm_hostlist_count(list) == (int)step->nr_nodes)
		for (uint32_t i = 0; i <= node; i++) {
			free(host);
			host = slurm_hostlist_shift(list);
		}
	snprintf(name, size, "%s", host ? host : "");
	free(host);
	if (list)
		slurm_hostlist_destroy(list);
}

/* Slurm requeues all components of a heterogeneous job, or none.  By whose
 * number was told with the cause, if slurmctld was asked for that. */
static int requeue(const struct agent *agent, uint32_t flags)
{
	struct cr_job_view job = agent->job;
	struct cr_error err = { 0 };

	if (!job.leader && load_job(agent, &job, &err))
		job.leader = agent->step->job;
	return slurm_requeue(job.leader, flags);
}

void agent_slurm_requeue(struct agent *agent, struct agent_result *result)
{
	slurm_init(NULL);
	/* ranks may have been killed for that; else Slurm has asked for it */
	if (agent->is_retry && agent_slurm_is_cancelled(agent))
		return;
	if (requeue(agent, 0))
		cr_error_set(&result->err, -EIO, "requeue the job: %s",
			     slurm_strerror(slurm_get_errno()));
}

void agent_slurm_hold(struct agent *agent, struct agent_result *result)
{
	slurm_init(NULL);
	agent_slurm_comment(agent, agent->refused.text);
	if (requeue(agent, JOB_REQUEUE_HOLD))
		cr_error_set(&result->err, -EIO, "requeue and hold the job: %s",
			     slurm_strerror(slurm_get_errno()));
}

/* The agents of other steps, or of other nodes, may have done it already. */
static int is_our_run(const struct agent *agent, const struct cr_job_view *job)
{
	const uint32_t state = job->state & JOB_STATE_BASE;

	/* if nobody has told us which run is ours, no other can have begun yet:
	 * we have failed because of that just now */
	if (state == JOB_RUNNING)
		return job->restart_count == agent->step->restart_count ||
		       (!agent->step->restart_count && !agent->job.state);
	return state > JOB_SUSPENDED && state != JOB_CANCELLED;
}

void agent_slurm_requeue_later(struct agent *agent)
{
	struct cr_job_view job = { 0 };
	struct cr_error err = { 0 };

	slurm_init(NULL);
	for (int i = 0; i < REQUEUE_LATER_SECONDS; i++) {
		if (!load_job(agent, &job, &err) &&
		    !(job.state & JOB_COMPLETING))
			break;
		sleep(1);
	}
	if (!is_our_run(agent, &job))
		return;
	if (slurm_requeue(job.leader, 0))
		agent_log(agent, LOG_ERR,
			  "the job is to go on, but cannot be requeued: %s",
			  slurm_strerror(slurm_get_errno()));
	else
		agent_log(agent, LOG_INFO, "requeued");
}

int agent_slurm_is_cancelled(const struct agent *agent)
{
	struct cr_job_view job = { 0 };
	struct cr_error err = { 0 };

	slurm_init(NULL);
	return !load_job(agent, &job, &err) &&
	       (job.state & JOB_STATE_BASE) == JOB_CANCELLED;
}

void agent_slurm_comment(const struct agent *agent, const char *text)
{
	char comment[CR_ERROR_TEXT_MAX + 32];
	job_desc_msg_t update;

	slurm_init_job_desc_msg(&update);
	snprintf(comment, sizeof(comment), "spank_cr: %s", text);
	update.job_id = agent->step->job;
	update.admin_comment = comment;
	if (slurm_update_job(&update))
		agent_log(agent, LOG_WARNING, "job comment: %s",
			  slurm_strerror(slurm_get_errno()));
}
