/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_save.c - make a checkpoint, and what follows from how it went
 *
 * A worker saves: image, then manifest, and only then are the trees ended (or
 * thawed).  If the worker dies before, the kernel lets the trees go on.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "advice.h"
#include "agent.h"
#include "generation.h"
#include "manifest.h"

#define SAVE_TIMEOUT_MS (3600u * 1000)
#define REQUEUE_TIMEOUT_MS 10000
/* Between requeueing and ending a step, so that the script that started it is
 * held before it sees its srun end. */
#define LINGER_MS 2000

/* --- in the worker --- */

static size_t fill_roots(const struct agent *agent, struct cr_root *roots)
{
	size_t nr = 0;

	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++) {
		const struct agent_rank *rank = &agent->ranks[i];

		if (rank->has_ended || !rank->program)
			continue;
		roots[nr++] =
			(struct cr_root){ .pid = rank->program,
					  .rank = rank->rank,
					  .stream_holder = rank->shepherd };
	}
	return nr;
}

static void note_ended(const struct agent *agent, struct cr_manifest *manifest)
{
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		if (agent->ranks[i].has_ended)
			manifest->ended[manifest->nr_ended++] =
				(struct cr_manifest_ended){
					.rank = agent->ranks[i].rank,
					.status =
						(uint32_t)agent->ranks[i].status
				};
}

static int manifest_init(const struct agent *agent,
			 struct cr_manifest *manifest, struct cr_error *err)
{
	const struct cr_step *step = agent->step;

	*manifest = (struct cr_manifest){
		.job = step->job,
		.step = step->step,
		.uid = step->uid,
		.nr_nodes = step->nr_nodes,
		.nr_ranks = step->nr_ranks,
		.restart_count = step->restart_count,
		.is_final = agent->save_is_final,
		.time = time(NULL),
		.images = calloc(1, sizeof(struct cr_manifest_image)),
		.nr_images = 1,
		.streams = calloc(3ul * step->nr_local_ranks,
				  sizeof(struct cr_manifest_stream)),
		.ended = calloc(step->nr_local_ranks,
				sizeof(struct cr_manifest_ended)),
	};
	if (!manifest->images || !manifest->streams || !manifest->ended)
		return cr_error_set(err, -ENOMEM, "no memory");
	snprintf(manifest->command, sizeof(manifest->command), "%s",
		 step->command);
	snprintf(manifest->identity, sizeof(manifest->identity), "%s",
		 step->identity);
	manifest->images[0].node = step->node;
	snprintf(manifest->images[0].name, sizeof(manifest->images[0].name),
		 "node_%u.img", step->node);
	note_ended(agent, manifest);
	return 0;
}

static int write_manifest(int dirfd, struct cr_manifest *manifest,
			  struct cr_error *err)
{
	struct stat st;

	if (fstatat(dirfd, manifest->images[0].name, &st, AT_SYMLINK_NOFOLLOW) <
	    0)
		return cr_error_errno(err, "stat the image");
	manifest->images[0].size = (uint64_t)st.st_size;
	return cr_manifest_write(dirfd, manifest, err);
}

/* Save into @dirfd and end or thaw. */
static int save_tree(struct agent *agent, int dirfd,
		     struct cr_manifest *manifest, struct agent_result *result)
{
	const struct cr_step *step = agent->step;
	struct cr_root *roots = calloc(step->nr_local_ranks, sizeof(*roots));
	struct cr_checkpoint *checkpoint = NULL;
	cpu_set_t cpus;
	struct cr_checkpoint_options options = {
		.roots = roots,
		.allocation = &cpus,
		.init = agent->keeper.init,
		.dirfd = dirfd,
		.name = manifest->images[0].name,
		.image_fd = -1,
		.external = agent_external_save,
		.external_arg = agent,
		.compression = agent->config->compression,
		.job = step->job,
		.step = step->step,
	};
	int rc;

	if (!roots)
		return cr_error_set(&result->err, -ENOMEM, "no memory");
	options.nr_roots = fill_roots(agent, roots);
	agent_ranks_cpus(agent, &cpus);
	rc = cr_checkpoint_open(&options, &checkpoint, &result->err);
	if (!rc)
		rc = cr_checkpoint_freeze(checkpoint, &result->err);
	if (!rc)
		rc = agent_relay_tell(agent, CR_MSG_RELAY_QUIESCE,
				      &result->err);
	if (!rc) {
		agent_streams_note(agent, manifest);
		rc = cr_checkpoint_save(checkpoint, &result->err);
	}
	if (!rc)
		rc = cr_checkpoint_commit(checkpoint, &result->err);
	if (!rc)
		rc = write_manifest(dirfd, manifest, &result->err);
	if (!rc && agent->save_is_final)
		rc = agent_relay_tell(agent, CR_MSG_RELAY_HOLD, &result->err);
	if (!rc)
		rc = agent->save_is_final ?
			     cr_checkpoint_end(checkpoint, &result->err) :
			     cr_checkpoint_thaw(checkpoint, &result->err);
	if (!rc)
		cr_checkpoint_stats(checkpoint, &result->stats);
	cr_checkpoint_close(checkpoint);
	free(roots);
	return rc;
}

static void save(struct agent *agent, struct agent_result *result)
{
	struct cr_manifest manifest = { 0 };
	struct cr_error ignored;
	int dirfd, rc;

	rc = manifest_init(agent, &manifest, &result->err);
	if (rc)
		return;
	dirfd = cr_generation_create(agent->step_dirfd, &result->generation,
				     &result->err);
	if (dirfd < 0)
		return;
	manifest.generation = result->generation;
	rc = save_tree(agent, dirfd, &manifest, result);
	close(dirfd);
	if (rc)
		cr_generation_remove(agent->step_dirfd, result->generation,
				     &ignored);
	else
		cr_generation_prune(agent->step_dirfd, agent->config->keep,
				    &result->err);
	cr_manifest_free(&manifest);
}

/* --- in the agent --- */

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

static void saved_for_good(struct agent *agent)
{
	struct cr_error err = { 0 };

	agent->phase = AGENT_SAVED;
	/* In a grace time Slurm would wait for its end, or for the job's:
	 * and the job would complete.  Out of time, it would not run again. */
	if (agent->cause == CR_CAUSE_PREEMPT ||
	    agent->cause == CR_CAUSE_TIME_LIMIT) {
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

static void not_saved(struct agent *agent, const struct cr_error *why)
{
	agent_say(agent, "checkpoint failed, the program runs on: %s%s",
		  why->text, cr_advice(why->text));
	snprintf(comment, sizeof(comment), "step %s: checkpoint failed: %.400s",
		 agent->step->name, why->text);
	agent_worker_start(agent, "cr-comment", put_comment, comment_put,
			   REQUEUE_TIMEOUT_MS, NULL, 0, NULL);
	agent_tell_ranks(agent, CR_MSG_NOT_SAVED, 0);
	if (!agent->save_is_final)
		return;
	agent->phase = AGENT_RUNNING;
	agent_forward_term(agent);
}

static void save_done(struct agent *agent, const struct agent_result *result)
{
	const struct cr_checkpoint_stats *stats = &result->stats;

	agent->saver = NULL;
	if (result->err.code == -ESRCH) {
		/* it has just ended by itself */
		agent_log(agent, LOG_INFO, "not saved: %s", result->err.text);
		agent_tell_ranks(agent, CR_MSG_NOT_SAVED, 0);
		agent->phase = AGENT_RUNNING;
		agent_forward_term(agent);
		return;
	}
	if (result->err.code && !stats->file_bytes) {
		not_saved(agent, &result->err);
		return;
	}
	if (result->err.code)
		agent_log(agent, LOG_WARNING, "old checkpoints: %s",
			  result->err.text);
	agent_log(agent, LOG_INFO,
		  "checkpoint %u: %u tasks, %u threads, %llu bytes, frozen for "
		  "%llu ms%s",
		  result->generation, stats->nr_tasks, stats->nr_threads,
		  (unsigned long long)stats->file_bytes,
		  (unsigned long long)stats->frozen_ns / 1000000,
		  agent->save_is_final ? ", ended" : "");
	if (agent->save_is_final)
		saved_for_good(agent);
}

void agent_save(struct agent *agent, int is_final)
{
	uint32_t nr = agent->step->nr_local_ranks;
	int keep[2 + CR_STEP_RANKS_MAX] = { agent->step_dirfd };
	struct cr_error err = { 0 };

	for (uint32_t i = 0; i < nr; i++)
		keep[1 + i] = agent->ranks[i].counter_fd;
	agent_worker_cancel(agent->saver);
	agent_relay_open_session(agent);
	keep[1 + nr] = agent->relay.session;
	agent->save_is_final = is_final;
	if (is_final)
		agent_tell_ranks(agent, CR_MSG_SAVING, 0);
	agent->saver = agent_worker_start(agent, "cr-save", save, save_done,
					  SAVE_TIMEOUT_MS, keep, 2 + nr, &err);
	agent_relay_close_session(agent);
	if (!agent->saver)
		not_saved(agent, &err);
}

static void interval_tick(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	const struct timeval period = { agent->config->interval, 0 };

	(void)fd;
	(void)what;
	evtimer_add(agent->interval_timer, &period);
	if (agent->phase != AGENT_RUNNING || agent->saver ||
	    agent->is_suspended)
		return;
	if (agent->step->step == CR_STEP_BATCH &&
	    agent_clients_any(agent->ranks[0].program))
		return; /* its steps have their own */
	agent_save(agent, 0);
}

void agent_start_interval(struct agent *agent)
{
	const struct timeval period = { agent->config->interval, 0 };

	if (!agent->config->interval)
		return;
	agent->interval_timer = evtimer_new(agent->base, interval_tick, agent);
	evtimer_add(agent->interval_timer, &period);
}
