/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_timers.c - POSIX timers of a process
 *
 * /proc/PID/timers tells how they were made, the process itself what remains.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/syscall.h>

#include "array.h"
#include "collect.h"
#include "remote.h"

#define BATCH 64u /* timers at a time */

static uint64_t nanoseconds(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * 1000000000 + (uint64_t)ts->tv_nsec;
}

static int list_timers(struct cr_checkpoint *checkpoint,
		       struct cr_save_task *task, const char *text)
{
	struct cr_save_state *state = task->state;
	struct cr_proc_timer timer;
	struct cr_wire_timer *wire;
	int rc;

	while ((rc = cr_proc_next_timer(&text, &timer)) > 0) {
		if (cr_array_grow(&state->timers, state->nr_timers,
				  sizeof(*wire)) < 0)
			return -ENOMEM;
		wire = &state->timers[state->nr_timers++];
		memset(wire, 0, sizeof(*wire));
		wire->id = timer.id;
		wire->clock = timer.clock;
		wire->notify = timer.notify;
		wire->signal = timer.signal;
		wire->value = timer.value;
		wire->tid = cr_vtid_of(checkpoint, timer.tid);
	}
	return rc;
}

/* Ask @nr timers from @timers on for their settings. */
static int ask_timers(struct cr_save_task *task, struct cr_wire_timer *timers,
		      size_t nr, struct cr_error *err)
{
	struct cr_remote_call calls[2 * BATCH] = { 0 };
	struct itimerspec values[BATCH];
	uint64_t base;
	int rc;

	rc = cr_need_remote(task, err);
	if (rc < 0)
		return rc;
	base = cr_remote_scratch(task->remote);
	for (size_t i = 0; i < nr; i++) {
		calls[2 * i].nr = SYS_timer_gettime;
		calls[2 * i].args[0] = (uint64_t)timers[i].id;
		calls[2 * i].args[1] = base + i * sizeof(values[0]);
		calls[2 * i + 1].nr = SYS_timer_getoverrun;
		calls[2 * i + 1].args[0] = (uint64_t)timers[i].id;
	}
	rc = cr_remote_run(task->remote, task->pid, calls, 2 * nr, err);
	if (rc < 0)
		return rc;
	rc = cr_remote_read(task->remote, base, values, nr * sizeof(values[0]),
			    err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < nr; i++) {
		if (calls[2 * i].result < 0)
			return cr_error_set(err, (int)calls[2 * i].result,
					    "timer %d of process %u: %s",
					    timers[i].id, task->link.vpid,
					    strerror(
						    -(int)calls[2 * i].result));
		timers[i].interval_ns = nanoseconds(&values[i].it_interval);
		timers[i].value_ns = nanoseconds(&values[i].it_value);
		if (calls[2 * i + 1].result > 0)
			timers[i].overrun = (uint64_t)calls[2 * i + 1].result;
	}
	return 0;
}

int cr_collect_timers(struct cr_checkpoint *checkpoint,
		      struct cr_save_task *task, struct cr_error *err)
{
	char *text;
	int rc;

	rc = cr_proc_read(task->pid, "timers", &text, NULL, err);
	if (rc < 0)
		return rc;
	rc = list_timers(checkpoint, task, text);
	free(text);
	if (rc < 0)
		return cr_error_set(err, rc, "/proc/%d/timers is strange",
				    task->pid);
	for (size_t i = 0; i < task->state->nr_timers && rc == 0; i += BATCH) {
		size_t nr = task->state->nr_timers - i;

		rc = ask_timers(task, task->state->timers + i,
				nr < BATCH ? nr : BATCH, err);
	}
	return rc;
}
