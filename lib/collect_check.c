/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_check.c - refuse what tasks may not share or be in
 *
 * Processes that share memory, descriptors, or signal handlers with another
 * process (clone(2) without CLONE_THREAD), namespaces other than the root's,
 * and system call filters.  kcmp(2) gives an order, so sorting finds the
 * pairs; and so do the identities that the module tells.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>

#include "array.h"
#include "collect.h"

void cr_refuse_error(struct cr_checkpoint *checkpoint,
		     const struct cr_error *why)
{
	if (cr_array_grow(&checkpoint->refusals, checkpoint->nr_refusals,
			  sizeof(*why)) < 0)
		return; /* there are others already */
	checkpoint->refusals[checkpoint->nr_refusals++] = *why;
}

void cr_refuse(struct cr_checkpoint *checkpoint, const char *fmt, ...)
{
	struct cr_error why = { .code = -EOPNOTSUPP };
	va_list args;

	va_start(args, fmt);
	vsnprintf(why.text, sizeof(why.text), fmt, args);
	va_end(args);
	cr_error_one_line(why.text);
	cr_refuse_error(checkpoint, &why);
}

/* As kcmp(2) says it: 0 same, 1 less, 2 greater; or a negative errno. */
static long kcmp(pid_t a, pid_t b, int type)
{
	long order = syscall(SYS_kcmp, a, b, type, 0, 0);

	return order < 0 ? -errno : order;
}

static int set_failed(long failed, const struct cr_save_task *task,
		      struct cr_error *err)
{
	return cr_error_set(err, (int)failed,
			    "comparing process %u with others: kcmp: %s",
			    task->link.vpid, strerror((int)-failed));
}

/* For qsort(3), whose order has no argument and no error. */
static int sort_type;
static long sort_failed;

static uint64_t identity_of(const struct cr_save_task *task, int type)
{
	switch (type) {
	case KCMP_VM:
		return task->identities.memory;
	case KCMP_FILES:
		return task->identities.descriptors;
	case KCMP_SIGHAND:
		return task->identities.handlers;
	default:
		return task->identities.fs;
	}
}

/* As kcmp(), by one order or the other for all of one tree: what is known of
 * one task is of all. */
static long compare(const struct cr_save_task *a, const struct cr_save_task *b,
		    int type)
{
	uint64_t left = identity_of(a, type), right = identity_of(b, type);

	if (!left || !right)
		return kcmp(a->pid, b->pid, type);
	return left == right ? 0 : left < right ? 1 : 2;
}

static int compare_tasks(const void *a, const void *b)
{
	const struct cr_save_task *left = *(struct cr_save_task *const *)a;
	const struct cr_save_task *right = *(struct cr_save_task *const *)b;
	long order = compare(left, right, sort_type);

	if (order < 0)
		sort_failed = order;
	return order == 1 ? -1 : order == 2;
}

/* Where one is not known, none is. */
static void forget_identities(struct cr_save_task **tasks, size_t nr_tasks)
{
	size_t nr_known = 0;

	for (size_t i = 0; i < nr_tasks; i++)
		nr_known += tasks[i]->identities.memory &&
			    tasks[i]->identities.descriptors &&
			    tasks[i]->identities.handlers &&
			    tasks[i]->identities.fs;
	for (size_t i = 0; i < nr_tasks && nr_known < nr_tasks; i++)
		tasks[i]->identities = (struct cr_identities){ 0 };
}

static int check_type(struct cr_checkpoint *checkpoint,
		      struct cr_save_task **tasks, size_t nr_tasks, int type,
		      const char *what, struct cr_error *err)
{
	sort_type = type;
	sort_failed = 0;
	qsort(tasks, nr_tasks, sizeof(tasks[0]), compare_tasks);
	if (sort_failed)
		return set_failed(sort_failed, tasks[0], err);
	for (size_t i = 1; i < nr_tasks; i++) {
		long order = compare(tasks[i - 1], tasks[i], type);

		if (order < 0)
			return set_failed(order, tasks[i], err);
		if (order == 0)
			cr_refuse(checkpoint,
				  "processes %u and %u share their %s",
				  tasks[i - 1]->link.vpid, tasks[i]->link.vpid,
				  what);
	}
	return 0;
}

/* Threads may have left what their process shares, by unshare(2). */
static int check_threads(struct cr_checkpoint *checkpoint,
			 const struct cr_save_task *task, struct cr_error *err)
{
	static const struct {
		int type;
		const char *what;
	} shared[] = { { KCMP_FILES, "descriptors" },
		       { KCMP_FS, "a working directory" } };

	for (size_t i = 1; i < task->nr_threads; i++)
		for (size_t j = 0; j < 2; j++) {
			long order = kcmp(task->pid, task->threads[i].tid,
					  shared[j].type);

			if (order < 0)
				return set_failed(order, task, err);
			if (order > 0)
				cr_refuse(checkpoint,
					  "process %u: thread %u has %s of its "
					  "own",
					  task->link.vpid,
					  task->threads[i].vtid,
					  shared[j].what);
		}
	return 0;
}

static const char *const namespaces[] = {
	"pid",	"mnt",	  "net",
	"user", "uts",	  "ipc",
	"time", "cgroup", "pid_for_children"
};

#define NR_NAMESPACES (sizeof(namespaces) / sizeof(namespaces[0]))

struct namespaces {
	char names[NR_NAMESPACES][32]; /* "" where it cannot be told */
};

static void read_namespaces(pid_t pid, struct namespaces *read)
{
	char name[32];

	for (size_t i = 0; i < NR_NAMESPACES; i++) {
		snprintf(name, sizeof(name), "ns/%s", namespaces[i]);
		/* pid_for_children has no target until its init is made */
		if (cr_proc_readlink(pid, name, read->names[i],
				     sizeof(read->names[i]), NULL) < 0)
			read->names[i][0] = '\0';
	}
}

static void check_namespaces(struct cr_checkpoint *checkpoint,
			     const struct cr_save_task *task,
			     const struct namespaces *of_root)
{
	uint64_t of_all = checkpoint->tasks[0]->identities.namespaces;
	struct namespaces own = { 0 };

	if (of_all && task->identities.namespaces == of_all)
		return;
	read_namespaces(task->pid, &own);
	for (size_t i = 0; i < NR_NAMESPACES; i++)
		if (strcmp(own.names[i], of_root->names[i]))
			cr_refuse(checkpoint,
				  "process %u: it is in another %s namespace "
				  "than the root process",
				  task->link.vpid, namespaces[i]);
}

static int check_types(struct cr_checkpoint *checkpoint,
		       struct cr_save_task **tasks, size_t nr_tasks,
		       struct cr_error *err)
{
	static const struct {
		int type;
		const char *what;
	} shared[] = { { KCMP_VM, "memory" },
		       { KCMP_FILES, "descriptors" },
		       { KCMP_SIGHAND, "signal handlers" },
		       { KCMP_FS, "working directory" } };
	int rc = 0;

	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]) && !rc; i++)
		rc = check_type(checkpoint, tasks, nr_tasks, shared[i].type,
				shared[i].what, err);
	return rc;
}

int cr_check_shared(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	struct namespaces of_root = { 0 };
	struct cr_save_task **tasks;
	size_t nr_tasks = 0;
	int rc = 0;

	read_namespaces(checkpoint->tasks[0]->pid, &of_root);
	tasks = calloc(checkpoint->nr_tasks, sizeof(tasks[0]));
	if (!tasks)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < checkpoint->nr_tasks && !rc; i++) {
		struct cr_save_task *task = checkpoint->tasks[i];

		if (task->is_zombie)
			continue;
		tasks[nr_tasks++] = task;
		if (task->has_io_workers)
			cr_refuse(checkpoint,
				  "process %u: kernel threads of io_uring",
				  task->link.vpid);
		rc = check_threads(checkpoint, task, err);
		check_namespaces(checkpoint, task, &of_root);
	}
	forget_identities(tasks, nr_tasks);
	if (!rc)
		rc = check_types(checkpoint, tasks, nr_tasks, err);
	free(tasks);
	return rc;
}
