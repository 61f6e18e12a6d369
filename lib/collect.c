/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect.c - everything of a frozen tree is collected, in the order it takes
 *
 * One kind of state each is in collect_*.c, and files are in files_*.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect.h"
#include "files.h"
#include "remote.h"

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
	cr_refuse_error(arg, why);
}

static int open_file_table(struct cr_checkpoint *checkpoint,
			   struct cr_error *err)
{
	const struct cr_file_table_options options = {
		.roots = checkpoint->options.roots,
		.nr_roots = checkpoint->options.nr_roots,
		.guess_streams = checkpoint->options.guess_streams,
		.peers_elsewhere = checkpoint->options.peers_elsewhere,
		.peers_here = checkpoint->options.peers_here,
		.tcp_close = checkpoint->options.tcp_close,
		.vpid_of = vpid_of,
		.new_space = new_space,
		.kmod = checkpoint->kmod,
		.engine = checkpoint->options.engine,
		.arg = checkpoint,
		.external = checkpoint->options.external,
		.external_arg = checkpoint->options.external_arg,
		.refuse = refuse,
	};

	return cr_file_table_create(&options, &checkpoint->files, err);
}

static int is_same_root(struct cr_checkpoint *checkpoint,
			const struct cr_save_task *task)
{
	const uint64_t identity = task->identities.root;
	char root[4096];

	if (identity && identity == checkpoint->plain_root)
		return 1;
	if (cr_proc_readlink(task->pid, "root", root, sizeof(root), NULL) < 0)
		return 1;
	/* as seen from here: "/" means the root of the mount namespace */
	if (strcmp(root, "/"))
		return 0;
	checkpoint->plain_root = identity;
	return 1;
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
		rc = cr_file_table_add_path(files, task->pid, vpid, "exe",
					    task->identities.exe,
					    &state->mm.exe, err);
	if (rc == 0)
		rc = cr_file_table_add_path(files, task->pid, vpid, "cwd",
					    task->identities.cwd,
					    &state->task.cwd, err);
	if (rc == 0 && !is_same_root(checkpoint, task))
		rc = cr_file_table_add_path(files, task->pid, vpid, "root",
					    task->identities.root,
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
		cr_waiting_forget(thread);
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
			rc = cr_collect_thread(checkpoint, task,
					       &task->threads[j], err);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

int cr_collect_all(struct cr_checkpoint *checkpoint, struct cr_error *err)
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
	/* what follows has the tasks do system calls, which might end them */
	if (rc < 0 || checkpoint->calls_are_filtered)
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
		rc = cr_collect_stops(checkpoint, err);
	if (rc == 0)
		rc = cr_collect_ipc(checkpoint, err);
	if (rc == 0)
		rc = cr_file_table_finish(checkpoint->files, err);
	if (rc == -EOPNOTSUPP && checkpoint->nr_refusals)
		rc = 0; /* all of it has been reported */
	if (rc == 0)
		rc = cr_collect_head(checkpoint, err);
	return rc;
}
