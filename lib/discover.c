/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discover.c - find the tasks and threads of a tree
 *
 * A tree is its roots and their descendants, and the descendants of the init
 * of their PID namespace, which adopts orphans.  While tasks still run the
 * answer is out of date at once: freeze.c asks until nothing new turns up.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "collect.h"
#include "remote.h"

#define PF_IO_WORKER 0x10 /* the kernel's linux/sched.h */

struct cr_save_task *cr_find_task(const struct cr_checkpoint *checkpoint,
				  pid_t pid)
{
	for (size_t i = 0; i < checkpoint->nr_tasks; i++)
		if (checkpoint->tasks[i]->pid == pid)
			return checkpoint->tasks[i];
	return NULL;
}

static void free_task(struct cr_save_task *task)
{
	cr_free_state(task);
	free(task->threads);
	cr_packed_clear(&task->records);
	cr_vma_list_clear(&task->vmas);
	cr_run_list_clear(&task->pages);
	cr_run_list_clear(&task->exact);
	free(task);
}

void cr_forget_tasks(struct cr_checkpoint *checkpoint)
{
	for (size_t i = 0; i < checkpoint->nr_tasks; i++)
		free_task(checkpoint->tasks[i]);
	free(checkpoint->tasks);
	checkpoint->tasks = NULL;
	checkpoint->nr_tasks = 0;
}

static int add_task(struct cr_checkpoint *checkpoint, pid_t pid, uint32_t rank,
		    size_t *nr_newp)
{
	struct cr_save_task *task;

	if (cr_find_task(checkpoint, pid))
		return 0;
	if (cr_array_grow(&checkpoint->tasks, checkpoint->nr_tasks,
			  sizeof(checkpoint->tasks[0])) < 0)
		return -ENOMEM;
	task = calloc(1, sizeof(*task));
	if (!task)
		return -ENOMEM;
	task->pid = pid;
	task->link.rank = rank;
	checkpoint->tasks[checkpoint->nr_tasks++] = task;
	(*nr_newp)++;
	return 0;
}

static void drop_task(struct cr_checkpoint *checkpoint, size_t index)
{
	free_task(checkpoint->tasks[index]);
	checkpoint->nr_tasks--;
	memmove(&checkpoint->tasks[index], &checkpoint->tasks[index + 1],
		(checkpoint->nr_tasks - index) * sizeof(checkpoint->tasks[0]));
}

/* The children of one thread.  A thread that is gone has none. */
static int add_children(struct cr_checkpoint *checkpoint, pid_t pid, pid_t tid,
			size_t *nr_newp)
{
	char name[64], *text, *at, *end;
	int rc = 0;

	snprintf(name, sizeof(name), "task/%d/children", tid);
	if (cr_proc_read(pid, name, &text, NULL, NULL) < 0)
		return 0;
	for (at = text; rc == 0; at = end) {
		pid_t child = (pid_t)strtol(at, &end, 10);

		if (end == at)
			break;
		if (child != checkpoint->options.init)
			rc = add_task(checkpoint, child, CR_RANK_NONE, nr_newp);
	}
	free(text);
	return rc;
}

/* A kernel thread that io_uring has put into the process: it runs no code of
 * the program, so that nothing can be done in it. */
static int is_io_worker(pid_t tid)
{
	struct cr_proc_stat stat = { 0 };
	char *text;

	if (cr_proc_read(tid, "stat", &text, NULL, NULL) < 0)
		return 0;
	cr_proc_parse_stat(text, &stat);
	free(text);
	return (stat.flags & PF_IO_WORKER) != 0;
}

static int add_thread(struct cr_save_task *task, pid_t tid, size_t *nr_newp)
{
	struct cr_save_thread *thread;

	for (size_t i = 0; i < task->nr_threads; i++)
		if (task->threads[i].tid == tid)
			return 0;
	if (tid != task->pid && is_io_worker(tid)) {
		task->has_io_workers = 1;
		return 0;
	}
	if (cr_array_grow(&task->threads, task->nr_threads,
			  sizeof(task->threads[0])) < 0)
		return -ENOMEM;
	thread = &task->threads[task->nr_threads++];
	memset(thread, 0, sizeof(*thread));
	thread->tid = tid;
	(*nr_newp)++;
	return 0;
}

static char state_of(pid_t pid)
{
	struct cr_proc_stat stat;
	char *text;
	int rc;

	if (cr_proc_read(pid, "stat", &text, NULL, NULL) < 0)
		return 0;
	rc = cr_proc_parse_stat(text, &stat);
	free(text);
	return rc < 0 ? 0 : stat.state;
}

/*
 * The threads of a task and their children.  Returns 1, 0 if the task is gone
 * altogether, -ENOMEM.
 */
static int look_at_task(struct cr_checkpoint *checkpoint,
			struct cr_save_task *task, size_t *nr_newp)
{
	struct dirent *entry;
	char path[64];
	char state;
	DIR *dir;
	int rc = 1;

	state = state_of(task->pid);
	if (!state || state == 'X')
		return 0;
	task->is_zombie = state == 'Z';
	snprintf(path, sizeof(path), "/proc/%d/task", task->pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOMEM ? -ENOMEM : 0;
	while (rc > 0 && (entry = readdir(dir))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid <= 0)
			continue;
		/* the leader may have ended before the other threads */
		if (task->is_zombie && tid != task->pid)
			task->is_zombie = 0;
		if (!task->is_zombie && add_thread(task, tid, nr_newp) < 0)
			rc = -ENOMEM;
		if (add_children(checkpoint, task->pid, tid, nr_newp) < 0)
			rc = -ENOMEM;
	}
	closedir(dir);
	return rc;
}

/* Children that init has adopted. */
static int add_orphans(struct cr_checkpoint *checkpoint, size_t *nr_newp)
{
	pid_t init = checkpoint->options.init;

	if (init <= 0)
		return 0;
	return add_children(checkpoint, init, init, nr_newp);
}

int cr_discover(struct cr_checkpoint *checkpoint, size_t *nr_newp,
		struct cr_error *err)
{
	const struct cr_checkpoint_options *options = &checkpoint->options;
	int rc = 0;

	*nr_newp = 0;
	for (size_t i = 0; i < options->nr_roots && rc == 0; i++)
		rc = add_task(checkpoint, options->roots[i].pid,
			      options->roots[i].rank, nr_newp);
	if (rc == 0)
		rc = add_orphans(checkpoint, nr_newp);
	for (size_t i = 0; i < checkpoint->nr_tasks && rc == 0; i++) {
		struct cr_save_task *task = checkpoint->tasks[i];

		rc = look_at_task(checkpoint, task, nr_newp);
		if (rc == 0 && task->link.rank != CR_RANK_NONE)
			return cr_error_set(err, -ESRCH,
					    "root process %d is gone",
					    task->pid);
		if (rc == 0) {
			drop_task(checkpoint, i--);
			(*nr_newp)++;
		}
		rc = rc < 0 ? rc : 0;
	}
	if (rc < 0)
		return cr_error_set(err, rc, "out of memory");
	return 0;
}
