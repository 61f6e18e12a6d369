/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_vpids.c - the numbers of the processes of a plan
 *
 * Tasks are made with their saved numbers; helpers without one get numbers that
 * nobody else wants: not the image, and not the machine's other processes,
 * where the tree has no PID namespace of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "procfs.h"
#include "restart_ctx.h"

/* The number that was given last in the caller's namespace; writable. */
#define CURSOR "/proc/sys/kernel/ns_last_pid"

static uint32_t highest_vpid(const struct cr_saved *saved)
{
	uint32_t highest = 1;

	for (size_t i = 0; i < saved->nr_tasks; i++) {
		const struct cr_saved_task *task = &saved->tasks[i];
		uint32_t of[] = { task->link->vpid, task->link->pgid,
				  task->link->sid };

		for (size_t j = 0; j < 3; j++)
			highest = of[j] > highest ? of[j] : highest;
		for (size_t j = 0; j < task->nr_threads; j++)
			if (task->threads[j].thread->tid > highest)
				highest = task->threads[j].thread->tid;
	}
	return highest;
}

static int is_taken(uint32_t number)
{
	const pid_t pid = (pid_t)number;

	return kill(pid, 0) == 0 || errno != ESRCH || kill(-pid, 0) == 0 ||
	       errno != ESRCH;
}

/* The first of @nr free numbers from @first on. */
static uint32_t find_free(uint32_t first, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (is_taken(first + (uint32_t)i)) {
			first += (uint32_t)i + 1;
			i = (size_t)-1;
		}
	return first;
}

void cr_restart_choose_vpids(struct cr_restarter *r)
{
	const uint32_t highest = highest_vpid(r->saved);
	uint32_t cursor, spare;

	r->spare_vpid = highest + 1;
	if (r->namespace_fd >= 0)
		return; /* nobody else is in there */
	cursor = (uint32_t)cr_proc_number(CURSOR);
	spare = find_free((cursor > highest ? cursor : highest) + 1,
			  r->plan->nr);
	if (spare + r->plan->nr <= cr_proc_number("/proc/sys/kernel/pid_max"))
		r->spare_vpid = spare;
	cr_restart_reserve_vpids(r);
}

/* Never back: another tree that is being restarted, or is still to be, may
 * have its numbers there. */
void cr_restart_reserve_vpids(const struct cr_restarter *r)
{
	const size_t last = r->spare_vpid + r->plan->nr;
	char text[24];
	int fd, n;

	if (cr_proc_number(CURSOR) >= last)
		return;
	fd = open(CURSOR, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* then one of them may fail with EEXIST */
	n = snprintf(text, sizeof(text), "%zu", last);
	n = (int)write(fd, text, (size_t)n);
	close(fd);
}

uint32_t cr_restart_vpid(const struct cr_restarter *r, size_t index)
{
	const uint32_t vpid = r->plan->processes[index].vpid;

	return vpid ? vpid : r->spare_vpid + (uint32_t)index;
}
