/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_group.c - the steps for what a thread group has once
 *
 * Signal dispositions, pending signals, timers, limits and their like; run by
 * the leader when every task of the tree exists and the dead are dead.
 */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "restart_list.h"

#ifndef PR_TIMER_CREATE_RESTORE_IDS
#define PR_TIMER_CREATE_RESTORE_IDS 77 /* Linux 6.15 */
#define PR_TIMER_CREATE_RESTORE_IDS_GET 2
#endif

#define KERNEL_SIGSET 8 /* sizeof(sigset_t) of the kernel */
#define NSEC_PER_SEC 1000000000ull

/*
 * Wait until the zombies among the children are dead, without reaping them,
 * and until the stopped ones have stopped; of these the saved program has
 * been told, or is to hear yet.
 */
static uint64_t how_to_wait(const struct cr_wire_link *child)
{
	if (child->flags & CR_LINK_F_ZOMBIE)
		return WEXITED | WNOWAIT | __WALL;
	if (child->flags & CR_LINK_F_STOP_UNTOLD)
		return WSTOPPED | WNOWAIT | __WALL;
	return WSTOPPED | __WALL;
}

static void add_children(struct cr_restarter *restarter, size_t index,
			 struct cr_list *list)
{
	const struct cr_saved *saved = restarter->saved;
	uint32_t vpid = saved->links[index].vpid;

	for (size_t i = 0; i < saved->nr_tasks; i++) {
		const struct cr_wire_link *child = &saved->links[i];

		if (child->parent != vpid ||
		    !(child->flags & (CR_LINK_F_ZOMBIE | CR_LINK_F_STOPPED)))
			continue;
		cr_list_add(list, CR_OP_CALL, CR_STEP_CHILDREN, SYS_waitid,
			    P_PID, child->vpid, 0, how_to_wait(child));
	}
}

/* The dead have told us; the saved program has heard of them already. */
static void add_flush(struct cr_arena *arena, struct cr_list *list)
{
	const uint64_t all = ~0ull;
	const struct timespec now = { 0 };

	cr_list_add(list, CR_OP_REPEAT, CR_STEP_SIGNALS, SYS_rt_sigtimedwait,
		    (uint64_t)cr_arena_copy(arena, &all, sizeof(all)), 0,
		    (uint64_t)cr_arena_copy(arena, &now, sizeof(now)),
		    KERNEL_SIGSET);
}

static void add_actions(const struct cr_saved_task *task,
			struct cr_arena *arena, struct cr_list *list)
{
	const struct cr_wire_sigaction *actions =
		cr_arena_copy(arena, task->signals->action,
			      sizeof(task->signals->action));

	for (uint64_t i = 0; i < 64; i++) {
		if (i + 1 == SIGKILL || i + 1 == SIGSTOP)
			continue;
		cr_list_add(list, CR_OP_CALL, CR_STEP_SIGNALS, SYS_rt_sigaction,
			    i + 1, (uint64_t)&actions[i], 0, KERNEL_SIGSET);
	}
}

static void add_pending(const struct cr_saved_task *task,
			struct cr_arena *arena, struct cr_list *list)
{
	for (uint32_t i = 0; i < task->signals->nr_pending; i++) {
		const siginfo_t *info =
			cr_arena_copy(arena, &task->pending[i], sizeof(*info));

		if (info->si_signo == SIGSTOP)
			continue; /* restart_finish.c */
		cr_list_add(list, CR_OP_CALL, CR_STEP_SIGNALS,
			    SYS_rt_sigqueueinfo, task->link->vpid,
			    (uint64_t)info->si_signo, (uint64_t)info, 0);
	}
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NSEC_PER_SEC),
				  .tv_nsec = (long)(ns % NSEC_PER_SEC) };
}

/* The kernel's struct sigevent: libc's hides the thread id. */
struct kernel_sigevent {
	uint64_t value;
	int32_t signal, notify, tid;
	int32_t pad[11];
};

static void add_timer(const struct cr_wire_timer *timer, struct cr_arena *arena,
		      struct cr_list *list)
{
	struct kernel_sigevent event = { .value = timer->value,
					 .signal = timer->signal,
					 .notify = timer->notify,
					 .tid = (int32_t)timer->tid };
	struct itimerspec value = {
		.it_interval = to_timespec(timer->interval_ns),
		.it_value = to_timespec(timer->value_ns),
	};

	cr_list_add(list, CR_OP_CALL, CR_STEP_TIMERS, SYS_timer_create,
		    (uint64_t)timer->clock,
		    (uint64_t)cr_arena_copy(arena, &event, sizeof(event)),
		    (uint64_t)cr_arena_copy(arena, &timer->id,
					    sizeof(timer->id)),
		    0);
	cr_list_add(list, CR_OP_CALL, CR_STEP_TIMERS, SYS_timer_settime,
		    (uint64_t)timer->id, 0,
		    (uint64_t)cr_arena_copy(arena, &value, sizeof(value)), 0);
}

static const struct cr_wire_timer *next_timer(const struct cr_saved_task *task,
					      int32_t from)
{
	const struct cr_wire_timer *next = NULL;

	for (size_t i = 0; i < task->nr_timers; i++)
		if (task->timers[i].id >= from &&
		    (!next || task->timers[i].id < next->id))
			next = &task->timers[i];
	return next;
}

/* Use up the ids from @from to @to. */
static void add_skipped(int32_t from, int32_t to, struct cr_arena *arena,
			struct cr_list *list)
{
	const struct kernel_sigevent none = { .notify = SIGEV_NONE };
	const uint64_t event =
		(uint64_t)cr_arena_copy(arena, &none, sizeof(none));
	const uint64_t id = (uint64_t)cr_arena_take(arena, sizeof(int32_t));

	for (; from < to; from++) {
		cr_list_add(list, CR_OP_CALL, CR_STEP_TIMERS, SYS_timer_create,
			    CLOCK_MONOTONIC, event, id, 0);
		cr_list_add(list, CR_OP_CALL, CR_STEP_TIMERS, SYS_timer_delete,
			    (uint64_t)from, 0, 0, 0);
	}
}

/*
 * Linux 6.15 lets a process ask for timer ids.  Before, ids count up from 0
 * in each process: those that the program has deleted are made and deleted
 * again, up to CR_TIMER_IDS; CR_STEP_TIMERS fails beyond that.
 */
static void add_timers(const struct cr_saved_task *task, struct cr_arena *arena,
		       struct cr_list *list)
{
	const int can_ask =
		prctl(PR_TIMER_CREATE_RESTORE_IDS,
		      PR_TIMER_CREATE_RESTORE_IDS_GET, 0, 0, 0) >= 0;
	const struct cr_wire_timer *timer;
	int32_t next = 0;

	if (!task->nr_timers)
		return;
	if (can_ask)
		cr_list_add(list, CR_OP_CALL, CR_STEP_TIMERS, SYS_prctl,
			    PR_TIMER_CREATE_RESTORE_IDS, 1, 0, 0);
	while ((timer = next_timer(task, next)) != NULL) {
		if (!can_ask && timer->id < (int32_t)CR_TIMER_IDS)
			add_skipped(next, timer->id, arena, list);
		add_timer(timer, arena, list);
		if (timer->id == INT32_MAX)
			break;
		next = timer->id + 1;
	}
	if (can_ask)
		cr_list_add(list, CR_OP_CALL, CR_STEP_TIMERS, SYS_prctl,
			    PR_TIMER_CREATE_RESTORE_IDS, 0, 0, 0);
}

/* One that is due, its signal pending, is set again by the kernel when the
 * signal is taken: by that time a new one has been set to its interval. */
static uint64_t left_of(const struct cr_wire_itimer *itimer, uint64_t which)
{
	if (which == ITIMER_REAL && !itimer->value_us)
		return itimer->interval_us;
	return itimer->value_us;
}

static void add_itimers(const struct cr_wire_task *task, struct cr_arena *arena,
			struct cr_list *list)
{
	for (uint64_t i = 0; i < 3; i++) {
		const struct cr_wire_itimer *saved = &task->itimer[i];
		const uint64_t left_us = left_of(saved, i);
		struct itimerval value = {
			.it_interval = { (time_t)(saved->interval_us / 1000000),
					 (suseconds_t)(saved->interval_us %
						       1000000) },
			.it_value = { (time_t)(left_us / 1000000),
				      (suseconds_t)(left_us % 1000000) },
		};

		if (left_us)
			cr_list_add(list, CR_OP_CALL, CR_STEP_TIMERS,
				    SYS_setitimer, i,
				    (uint64_t)cr_arena_copy(arena, &value,
							    sizeof(value)),
				    0, 0);
	}
}

/* Limits that are as saved cost nothing; raising a hard one may be refused
 * where even root lacks CAP_SYS_RESOURCE, then what is allowed stays. */
static void add_limits(const struct cr_wire_task *task, struct cr_arena *arena,
		       struct cr_list *list)
{
	for (int i = 0; i < 16; i++) {
		struct rlimit wanted = { task->rlimit[i].current,
					 task->rlimit[i].maximum };
		struct rlimit present;

		if (getrlimit((__rlimit_resource_t)i, &present) < 0 ||
		    (present.rlim_cur == wanted.rlim_cur &&
		     present.rlim_max == wanted.rlim_max))
			continue;
		if (wanted.rlim_max > present.rlim_max) {
			wanted.rlim_max = present.rlim_max;
			if (wanted.rlim_cur > wanted.rlim_max)
				wanted.rlim_cur = wanted.rlim_max;
		}
		cr_list_add(list, CR_OP_CALL, CR_STEP_LIMITS, SYS_setrlimit,
			    (uint64_t)i,
			    (uint64_t)cr_arena_copy(arena, &wanted,
						    sizeof(wanted)),
			    0, 0);
	}
}

static void add_attributes(const struct cr_wire_task *task,
			   struct cr_list *list)
{
	const enum cr_step what = CR_STEP_OTHER;

	cr_list_add(list, CR_OP_CALL, what, SYS_prctl, PR_SET_CHILD_SUBREAPER,
		    task->child_subreaper, 0, 0);
	cr_list_add(list, CR_OP_CALL, what, SYS_prctl, PR_SET_THP_DISABLE,
		    task->thp_disabled, 0, 0);
	cr_list_add(list, CR_OP_CALL, what, SYS_umask, task->umask, 0, 0, 0);
	cr_list_add(list, CR_OP_CALL, what, SYS_personality, task->personality,
		    0, 0, 0);
}

void cr_group_add(struct cr_restarter *restarter, size_t task_index,
		  struct cr_arena *arena, struct cr_list *list)
{
	const struct cr_saved_task *task = &restarter->saved->tasks[task_index];

	add_children(restarter, task_index, list);
	add_flush(arena, list);
	add_actions(task, arena, list);
	add_pending(task, arena, list);
	add_attributes(task->task, list);
	add_timers(task, arena, list);
	add_itimers(task->task, arena, list);
	add_limits(task->task, arena, list);
	cr_restart_add_terminal(restarter, task->link, arena, list);
}
