/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_tree.c - who is whose parent, and in which order tasks are saved
 *
 * Saved order: roots, then orphans, then level by level, so that every parent
 * comes before its children.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "look.h"

static int read_status(struct cr_save_task *task, struct cr_error *err)
{
	struct cr_proc_status status;
	int rc = cr_proc_read_status(task->pid, "status", &status, err);

	if (rc < 0)
		return rc;
	task->ppid = status.ppid;
	task->link.vpid = status.vpid;
	task->link.pgid = status.vpgid;
	task->link.sid = status.vsid;
	task->ignored = status.ignored;
	task->caught = status.caught;
	task->state->task.umask = status.umask;
	cr_proc_status_free(&status);
	return 0;
}

static int read_stat(struct cr_save_task *task, struct cr_error *err)
{
	struct cr_wire_mm *mm = &task->state->mm;
	struct cr_proc_stat stat;
	char *text;
	int rc;

	rc = cr_proc_read(task->pid, "stat", &text, NULL, err);
	if (rc < 0)
		return rc;
	rc = cr_proc_parse_stat(text, &stat);
	free(text);
	if (rc < 0)
		return cr_error_set(err, rc, "/proc/%d/stat is strange",
				    task->pid);
	task->state->task.exit_signal = stat.exit_signal;
	if (task->is_zombie) {
		task->link.flags |= CR_LINK_F_ZOMBIE;
		task->link.exit_status = stat.exit_code;
		return 0;
	}
	task->terminal = stat.terminal;
	mm->start_code = stat.start_code;
	mm->end_code = stat.end_code;
	mm->start_data = stat.start_data;
	mm->end_data = stat.end_data;
	mm->start_brk = stat.start_brk;
	mm->start_stack = stat.start_stack;
	mm->arg_start = stat.arg_start;
	mm->arg_end = stat.arg_end;
	mm->env_start = stat.env_start;
	mm->env_end = stat.env_end;
	return 0;
}

/* Link of one task; parents are found by the caller. */
static int fill_link(struct cr_checkpoint *checkpoint,
		     struct cr_save_task *task, struct cr_error *err)
{
	int rc;

	task->state = calloc(1, sizeof(*task->state));
	if (!task->state)
		return cr_error_set(err, -ENOMEM, "out of memory");
	rc = cr_look_task(checkpoint, task, err);
	if (rc == 0) {
		rc = read_status(task, err);
		if (rc == 0)
			rc = read_stat(task, err);
	}
	return rc < 0 ? rc : 0;
}

/* The leader comes first, the others as they were made. */
static int compare_threads(const void *a, const void *b)
{
	const struct cr_save_thread *left = a, *right = b;

	return (left->tid > right->tid) - (left->tid < right->tid);
}

static void order_threads(struct cr_save_task *task)
{
	if (task->nr_threads) /* none in a zombie */
		qsort(task->threads, task->nr_threads, sizeof(task->threads[0]),
		      compare_threads);
	for (size_t i = 1; i < task->nr_threads; i++) {
		struct cr_save_thread leader = task->threads[i];

		if (leader.tid != task->pid)
			continue;
		memmove(&task->threads[1], &task->threads[0],
			i * sizeof(leader));
		task->threads[0] = leader;
	}
}

static void find_parents(struct cr_checkpoint *checkpoint)
{
	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		struct cr_save_task *task = checkpoint->tasks[i];

		if (task->link.rank != CR_RANK_NONE)
			continue;
		task->parent = cr_find_task(checkpoint, task->ppid);
		task->link.parent = task->parent ? task->parent->link.vpid : 1;
	}
}

/* 0 for roots, 1 for orphans, then one more than the parent. */
static unsigned int level_of(const struct cr_save_task *task)
{
	unsigned int level = task->link.rank == CR_RANK_NONE ? 1 : 0;

	for (; task->parent; task = task->parent)
		level += task->parent->link.rank == CR_RANK_NONE ? 1 : 2;
	return level;
}

static int compare_tasks(const void *a, const void *b)
{
	const struct cr_save_task *left = *(struct cr_save_task *const *)a;
	const struct cr_save_task *right = *(struct cr_save_task *const *)b;
	unsigned int x = level_of(left), y = level_of(right);

	if (x != y)
		return x < y ? -1 : 1;
	if (!x && left->link.rank != right->link.rank)
		return left->link.rank < right->link.rank ? -1 : 1;
	return (left->link.vpid > right->link.vpid) -
	       (left->link.vpid < right->link.vpid);
}

struct cr_save_task *cr_find_vpid(const struct cr_checkpoint *checkpoint,
				  uint32_t vpid)
{
	for (size_t i = 0; i < checkpoint->nr_tasks; i++)
		if (checkpoint->tasks[i]->link.vpid == vpid)
			return checkpoint->tasks[i];
	return NULL;
}

/* Is @id, a session or group without a leader in the tree, a root's own? */
static int is_outside(const struct cr_checkpoint *checkpoint, uint32_t id,
		      int is_session)
{
	if (!id)
		return 1;
	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		const struct cr_wire_link *link = &checkpoint->tasks[i]->link;

		if (link->rank != CR_RANK_NONE &&
		    id == (is_session ? link->sid : link->pgid))
			return 1;
	}
	return 0;
}

static void flag_link(const struct cr_checkpoint *checkpoint,
		      struct cr_save_task *task)
{
	const struct cr_save_task *leader =
		cr_find_vpid(checkpoint, task->link.sid);
	struct cr_wire_link *link = &task->link;

	if (!leader && is_outside(checkpoint, link->sid, 1))
		link->flags |= CR_LINK_F_SESSION_OUTSIDE;
	if (!cr_find_vpid(checkpoint, link->pgid) &&
	    is_outside(checkpoint, link->pgid, 0))
		link->flags |= CR_LINK_F_PGRP_OUTSIDE;
	if (task->is_zombie)
		return;
	link->nr_threads = (uint32_t)task->nr_threads;
	if (leader && leader->terminal && !task->terminal)
		link->flags |= CR_LINK_F_NO_TERMINAL;
	if (task->threads[0].stop_signal)
		link->flags |= CR_LINK_F_STOPPED;
}

int cr_collect_tree(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	int rc;

	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		rc = fill_link(checkpoint, checkpoint->tasks[i], err);
		if (rc < 0)
			return rc;
		order_threads(checkpoint->tasks[i]);
	}
	find_parents(checkpoint);
	qsort(checkpoint->tasks, checkpoint->nr_tasks,
	      sizeof(checkpoint->tasks[0]), compare_tasks);
	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		struct cr_save_task *task = checkpoint->tasks[i];

		if (!task->is_zombie &&
		    (!task->nr_threads || task->threads[0].tid != task->pid))
			cr_refuse(checkpoint,
				  "process %u: its first thread has ended, "
				  "others still run",
				  task->link.vpid);
		else
			flag_link(checkpoint, task);
	}
	return 0;
}

uint32_t cr_vtid_of(const struct cr_checkpoint *checkpoint, pid_t tid)
{
	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		const struct cr_save_task *task = checkpoint->tasks[i];

		if (task->pid == tid)
			return task->link.vpid;
		for (size_t j = 0; j < task->nr_threads; j++)
			if (task->threads[j].tid == tid)
				return task->threads[j].vtid;
	}
	return 0;
}
