/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_folder.c - the step's folder in the checkpoint directory, and what to
 * do without it
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <syslog.h>

#include "agent.h"
#include "claim.h"
#include "generation.h"

#define PROBE_TIMEOUT_MS 8000
#define ASK_TIMEOUT_MS 8000
#define HOLD_TIMEOUT_MS 8000

int agent_folder_has_images(const struct agent *agent)
{
	uint32_t *numbers = NULL;
	size_t nr = 0;

	if (cr_generation_list(agent->step_dirfd, &numbers, &nr, NULL))
		return 1;
	free(numbers);
	return nr > 0;
}

static void asked(struct agent *agent, const struct agent_result *result)
{
	agent->asker = NULL;
	if (result->err.code)
		agent_log(agent, LOG_WARNING, "%s", result->err.text);
	else
		agent->step->restart_count = result->job.restart_count;
	agent->job = result->job;
}

/* The environment does not always have it.  Once, if there is an answer. */
static void ask_restart_count(struct agent *agent)
{
	if (agent->job.state)
		return;
	agent->asker = agent_worker_start(agent, "cr-ask", agent_slurm_ask,
					  asked, ASK_TIMEOUT_MS, NULL, 0, NULL);
	while (agent->asker)
		event_base_loop(agent->base, EVLOOP_ONCE);
}

int agent_is_first_run(struct agent *agent)
{
	uint32_t before = agent->step->restart_count;

	ask_restart_count(agent);
	return !before && !agent->step->restart_count && agent->job.state;
}

/* In a worker: a file system that does not answer holds who asks. */
static void probe(struct agent *agent, struct agent_result *result)
{
	struct statfs about;
	int fd = cr_generation_open_dir(agent->config, agent->step,
					&result->err);

	if (fd >= 0 && fstatfs(fd, &about) < 0)
		cr_error_errno(&result->err, "checkpoint directory %s",
			       agent->config->dir);
}

static struct cr_error probe_error;

static void probed(struct agent *agent, const struct agent_result *result)
{
	agent->asker = NULL;
	probe_error = result->err;
	if (probe_error.code == -ETIMEDOUT)
		cr_error_set(&probe_error, -ETIMEDOUT,
			     "checkpoint directory %s does not answer within "
			     "%d s",
			     agent->config->dir, PROBE_TIMEOUT_MS / 1000);
}

static int probe_dir(struct agent *agent, struct cr_error *err)
{
	agent->asker = agent_worker_start(agent, "cr-probe", probe, probed,
					  PROBE_TIMEOUT_MS, NULL, 0, err);
	if (!agent->asker)
		return err->code;
	while (agent->asker)
		event_base_loop(agent->base, EVLOOP_ONCE);
	*err = probe_error;
	return err->code;
}

static int open_folder(struct agent *agent, struct cr_error *err)
{
	struct cr_error ignored;
	int rc;

	if (probe_dir(agent, err))
		return err->code;
	agent->dirfd = cr_generation_open_dir(agent->config, agent->step, err);
	if (agent->dirfd < 0)
		return agent->dirfd;
	rc = agent_groups_choose(agent, err);
	if (rc)
		return rc;
	if (agent->step->node > 0)
		return 0; /* the lead chooses the folder */
	agent->step_dirfd =
		cr_claim_step(agent->dirfd, agent->step, &agent->lock_fd, err);
	if (agent->step_dirfd < 0)
		return agent->step_dirfd;
	if (agent->lock_fd < 0)
		agent_log(agent, LOG_WARNING, "the step's folder: no lock: %s",
			  agent->lock_fd == -EWOULDBLOCK ?
				  "another agent lives" :
				  strerror(-agent->lock_fd));
	if (agent_folder_has_images(agent) && agent_is_first_run(agent))
		cr_generation_prune(agent->step_dirfd, 0, &ignored);
	if (agent->step->step != CR_STEP_BATCH)
		return cr_generation_mark_steps(agent->dirfd, agent->step, err);
	cr_generation_forget_over(agent->dirfd, agent->step);
	/* steps of other components do not see this folder */
	return agent->step->nr_components ?
		       cr_generation_mark_steps(agent->dirfd, agent->step,
						err) :
		       0;
}

static int is_held;

static void held(struct agent *agent, const struct agent_result *result)
{
	agent->requeuer = NULL;
	is_held = !result->err.code;
	if (!is_held)
		agent_log(agent, LOG_ERR, "%s", result->err.text);
}

static int hold_job(struct agent *agent)
{
	agent->requeuer =
		agent_worker_start(agent, "cr-requeue", agent_slurm_hold, held,
				   HOLD_TIMEOUT_MS, NULL, 0, NULL);
	while (agent->requeuer)
		event_base_loop(agent->base, EVLOOP_ONCE);
	return is_held;
}

/*
 * A directory that a user has asked for fails the step.  With that of the
 * admin all jobs of the cluster would fail, one after the other: one that runs
 * for the first time can do without, and one that would lose what it has done
 * waits until somebody has put it right.
 */
static int do_without(struct agent *agent, struct cr_error *err)
{
	agent_log(agent, LOG_ERR, "no checkpoints: %s", err->text);
	if (agent->config->dir_is_users)
		return err->code;
	ask_restart_count(agent);
	if (!agent->step->restart_count)
		return CR_SETUP_WITHOUT;
	return agent_folder_hold(agent, err);
}

int agent_folder_hold(struct agent *agent, struct cr_error *err)
{
	agent->refused = *err;
	if (!hold_job(agent))
		return err->code;
	return cr_error_set(err, agent->refused.code,
			    "%.300s: the job is queued again and held; when "
			    "that is put right: scontrol release %u",
			    agent->refused.text, agent->step->job);
}

int agent_folder_open(struct agent *agent, struct cr_error *err)
{
	const int rc = open_folder(agent, err);

	if (!rc || agent->requeue_later)
		return rc;
	return do_without(agent, err);
}
