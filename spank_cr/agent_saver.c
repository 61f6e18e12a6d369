/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_saver.c - the worker that saves the trees of this node
 *
 * Image, its digest, then the manifest, and only then are the trees ended.
 * Those that are to go on do so once the image is there.  If it dies before,
 * the kernel lets the trees go on.  Of a step of several nodes it writes its
 * part of the manifest first, waits for the others in between, and the lead
 * agent commits.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_hold.h"
#include "agent_peers.h"
#include "agent_sync.h"
#include "generation.h"
#include "manifest.h"

#define OPEN_TRIES 50 /* with OPEN_PAUSE_US between */
#define OPEN_PAUSE_US 100000

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

/* Neither agent nor lead can tell: the manifest is there, or never will be. */
static int decide(int dirfd, struct cr_error *err)
{
	struct cr_error why = { 0 };
	int rc = cr_manifest_forbid(dirfd, &why);

	if (rc == -EEXIST)
		return 0;
	if (rc && rc != -ENOENT)
		return cr_error_set(err, rc, "%s", why.text);
	return cr_error_set(err, -ECONNRESET,
			    "the agent of node 0 has died or cannot be "
			    "reached");
}

static int write_part(const struct agent *agent, int dirfd,
		      const struct cr_manifest *manifest, struct cr_seal *seal,
		      struct cr_error *err)
{
	char name[CR_MANIFEST_NAME_MAX];

	cr_manifest_name_part(name, agent->step->node);
	return cr_manifest_write_as(dirfd, name, manifest, seal, err);
}

/* All but memory is known: may it be saved?  Whose part it is matters once it
 * is whole. */
static int tell_part(const struct agent *agent, int dirfd,
		     const struct cr_manifest *manifest, struct cr_error *err)
{
	int rc = write_part(agent, dirfd, manifest, NULL, err);

	if (rc)
		return rc;
	return agent_sync_pass(CR_BARRIER_ENDS, manifest->nr_ends, err);
}

/* Our image is there, and our part is whole: wait for the verdict. */
static int await_verdict(int dirfd, struct cr_error *err)
{
	switch (agent_sync_reach(CR_BARRIER_DIGESTED, 0)) {
	case AGENT_SYNC_GO:
		return 0;
	case AGENT_SYNC_LOST:
		return decide(dirfd, err);
	default:
		return cr_error_set(err, -ECANCELED, "another node has failed");
	}
}

/* Make it count: alone, or together with the other nodes. */
static int publish(const struct agent *agent, int dirfd,
		   struct cr_manifest *manifest, struct cr_error *err)
{
	struct cr_seal *seal = agent_manifest_seal(agent);
	int rc;

	if (!agent->member)
		return cr_manifest_write(dirfd, manifest, seal, err);
	rc = write_part(agent, dirfd, manifest, seal, err);
	return rc ? rc : await_verdict(dirfd, err);
}

/* Called while memory is being written, or is not.  Nothing of the tree is in
 * our hands then but that it is stopped: to die is to let it go on. */
static void progress(void *arg, uint64_t done, uint64_t total)
{
	static uint64_t done_before;

	(void)arg;
	if (done != done_before)
		agent_worker_get_on();
	done_before = done;
	agent_sync_progress(done, total);
	if (agent_sync_is_aborted())
		_exit(1);
}

/* All send queues of the step are read, and no receive queue is. */
static int between_queues(void *arg, struct cr_error *err)
{
	(void)arg;
	return agent_sync_pass(CR_BARRIER_QUEUES, 0, err);
}

struct saving {
	struct agent *agent;
	struct cr_manifest *manifest;
	struct cr_error warning;
};

/* The tree is frozen, perhaps once more. */
static int note_frozen(void *arg, struct cr_error *err)
{
	const struct saving *saving = arg;
	int rc = agent_relay_tell(saving->agent, CR_MSG_RELAY_QUIESCE, err);

	if (!rc)
		agent_streams_note(saving->agent, saving->manifest);
	return rc;
}

static int save_frozen(struct saving *saving, struct cr_checkpoint *checkpoint,
		       int dirfd, struct cr_error *err)
{
	struct agent *agent = saving->agent;
	struct cr_manifest *manifest = saving->manifest;
	int rc = agent_sync_pass(CR_BARRIER_FROZEN, 0, err);

	if (!rc)
		rc = note_frozen(saving, err);
	if (!rc)
		rc = cr_checkpoint_collect(checkpoint, err);
	if (!rc && agent->member)
		rc = agent_tcp_note_ends(agent, checkpoint, manifest, err);
	if (!rc && agent->member)
		rc = tell_part(agent, dirfd, manifest, err);
	if (!rc)
		rc = cr_checkpoint_save(checkpoint, err);
	if (!rc)
		rc = agent_hold("write", err);
	if (!rc)
		rc = cr_checkpoint_commit(checkpoint, err);
	if (!rc)
		rc = agent_manifest_note_size(dirfd, manifest, err);
	if (!rc)
		rc = agent_sync_pass(CR_BARRIER_SAVED, manifest->images[0].size,
				     err);
	return rc;
}

/*
 * The image is as it will be.  Who is to go on need not wait for its digest,
 * nor the relay; that a process would not go on is a warning, if it counts.
 */
static int finish_image(struct saving *saving, struct cr_checkpoint *checkpoint,
			int dirfd, struct cr_error *err)
{
	struct agent *agent = saving->agent;
	int rc;

	if (!agent->save_is_final) {
		cr_checkpoint_thaw(checkpoint, &saving->warning);
		agent_relay_close_session(agent);
	}
	rc = agent_manifest_note_digest(agent, dirfd, checkpoint,
					saving->manifest, err);
	return rc ? rc : publish(agent, dirfd, saving->manifest, err);
}

/*
 * It counts, and other nodes may have ended their trees: from here on nothing
 * can fail.  A process that does not end at once, waiting for a file system,
 * say, is a warning.
 */
static void let_go(const struct saving *saving,
		   struct cr_checkpoint *checkpoint,
		   struct agent_result *result)
{
	struct agent *agent = saving->agent;

	result->is_saved = 1;
	result->digest_us = agent->digest_us;
	/* what was tried again, and worked, may have left its words */
	result->err = saving->warning;
	if (agent->save_is_final) {
		agent_relay_tell(agent, CR_MSG_RELAY_HOLD, &result->err);
		if (checkpoint)
			cr_checkpoint_end(checkpoint, &result->err);
	}
	if (checkpoint)
		cr_checkpoint_stats(checkpoint, &result->stats);
}

/* Of several nodes the others wait, frozen, and give up after their timeout. */
static unsigned int patience_ms(const struct agent *agent)
{
	const unsigned int quarter_ms = agent->config->timeout * 1000 / 4;

	return agent->member && quarter_ms < CR_CHECKPOINT_PATIENCE_MS ?
		       quarter_ms :
		       CR_CHECKPOINT_PATIENCE_MS;
}

/* Save into @dirfd and end or thaw. */
static int save_tree(struct agent *agent, int dirfd,
		     struct cr_manifest *manifest, struct cr_root *roots,
		     size_t nr_roots, struct agent_result *result)
{
	const struct cr_step *step = agent->step;
	struct cr_checkpoint *checkpoint = NULL;
	struct saving saving = { .agent = agent, .manifest = manifest };
	cpu_set_t cpus;
	struct cr_checkpoint_options options = {
		.roots = roots,
		.nr_roots = nr_roots,
		.allocation = &cpus,
		.init = agent->keeper.init,
		.dirfd = dirfd,
		.name = manifest->images[0].name,
		.image_fd = -1,
		.patience_ms = patience_ms(agent),
		.again = note_frozen,
		.again_arg = &saving,
		.external = agent_external_save,
		.external_arg = agent,
		.peers_elsewhere = agent->member != NULL,
		.peers_here = agent->nr_groups_here > 1,
		.tcp_close = agent->config->tcp_close,
		.between_queues = between_queues,
		.compression = agent->config->compression,
		.job = step->job,
		.step = step->step,
		.user = step->uid,
		.progress = progress,
	};
	int rc;

	agent_ranks_cpus(agent, &cpus);
	rc = cr_checkpoint_open(&options, &checkpoint, &result->err);
	if (!rc)
		rc = cr_checkpoint_freeze(checkpoint, &result->err);
	if (!rc)
		rc = save_frozen(&saving, checkpoint, dirfd, &result->err);
	if (!rc)
		rc = finish_image(&saving, checkpoint, dirfd, &result->err);
	if (!rc)
		let_go(&saving, checkpoint, result);
	cr_checkpoint_close(checkpoint);
	return rc;
}

/* All ranks of this node have ended: their status is all there is to save. */
static int save_ended(struct agent *agent, int dirfd,
		      struct cr_manifest *manifest, struct agent_result *result)
{
	const struct saving saving = { .agent = agent };
	struct cr_error *err = &result->err;
	int rc = agent_sync_pass(CR_BARRIER_FROZEN, 0, err);

	manifest->images[0].name[0] = '\0';
	if (!rc)
		rc = agent_sync_pass(CR_BARRIER_QUEUES, 0, err);
	if (!rc)
		rc = tell_part(agent, dirfd, manifest, err);
	if (!rc)
		rc = agent_sync_pass(CR_BARRIER_SAVED, 0, err);
	if (!rc)
		rc = publish(agent, dirfd, manifest, err);
	if (!rc)
		let_go(&saving, NULL, result);
	return rc;
}

static int save_into(struct agent *agent, int dirfd,
		     struct cr_manifest *manifest, struct agent_result *result)
{
	struct cr_root *roots =
		calloc(agent->step->nr_local_ranks, sizeof(*roots));
	size_t nr_roots;
	int rc;

	if (!roots)
		return cr_error_set(&result->err, -ENOMEM, "no memory");
	nr_roots = fill_roots(agent, roots);
	if (agent->member && !nr_roots)
		rc = save_ended(agent, dirfd, manifest, result);
	else
		rc = save_tree(agent, dirfd, manifest, roots, nr_roots, result);
	free(roots);
	return rc;
}

/* The lead has made it: another node may see it a moment later. */
static int open_generation(struct agent *agent, struct cr_error *err)
{
	int fd;

	for (int i = 0; i < OPEN_TRIES; i++) {
		fd = cr_generation_open(agent->step_dirfd,
					agent->save_generation, err);
		if (fd != -ENOENT)
			break;
		usleep(OPEN_PAUSE_US);
	}
	if (fd >= 0 && err)
		memset(err, 0, sizeof(*err));
	return fd;
}

/* What is of no use now may be what filled the disk. */
static void remove_own(const struct agent *agent, int dirfd)
{
	char name[CR_MANIFEST_NAME_MAX];

	cr_manifest_name_part(name, agent->step->node);
	unlinkat(dirfd, name, 0);
	snprintf(name, sizeof(name), "node_%u.img", agent->step->node);
	unlinkat(dirfd, name, 0);
}

/* One node of several. */
static void save_part(struct agent *agent, struct cr_manifest *manifest,
		      struct agent_result *result)
{
	int dirfd = open_generation(agent, &result->err);

	if (dirfd < 0)
		return;
	result->generation = manifest->generation = agent->save_generation;
	if (save_into(agent, dirfd, manifest, result))
		remove_own(agent, dirfd);
	close(dirfd);
}

static void save_alone(struct agent *agent, struct cr_manifest *manifest,
		       struct agent_result *result)
{
	struct cr_error why;
	int dirfd, rc;

	dirfd = cr_generation_create(agent->step_dirfd, &result->generation,
				     &result->err);
	if (dirfd < 0) {
		cr_error_prefix(&result->err, "%s/job_%u", agent->config->dir,
				agent->step->job);
		return;
	}
	manifest->generation = result->generation;
	rc = save_into(agent, dirfd, manifest, result);
	close(dirfd);
	if (rc) {
		cr_generation_remove(agent->step_dirfd, result->generation,
				     &why);
		return;
	}
	if (cr_generation_prune(agent->step_dirfd, agent->config->keep, &why) &&
	    !result->err.code)
		cr_error_set(&result->err, why.code, "old checkpoints: %s",
			     why.text);
}

void agent_saver_work(struct agent *agent, struct agent_result *result)
{
	struct cr_manifest manifest = { 0 };

	if (agent_manifest_init(agent, &manifest, &result->err))
		return;
	if (agent->member) {
		agent_sync_use(agent->member->worker_fd);
		save_part(agent, &manifest, result);
	} else {
		save_alone(agent, &manifest, result);
	}
	cr_manifest_free(&manifest);
}
