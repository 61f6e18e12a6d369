/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checkpoint.c - the steps of cr_checkpoint.h, in their order
 *
 * Collecting comes before the image exists: when the verdict is no, nothing
 * has been written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect.h"
#include "cr_tcp.h"
#include "files.h"
#include "remote.h"

int cr_checkpoint_open(const struct cr_checkpoint_options *options,
		       struct cr_checkpoint **checkpointp, struct cr_error *err)
{
	struct cr_checkpoint *checkpoint;

	if (!options->nr_roots)
		return cr_error_set(err, -EINVAL, "no process to save");
	checkpoint = calloc(1, sizeof(*checkpoint));
	if (!checkpoint)
		return cr_error_set(err, -ENOMEM, "out of memory");
	checkpoint->options = *options;
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

static uint32_t vpid_of(void *arg, pid_t pid)
{
	const struct cr_save_task *task = cr_find_task(arg, pid);

	return task ? task->link.vpid : 0;
}

static uint32_t new_space(void *arg, enum cr_space_kind kind, uint64_t length,
			  uint32_t file)
{
	return cr_new_space(arg, kind, length, file);
}

static void refuse(void *arg, const struct cr_error *why)
{
	cr_refuse(arg, "%s", why->text);
}

static int open_file_table(struct cr_checkpoint *checkpoint,
			   struct cr_error *err)
{
	const struct cr_file_table_options options = {
		.roots = checkpoint->options.roots,
		.nr_roots = checkpoint->options.nr_roots,
		.guess_streams = checkpoint->options.guess_streams,
		.peers_elsewhere = checkpoint->options.peers_elsewhere,
		.tcp_close = checkpoint->options.tcp_close,
		.vpid_of = vpid_of,
		.new_space = new_space,
		.arg = checkpoint,
		.external = checkpoint->options.external,
		.external_arg = checkpoint->options.external_arg,
		.refuse = refuse,
	};

	return cr_file_table_create(&options, &checkpoint->files, err);
}

static int is_same_root(const struct cr_save_task *task)
{
	char root[4096];

	/* as seen from here: "/" means the root of the mount namespace */
	return cr_proc_readlink(task->pid, "root", root, sizeof(root), NULL) <
		       0 ||
	       !strcmp(root, "/");
}

static int collect_files(struct cr_checkpoint *checkpoint,
			 struct cr_save_task *task, struct cr_error *err)
{
	struct cr_file_table *files = checkpoint->files;
	struct cr_save_state *state = task->state;
	const uint32_t vpid = task->link.vpid;
	int rc;

	rc = cr_file_table_add_task(files, task->pid, vpid, &state->fds,
				    &state->nr_fds, err);
	if (rc == 0)
		rc = cr_file_table_add_link(files, task->pid, vpid, "exe",
					    &state->mm.exe, err);
	if (rc == 0)
		rc = cr_file_table_add_link(files, task->pid, vpid, "cwd",
					    &state->task.cwd, err);
	if (rc == 0 && !is_same_root(task))
		rc = cr_file_table_add_link(files, task->pid, vpid, "root",
					    &state->task.root, err);
	if (rc == 0)
		rc = cr_file_table_locks(files, task->pid, &state->locks,
					 &state->nr_locks, err);
	return rc;
}

static int collect_zombie(struct cr_save_task *task, struct cr_error *err)
{
	char *text;
	int rc;

	rc = cr_proc_read(task->pid, "comm", &text, NULL, err);
	if (rc < 0)
		return rc;
	text[strcspn(text, "\n")] = '\0';
	snprintf(task->state->task.comm, sizeof(task->state->task.comm),
		 "%.15s", text);
	free(text);
	return 0;
}

static int collect_task(struct cr_checkpoint *checkpoint,
			struct cr_save_task *task, struct cr_error *err)
{
	int rc;

	if (task->is_zombie)
		return collect_zombie(task, err);
	task->space = cr_new_space(checkpoint, CR_SPACE_MM, 0, 0);
	if (!task->space)
		return cr_error_set(err, -ENOMEM, "out of memory");
	task->state->mm.space = task->space;
	rc = cr_collect_process(checkpoint, task, err);
	if (rc == 0)
		rc = collect_files(checkpoint, task, err);
	if (rc == 0)
		rc = cr_collect_vmas(checkpoint, task, err);
	cr_remote_close(task->remote);
	task->remote = NULL;
	return rc;
}

/* What was noted of its call was of ours. */
static int rescue(const struct cr_save_task *task,
		  struct cr_save_thread *thread, struct cr_error *err)
{
	int rc = cr_remote_rescue(task->pid, thread->tid, err);

	if (rc > 0)
		rc = cr_waiting_forget(thread, err);
	return rc;
}

/* A task whose first thread has ended cannot even be looked at. */
static int collect_threads(struct cr_checkpoint *checkpoint,
			   struct cr_error *err)
{
	int rc;

	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		struct cr_save_task *task = checkpoint->tasks[i];

		for (size_t j = 0; j < task->nr_threads; j++) {
			rc = rescue(task, &task->threads[j], err);
			if (rc < 0)
				return rc;
			cr_leave_vdso(task, &task->threads[j]);
			rc = cr_collect_thread(checkpoint, task,
					       &task->threads[j], err);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static int collect(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	int rc;

	checkpoint->clock_shift_ns =
		cr_collect_clock_shift(checkpoint->tasks[0]->pid);
	rc = cr_collect_tree(checkpoint, err);
	if (rc < 0 || checkpoint->nr_refusals)
		return rc;
	rc = collect_threads(checkpoint, err);
	if (rc < 0)
		return rc;
	rc = cr_check_shared(checkpoint, err);
	if (rc < 0)
		return rc;
	rc = open_file_table(checkpoint, err);
	for (size_t i = 0; i < checkpoint->nr_tasks && rc == 0; i++) {
		struct cr_save_task *task = checkpoint->tasks[i];

		rc = collect_task(checkpoint, task, err);
		if (rc < 0)
			cr_error_prefix(err, "process %u (%s)", task->link.vpid,
					task->state->task.comm);
		else
			rc = cr_pack_task(task, err);
		checkpoint->stats.nr_tasks++;
		checkpoint->stats.nr_threads += (uint32_t)task->nr_threads;
	}
	if (rc == 0)
		rc = cr_check_ipc(checkpoint, err);
	if (rc == 0)
		rc = cr_file_table_finish(checkpoint->files, err);
	if (rc == -EOPNOTSUPP && checkpoint->nr_refusals)
		rc = 0; /* all of it has been reported */
	if (rc == 0)
		rc = cr_collect_head(checkpoint, err);
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
		rc = collect(checkpoint, err);
		checkpoint->stats.collect_ns = cr_save_now_ns() - began_ns;
		if (rc < 0)
			return rc;
	} else if (checkpoint->stage != CR_CHECKPOINT_COLLECTED) {
		return cr_error_set(err, -EPROTO, "the tree is not frozen");
	}
	if (!checkpoint->nr_refusals)
		return 0;
	return cr_error_set(err, -EOPNOTSUPP, "%s",
			    checkpoint->refusals[0].text);
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

int cr_checkpoint_save(struct cr_checkpoint *checkpoint, struct cr_error *err)
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
	if (rc < 0)
		return rc;
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
	if (checkpoint->stage < CR_CHECKPOINT_SAVED)
		return cr_error_set(err, -EPROTO, "nothing has been saved");
	return cr_file_table_ends(checkpoint->files, endsp, nr_endsp, err);
}

void cr_checkpoint_stats(const struct cr_checkpoint *checkpoint,
			 struct cr_checkpoint_stats *stats)
{
	*stats = checkpoint->stats;
	if (checkpoint->is_frozen)
		stats->frozen_ns = cr_save_now_ns() - checkpoint->frozen_at_ns;
}

static void free_spaces(struct cr_checkpoint *checkpoint)
{
	for (size_t i = 0; i < checkpoint->nr_spaces; i++) {
		struct cr_save_space *space = checkpoint->spaces[i];

		cr_runs_clear(&space->runs);
		free(space->owners);
		free(space->path);
		free(space);
	}
	free(checkpoint->spaces);
}

void cr_checkpoint_close(struct cr_checkpoint *checkpoint)
{
	int saved_errno = errno;

	if (!checkpoint)
		return;
	if (checkpoint->is_frozen)
		cr_thaw(checkpoint, NULL);
	cr_image_writer_abort(checkpoint->writer);
	cr_file_table_destroy(checkpoint->files);
	for (size_t i = 0; i < checkpoint->nr_known_files; i++)
		free(checkpoint->known_files[i].path);
	free(checkpoint->known_files);
	free_spaces(checkpoint);
	cr_forget_tasks(checkpoint);
	free(checkpoint->refusals);
	free(checkpoint);
	errno = saved_errno;
}
