/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_head.c - what an image says of the whole tree and its node
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "collect.h"

#define NS 1000000000ll

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NS + ts.tv_nsec;
}

/* What the time namespace of @pid adds to @clock; 0 if it has none. */
static int64_t time_offset(pid_t pid, const char *clock)
{
	long long seconds = 0, nanoseconds = 0;
	char *text, *at;

	if (cr_proc_read(pid, "timens_offsets", &text, NULL, NULL) < 0)
		return 0;
	at = strstr(text, clock);
	if (!at || sscanf(at + strlen(clock), "%lld %lld", &seconds,
			  &nanoseconds) != 2)
		seconds = nanoseconds = 0;
	free(text);
	return seconds * NS + nanoseconds;
}

/* Ours has an offset too if we are in a time namespace. */
static int64_t clock_shift(pid_t pid, const char *name)
{
	return time_offset(pid, name) - time_offset(getpid(), name);
}

static uint64_t tree_clock(pid_t pid, clockid_t clock, const char *name)
{
	return (uint64_t)(clock_ns(clock) + clock_shift(pid, name));
}

int64_t cr_collect_clock_shift(pid_t pid)
{
	return clock_shift(pid, "monotonic");
}

static void fill_cpus(const struct cr_checkpoint *checkpoint,
		      struct cr_wire_head *head)
{
	const cpu_set_t *allocation = checkpoint->options.allocation;
	long nr_cpus = sysconf(_SC_NPROCESSORS_CONF);

	_Static_assert(sizeof(head->allocation) == sizeof(*allocation),
		       "both are 1024 bits");
	if (allocation)
		memcpy(head->allocation, allocation, sizeof(head->allocation));
	else
		syscall(SYS_sched_getaffinity, checkpoint->tasks[0]->pid,
			sizeof(head->allocation), head->allocation);
	head->nr_cpus =
		nr_cpus > 0 && nr_cpus <= 1024 ? (uint32_t)nr_cpus : 1024;
}

static void fill_vdso(struct cr_checkpoint *checkpoint,
		      const struct cr_save_task *task)
{
	struct cr_wire_head *head = &checkpoint->head;
	struct cr_vma_cursor cursor;

	cr_vma_begin(&task->vmas, &cursor);
	while (cr_vma_next(&cursor)) {
		const struct cr_wire_vma *vma = &cursor.vma.wire;

		if (vma->kind != CR_VMA_VDSO)
			continue;
		head->vdso_start = vma->start;
		head->vdso_length = (uint32_t)(vma->end - vma->start);
		checkpoint->vdso_of = task->pid;
	}
}

static int has_pid_namespace(const struct cr_checkpoint *checkpoint)
{
	char ours[64], theirs[64];

	return checkpoint->options.init ||
	       (cr_proc_readlink(getpid(), "ns/pid", ours, sizeof(ours),
				 NULL) == 0 &&
		cr_proc_readlink(checkpoint->tasks[0]->pid, "ns/pid", theirs,
				 sizeof(theirs), NULL) == 0 &&
		strcmp(ours, theirs) != 0);
}

int cr_collect_head(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	struct cr_wire_head *head = &checkpoint->head;
	const struct cr_save_task *root = checkpoint->tasks[0];
	struct utsname name;

	if (uname(&name) < 0)
		return cr_error_errno(err, "uname");
	head->magic = CR_WIRE_MAGIC;
	head->version = CR_WIRE_VERSION;
	head->arch = CR_WIRE_ARCH_X86_64;
	head->page_size = CR_WIRE_PAGE;
	head->flags = has_pid_namespace(checkpoint) ? CR_HEAD_F_PIDNS : 0;
	head->realtime_ns = (uint64_t)clock_ns(CLOCK_REALTIME);
	head->monotonic_ns =
		tree_clock(root->pid, CLOCK_MONOTONIC, "monotonic");
	head->boottime_ns = tree_clock(root->pid, CLOCK_BOOTTIME, "boottime");
	head->job = checkpoint->options.job;
	head->step = checkpoint->options.step;
	snprintf(head->release, sizeof(head->release), "%.63s", name.release);
	snprintf(head->node, sizeof(head->node), "%.63s", name.nodename);
	fill_cpus(checkpoint, head);
	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		if (checkpoint->tasks[i]->is_zombie)
			continue;
		fill_vdso(checkpoint, checkpoint->tasks[i]);
		break;
	}
	return 0;
}
