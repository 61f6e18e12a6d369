/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_restart.c - restart a step's trees from the newest image that works
 *
 * The agent's side: which image, when, and what follows from how it went.  The
 * restart itself is in agent_restarter.c.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "agent_hold.h"
#include "agent_park.h"
#include "agent_peers.h"
#include "agent_sync.h"
#include "generation.h"
#include "manifest.h"

/* And as long as the image takes at this rate, to be verified and restored:
 * docs/admin.md names both */
#define RESTART_TIMEOUT_MS 3600000u
#define BYTES_PER_MS 10000u
#define STATUS_FAILED (1 << 8) /* as of wait(2): exit code 1 */

/* Ranks whose programs had ended before the checkpoint end at once. */
static void end_rank(struct agent_rank *rank, int status)
{
	cr_message_tell(rank->status_socket, CR_MSG_STATUS, status);
}

static void release(struct agent *agent)
{
	agent_restarter_close_streams(agent);
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++) {
		if (agent->ranks[i].status_socket >= 0)
			close(agent->ranks[i].status_socket);
		agent->ranks[i].status_socket = -1;
	}
	agent_image_close(agent);
}

static void restarted(struct agent *agent, const struct agent_result *result)
{
	const pid_t *pids = agent_worker_pids(result);
	const struct cr_manifest_ended *ended;

	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++) {
		struct agent_rank *rank = &agent->ranks[i];

		ended = agent_restarter_find_ended(agent, rank->rank);
		if (ended)
			end_rank(rank, (int)ended->status);
		else
			rank->program = pids[i];
	}
	agent_park_go(agent);
	if (agent->restart_keeper.init &&
	    agent->restart_keeper.init != agent->keeper.init) {
		agent_keeper_release(&agent->keeper);
		agent->keeper = agent->restart_keeper;
	}
	release(agent);
	agent->phase = AGENT_RUNNING;
	agent_status_write(agent);
	agent_log(agent, LOG_INFO,
		  "restarted %u rank trees; their image was verified in %lld "
		  "ms",
		  result->nr_roots, (long long)result->digest_us / 1000);
	if (agent->refused.code)
		agent_say(agent,
			  "the newest checkpoint could not be restarted (%s): "
			  "an older one was",
			  agent->refused.text);
	agent->refused.code = 0;
	agent_retry_clear(agent);
	/* it came meanwhile */
	if (agent->has_term && !agent->asker)
		agent_handle_term(agent);
}

/* The job will run again; it has all that it needs for that. */
static void put_off(struct agent *agent)
{
	agent_worker_cancel(agent->restarter);
	agent->restarter = NULL;
	if (agent->is_retry && agent_is_speaker(agent))
		agent_say(agent,
			  "the restart has failed (%s): the job is queued "
			  "again for another try",
			  agent->refused.text);
	agent_save_for_good(agent);
}

static void give_up(struct agent *agent, int on_failure)
{
	if (on_failure == CR_ON_FAILURE_LATER) {
		put_off(agent);
	} else if (on_failure == CR_ON_FAILURE_FAIL) {
		if (agent_is_speaker(agent))
			agent_say(agent, "no checkpoint can be restarted: %s",
				  agent->refused.text);
		for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
			end_rank(&agent->ranks[i], STATUS_FAILED);
	} else {
		for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
			agent->ranks[i].input_before = 0;
		agent->is_restart = 0;
		agent_tell_ranks(agent, CR_MSG_START, 0);
	}
	if (on_failure != CR_ON_FAILURE_LATER)
		agent_retry_clear(agent);
	release(agent);
}

/*
 * Pids and clocks of the first are used up: in there the next image's pids
 * would be taken, or its clocks another's.
 */
static int renew_keeper(struct agent *agent, struct cr_error *err)
{
	int rc;

	if (agent->restart_keeper.init != agent->keeper.init)
		agent_keeper_release(&agent->restart_keeper);
	agent->is_keeper_used = 1;
	rc = agent_hold("namespaces", err);
	if (!rc)
		rc = agent_keeper_start(agent, agent->monotonic_ns,
					agent->boottime_ns,
					&agent->restart_keeper, err);
	return rc;
}

static void try_next(struct agent *agent)
{
	if (agent_image_open_next(agent)) {
		give_up(agent,
			agent_retry(agent, &agent->refused) ?
				CR_ON_FAILURE_LATER :
				agent_retry_last(agent, &agent->refused));
		return;
	}
	agent_restart(agent);
}

/* Of several nodes the lead says what comes next. */
static void failed(struct agent *agent, const struct cr_error *why)
{
	struct agent_member *member = agent->member;

	if (member && member->phase != CR_MEMBER_IDLE) {
		member->why = *why;
		agent_member_event(agent, CR_MEMBER_EV_FAILED);
		return;
	}
	if (!member && agent_retry(agent, why)) {
		agent->refused = *why;
		give_up(agent, CR_ON_FAILURE_LATER);
		return;
	}
	if (!agent->refused.code)
		agent->refused = *why;
	if (!member) {
		try_next(agent);
		return;
	}
	/* it had been let go: the others run */
	member->is_speaker = 1;
	give_up(agent, CR_ON_FAILURE_FAIL);
}

static void done(struct agent *agent, const struct agent_result *result)
{
	agent->restarter = NULL;
	agent_sync_close(agent);
	if (!result->err.code && result->nr_roots) {
		restarted(agent, result);
		return;
	}
	agent_log(agent, LOG_ERR, "restart: %s", result->err.text);
	failed(agent, &result->err);
}

static unsigned int timeout_ms(const struct agent *agent)
{
	const struct cr_manifest_image *image =
		cr_manifest_image(agent->manifest, agent->image_node);
	uint64_t ms = RESTART_TIMEOUT_MS;

	if (image)
		ms += image->size / BYTES_PER_MS;
	return ms < UINT_MAX ? (unsigned int)ms : UINT_MAX;
}

static int start(struct agent *agent, int sync_fd, struct cr_error *err)
{
	int keep[4 * CR_STEP_RANKS_MAX + 5];
	size_t nr_keep = 0;

	if (!agent->restart_keeper.init)
		agent->restart_keeper = agent->keeper;
	agent->is_keeper_used = 1;
	agent_streams_restore(agent);
	agent_relay_open_session(agent);
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++) {
		for (int fd = 0; fd < 3; fd++)
			keep[nr_keep++] = agent->ranks[i].streams[fd];
		keep[nr_keep++] = agent->ranks[i].status_socket;
	}
	keep[nr_keep++] = agent->relay.session;
	keep[nr_keep++] = agent->image_fd;
	keep[nr_keep++] = agent->restart_keeper.init_fd;
	keep[nr_keep++] = sync_fd;
	/* a keeper that no shepherd knows lives as long as the restarter */
	if (agent->restart_keeper.init != agent->keeper.init)
		keep[nr_keep++] = agent->restart_keeper.lifeline;
	agent->restarter =
		agent_worker_start(agent, "cr-restart", agent_restarter_work,
				   done, timeout_ms(agent), keep, nr_keep, err);
	agent_relay_close_session(agent);
	return agent->restarter ? 0 : err->code;
}

int agent_restart_start(struct agent *agent, struct cr_error *err)
{
	return agent_sync_start(agent, start, err);
}

int agent_restart_renew(struct agent *agent, struct cr_error *err)
{
	uint32_t generation = agent->manifest->generation;
	int rc = 0;

	if (!agent->is_keeper_used && agent->keeper_generation == generation)
		return 0;
	if (agent->image_fd >= 0)
		rc = renew_keeper(agent, err);
	if (rc)
		return rc;
	agent->is_keeper_used = 0;
	agent->keeper_generation = generation;
	return 0;
}

void agent_restart_ended(struct agent *agent)
{
	static const struct {
		struct agent_result result;
		pid_t pids[CR_STEP_RANKS_MAX];
	} none;

	restarted(agent, &none.result);
}

void agent_restart_give_up(struct agent *agent, int on_failure)
{
	agent_sync_close(agent);
	give_up(agent, on_failure);
}

void agent_restart(struct agent *agent)
{
	struct cr_error err = { 0 };
	int rc = 0;

	if (agent->member) {
		agent_member_ranks_ready(agent);
		return;
	}
	if (agent->is_keeper_used)
		rc = renew_keeper(agent, &err);
	if (!rc)
		rc = start(agent, -1, &err);
	if (!rc)
		return;
	agent_log(agent, LOG_ERR, "restart: %s", err.text);
	failed(agent, &err);
}

/*
 * None can be used.  What only lacks its seal, or somebody who knows it, is not
 * lost for that: its job waits until it can be used, or the admin has said that
 * it may be.  What may be readable another time is tried in another run, and
 * never given up for a munged that is silent.  For what is damaged the program
 * begins anew.
 */
static int all_refused(struct agent *agent, struct cr_error *err)
{
	free(agent->candidates);
	agent->candidates = NULL;
	if (!agent->nr_candidates)
		return 0;
	*err = agent->refused;
	if (err->code == -ENOKEY)
		return agent_folder_hold(agent, err);
	if (agent_retry_later(agent, err))
		return err->code;
	if (err->code != -ETIMEDOUT &&
	    agent->config->on_failure != CR_ON_FAILURE_FAIL)
		return 0;
	return cr_error_prefix(err, "no checkpoint can be restarted");
}

/* The environment does not say that the job has run before, and slurmctld,
 * which agent_is_first_run() has asked, did not answer. */
static int is_unknown(const struct agent *agent)
{
	return !agent->job.state && agent_folder_has_images(agent);
}

static int cannot_tell(struct agent *agent, struct cr_error *err)
{
	cr_error_set(err, -ETIMEDOUT,
		     "slurmctld does not say whether the job has run before");
	agent_retry_later(agent, err);
	return err->code;
}

int agent_restart_choose(struct agent *agent, struct cr_error *err)
{
	int rc;

	if (!agent->step->restart_count)
		return is_unknown(agent) ? cannot_tell(agent, err) : 0;
	rc = cr_generation_list(agent->step_dirfd, &agent->candidates,
				&agent->nr_candidates, err);
	if (rc) {
		agent_retry_later(agent, err);
		return rc;
	}
	if (!agent->nr_candidates)
		agent_log(agent, LOG_INFO,
			  "the job runs again (restart %u), and there is no "
			  "checkpoint of this step: it begins anew",
			  agent->step->restart_count);
	if (agent->nr_candidates && !agent_image_open_next(agent)) {
		agent->is_restart = 1;
		agent->keeper_generation =
			agent->candidates[agent->next_candidate - 1];
		return 0;
	}
	return all_refused(agent, err);
}
