/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checkpoint.c - the steps of cr_checkpoint.h, in their order
 *
 * Collecting comes before the image exists: when the verdict is no, nothing
 * has been written.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "collect.h"
#include "cr_tcp.h"
#include "files.h"
#include "kmod.h"

#define PAUSE_MIN_NS 1000000u
#define PAUSE_MAX_NS 50000000u

int cr_checkpoint_open(const struct cr_checkpoint_options *options,
		       struct cr_checkpoint **checkpointp, struct cr_error *err)
{
	struct cr_checkpoint *checkpoint;
	int rc;

	if (!options->nr_roots)
		return cr_error_set(err, -EINVAL, "no process to save");
	checkpoint = calloc(1, sizeof(*checkpoint));
	if (!checkpoint)
		return cr_error_set(err, -ENOMEM, "out of memory");
	checkpoint->options = *options;
	rc = cr_kmod_open(options->engine, &checkpoint->kmod, err);
	if (rc < 0) {
		free(checkpoint);
		return rc;
	}
	*checkpointp = checkpoint;
	return 0;
}

int cr_checkpoint_freeze(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	int rc;

	if (checkpoint->stage != CR_CHECKPOINT_OPEN)
		return cr_error_set(err, -EPROTO, "frozen before");
	rc = cr_freeze(checkpoint, err);
	if (rc < 0)
		return rc;
	checkpoint->stats.freeze_ns =
		cr_save_now_ns() - checkpoint->frozen_at_ns;
	checkpoint->stage = CR_CHECKPOINT_FROZEN;
	return 0;
}

static void free_spaces(struct cr_checkpoint *checkpoint)
{
	for (size_t i = 0; i < checkpoint->nr_spaces; i++) {
		struct cr_save_space *space = checkpoint->spaces[i];

		cr_runs_clear(&space->runs);
		if (space->content)
			munmap(space->content, space->wire.length);
		free(space->owners);
		cr_mapped_forget(&space->mapped);
		free(space);
	}
	free(checkpoint->spaces);
}

/* All that has been collected; the tree runs. */
static void forget(struct cr_checkpoint *checkpoint)
{
	cr_file_table_destroy(checkpoint->files);
	for (size_t i = 0; i < checkpoint->nr_known_files; i++)
		free(checkpoint->known_files[i].path);
	free(checkpoint->known_files);
	free_spaces(checkpoint);
	cr_forget_tasks(checkpoint);
	free(checkpoint->refusals);
}

/* Is there nothing in the way but what may be gone soon? */
static int is_passing(const struct cr_checkpoint *checkpoint, int rc)
{
	if (rc < 0 || !checkpoint->nr_refusals)
		return rc == -EAGAIN;
	for (size_t i = 0; i < checkpoint->nr_refusals; i++)
		if (checkpoint->refusals[i].code != -EAGAIN)
			return 0;
	return 1;
}

/* Let the tree run for @pause_ns and stop it anew; nothing is known of it. */
static int stop_again(struct cr_checkpoint *checkpoint, uint64_t pause_ns,
		      struct cr_error *err)
{
	const struct timespec pause = { 0, (long)pause_ns };
	const struct cr_checkpoint fresh = {
		.options = checkpoint->options,
		.stage = checkpoint->stage,
		.kmod = checkpoint->kmod,
		.stats.freeze_ns = checkpoint->stats.freeze_ns,
	};
	int rc;

	rc = cr_thaw(checkpoint, err);
	if (rc < 0)
		return rc;
	nanosleep(&pause, NULL);
	forget(checkpoint);
	*checkpoint = fresh;
	rc = cr_freeze(checkpoint, err);
	if (rc == 0 && checkpoint->options.again)
		rc = checkpoint->options.again(checkpoint->options.again_arg,
					       err);
	return rc;
}

/* Collect, again and again while what is in the way may be gone soon. */
static int look(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	const uint64_t limit_ns =
		cr_save_now_ns() + checkpoint->options.patience_ms * 1000000ull;
	uint64_t pause_ns = PAUSE_MIN_NS;
	int rc = cr_collect_all(checkpoint, err);

	while (is_passing(checkpoint, rc) &&
	       cr_save_now_ns() + pause_ns < limit_ns) {
		rc = stop_again(checkpoint, pause_ns, err);
		if (rc < 0)
			return rc;
		if (pause_ns < PAUSE_MAX_NS)
			pause_ns *= 2;
		rc = cr_collect_all(checkpoint, err);
	}
	return rc;
}

/* Collect if that is not done yet; -EOPNOTSUPP if anything was refused. */
static int need_verdict(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	uint64_t began_ns = cr_save_now_ns();
	int rc;

	if (checkpoint->stage == CR_CHECKPOINT_FROZEN) {
		/* whatever comes of it, it is done once only */
		checkpoint->stage = CR_CHECKPOINT_COLLECTED;
		rc = look(checkpoint, err);
		/* not found by the way, but what ended it */
		if (rc == -EOPNOTSUPP && !checkpoint->nr_refusals && err)
			cr_refuse_error(checkpoint, err);
		checkpoint->stats.collect_ns = cr_save_now_ns() - began_ns;
		if (rc < 0)
			return rc;
	} else if (checkpoint->stage != CR_CHECKPOINT_COLLECTED) {
		return cr_error_set(err, -EPROTO, "the tree is not frozen");
	}
	if (!checkpoint->nr_refusals)
		return 0;
	cr_error_set(err, -EOPNOTSUPP, "%s", checkpoint->refusals[0].text);
	if (err && checkpoint->options.patience_ms && is_passing(checkpoint, 0))
		return cr_error_set(err, err->code, "%.400s (tried for %g s)",
				    checkpoint->refusals[0].text,
				    checkpoint->options.patience_ms / 1e3);
	return -EOPNOTSUPP;
}

int cr_checkpoint_verdict(struct cr_checkpoint *checkpoint,
			  void (*report)(void *arg, const struct cr_error *why),
			  void *arg, struct cr_error *err)
{
	int rc = need_verdict(checkpoint, err);

	for (size_t i = 0; report && i < checkpoint->nr_refusals; i++)
		report(arg, &checkpoint->refusals[i]);
	return rc;
}

static int open_writer(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	const struct cr_checkpoint_options *options = &checkpoint->options;
	const struct cr_image_write_options write = {
		.compression = options->compression,
		.nr_workers = options->nr_workers,
		.engine = options->engine,
		.progress = options->progress,
		.progress_arg = options->progress_arg,
	};

	if (options->image_fd >= 0)
		return cr_image_writer_create_fd(options->image_fd, &write,
						 &checkpoint->writer, err);
	return cr_image_writer_create(options->dirfd, options->name, &write,
				      &checkpoint->writer, err);
}

int cr_checkpoint_collect(struct cr_checkpoint *checkpoint,
			  struct cr_error *err)
{
	uint64_t began_ns;
	int rc;

	rc = need_verdict(checkpoint, err);
	if (rc < 0)
		return rc;
	began_ns = cr_save_now_ns();
	rc = cr_split_vmas(checkpoint, err);
	if (rc == 0)
		rc = cr_collect_families(checkpoint, err);
	if (rc == 0)
		rc = cr_file_table_read_tcp(checkpoint->files,
					    checkpoint->options.between_queues,
					    checkpoint->options.between_arg,
					    err);
	checkpoint->stats.collect_ns += cr_save_now_ns() - began_ns;
	if (rc == 0)
		checkpoint->stage = CR_CHECKPOINT_READ;
	return rc;
}

int cr_checkpoint_save(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	uint64_t began_ns;
	int rc = 0;

	if (checkpoint->stage != CR_CHECKPOINT_READ)
		rc = cr_checkpoint_collect(checkpoint, err);
	if (rc == 0)
		rc = open_writer(checkpoint, err);
	if (rc < 0)
		return rc;
	began_ns = cr_save_now_ns();
	rc = cr_checkpoint_write(checkpoint, err);
	if (rc == 0)
		rc = cr_image_writer_drain(checkpoint->writer, err);
	checkpoint->stats.memory_ns = cr_save_now_ns() - began_ns;
	if (rc < 0) {
		cr_image_writer_abort(checkpoint->writer);
		checkpoint->writer = NULL;
		return rc;
	}
	checkpoint->stage = CR_CHECKPOINT_SAVED;
	return 0;
}

int cr_checkpoint_commit(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	struct cr_image_write_stats written;
	uint64_t began_ns = cr_save_now_ns();
	int rc;

	if (checkpoint->stage != CR_CHECKPOINT_SAVED)
		return cr_error_set(err, -EPROTO, "nothing has been saved");
	rc = cr_image_writer_commit(checkpoint->writer, &written, err);
	checkpoint->writer = NULL;
	if (rc < 0)
		return rc;
	checkpoint->stats.commit_ns = cr_save_now_ns() - began_ns;
	checkpoint->stats.memory_bytes = written.memory_bytes;
	checkpoint->stats.zero_bytes = written.zero_bytes;
	checkpoint->stats.stored_bytes = written.stored_bytes;
	checkpoint->stats.kernel_bytes = written.kernel_bytes;
	checkpoint->stats.file_bytes = written.file_bytes;
	checkpoint->stats.monotonic_ns = checkpoint->head.monotonic_ns;
	checkpoint->stats.boottime_ns = checkpoint->head.boottime_ns;
	checkpoint->stage = CR_CHECKPOINT_COMMITTED;
	return 0;
}

static void note_frozen(struct cr_checkpoint *checkpoint)
{
	checkpoint->stats.frozen_ns =
		cr_save_now_ns() - checkpoint->frozen_at_ns;
}

int cr_checkpoint_thaw(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	int rc;

	if (!checkpoint->is_frozen)
		return cr_error_set(err, -EPROTO, "the tree is not frozen");
	rc = cr_thaw(checkpoint, err);
	note_frozen(checkpoint);
	return rc;
}

int cr_checkpoint_end(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	int rc;

	if (!checkpoint->is_frozen)
		return cr_error_set(err, -EPROTO, "the tree is not frozen");
	if (checkpoint->stage >= CR_CHECKPOINT_SAVED)
		cr_file_table_silence_tcp(checkpoint->files, 0);
	rc = cr_end(checkpoint, err);
	if (checkpoint->stage >= CR_CHECKPOINT_SAVED)
		cr_file_table_silence_tcp(checkpoint->files, 1);
	note_frozen(checkpoint);
	return rc;
}

int cr_checkpoint_connections(const struct cr_checkpoint *checkpoint,
			      struct cr_tcp_end **endsp, size_t *nr_endsp,
			      struct cr_error *err)
{
	if (checkpoint->stage < CR_CHECKPOINT_READ)
		return cr_error_set(err, -EPROTO, "nothing has been collected");
	return cr_file_table_ends(checkpoint->files, endsp, nr_endsp, err);
}

void cr_checkpoint_stats(const struct cr_checkpoint *checkpoint,
			 struct cr_checkpoint_stats *stats)
{
	*stats = checkpoint->stats;
	if (checkpoint->is_frozen)
		stats->frozen_ns = cr_save_now_ns() - checkpoint->frozen_at_ns;
}

void cr_checkpoint_close(struct cr_checkpoint *checkpoint)
{
	int saved_errno = errno;

	if (!checkpoint)
		return;
	if (checkpoint->is_frozen)
		cr_thaw(checkpoint, NULL);
	cr_image_writer_abort(checkpoint->writer);
	forget(checkpoint);
	cr_kmod_close(checkpoint->kmod);
	free(checkpoint);
	errno = saved_errno;
}
