/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_last.c - write a task's last stage and go into the restorer
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cr_fault.h"
#include "kmod.h"
#include "restart_list.h"

#define STACK 4096ull
#define RSEQ_LENGTH 32 /* as glibc registers it: the first struct rseq */

struct last {
	struct cr_restarter *restarter;
	const struct cr_saved_task *task;
	struct cr_arena *arena;
	struct cr_list *list; /* of the leader */
	uint32_t *nr_parked; /* threads of the task but the leader */
	uint32_t *has_actions; /* 1 when the leader has set the actions */
};

/* A thread's own list, and the step of the leader's that makes it. */
static void add_thread(const struct last *last,
		       const struct cr_saved_thread *thread)
{
	struct cr_arena *arena = last->arena;
	struct cr_list *list =
		cr_list_open(arena, last->restarter, last->task->link->vpid,
			     CR_THREAD_OPS + 3 + thread->thread->nr_pending);
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			 CLONE_THREAD | CLONE_SYSVSEM,
		.set_tid = (uint64_t)cr_arena_copy(arena, &thread->thread->tid,
						   sizeof(uint32_t)),
		.set_tid_size = 1,
		.stack = (uint64_t)cr_arena_take(arena, STACK),
		.stack_size = STACK,
	};

	/* setting an action makes away with pending signals that are ignored,
	 * and each thread has to queue its own */
	cr_list_add(list, CR_OP_WAIT_COUNT, CR_STEP_SIGNALS, 0,
		    (uint64_t)last->has_actions, 1, 0, 0);
	cr_thread_add(last->restarter, last->task, thread, arena, list);
	cr_list_add(list, CR_OP_PARK, CR_STEP_GATE, 0,
		    (uint64_t)last->nr_parked, 0, 0, 0);
	cr_list_add(last->list, CR_OP_THREAD, CR_STEP_THREAD, 0,
		    (uint64_t)cr_arena_copy(arena, &args, sizeof(args)),
		    sizeof(args), (uint64_t)list, 0);
}

/* Ghosts that this task has made. */
static void add_reaping(const struct last *last,
			const struct cr_plan_process *plan,
			const pid_t *children)
{
	const struct cr_plan_process *child;

	for (size_t i = 0; i < plan->nr_children; i++) {
		child = &last->restarter->plan
				 ->processes[plan->first_child + i];
		if (child->task == CR_PLAN_HELPER &&
		    child->kind != CR_PLAN_TEMP)
			cr_list_add(last->list, CR_OP_CALL, CR_STEP_CHILDREN,
				    SYS_wait4, (uint64_t)children[i], 0, __WALL,
				    0);
	}
}

/* Any close(2) of a file gives up its POSIX locks: so they come last. */
static void add_posix_locks(const struct last *last)
{
	for (size_t i = 0; i < last->task->nr_locks; i++) {
		const struct cr_wire_lock *lock = &last->task->locks[i];
		struct flock flock = { .l_type = (short)lock->type,
				       .l_whence = SEEK_SET,
				       .l_start = (off_t)lock->start,
				       .l_len = (off_t)lock->length };

		if (lock->kind == CR_LOCK_POSIX)
			cr_list_add(last->list, CR_OP_CALL, CR_STEP_FILE_LOCKS,
				    SYS_fcntl, lock->fd, F_SETLK,
				    (uint64_t)cr_arena_copy(last->arena, &flock,
							    sizeof(flock)),
				    0);
	}
}

/* A system call that no kernel has. */
static void add_fault(const struct last *last, enum cr_fault fault,
		      size_t task_index)
{
	if (cr_fault_at(fault, task_index))
		cr_list_add(last->list, CR_OP_CALL, CR_STEP_OTHER, -1, 0, 0, 0,
			    0);
}

/* A step of the module's protocol. */
static void add_step(const struct last *last, enum cr_kmod_step step)
{
	cr_list_add(last->list, CR_OP_CALL_OR_END, CR_STEP_GATE, SYS_ioctl,
		    (uint64_t)last->restarter->device, cr_kmod_request(step), 0,
		    0);
}

static void add_settle(const struct last *last)
{
	if (last->restarter->device >= 0)
		add_step(last, CR_KMOD_SETTLE);
	else
		cr_list_add(last->list, CR_OP_WAIT_STATE, CR_STEP_GATE, 0,
			    CR_RESTART_SETTLE, 0, 0, 0);
}

static void add_arrival(const struct last *last)
{
	struct cr_restart_message message = { .event = CR_TASK_EV_GATE,
					      .vpid = last->task->link->vpid };

	if (last->restarter->device >= 0)
		add_step(last, CR_KMOD_ARRIVE);
	else
		cr_list_add(last->list, CR_OP_CALL, CR_STEP_GATE, SYS_write,
			    (uint64_t)last->restarter->task_socket,
			    (uint64_t)cr_arena_copy(last->arena, &message,
						    sizeof(message)),
			    sizeof(message), 0);
}

static void add_gate(const struct last *last,
		     const struct cr_plan_process *plan)
{
	struct cr_list *list = last->list;

	cr_list_add(list, CR_OP_WAIT_COUNT, CR_STEP_GATE, 0,
		    (uint64_t)last->nr_parked, last->task->nr_threads - 1, 0,
		    0);
	/* a change of credentials takes it away, so it comes after */
	cr_list_add(list, CR_OP_CALL, CR_STEP_OTHER, SYS_prctl,
		    PR_SET_PDEATHSIG,
		    cr_restart_dies_with_creator(last->restarter, plan) ?
			    SIGKILL :
			    0,
		    0, 0);
	add_arrival(last);
	cr_list_add(list, CR_OP_CALL, CR_STEP_GATE, SYS_close_range,
		    (uint64_t)last->restarter->fd_floor, ~0u, 0, 0);
	add_posix_locks(last);
	/* from here on its user may trace it: it holds nothing of ours more */
	cr_list_add(list, CR_OP_CALL, CR_STEP_OTHER, SYS_prctl, PR_SET_DUMPABLE,
		    last->task->task->dumpable == 1, 0, 0);
	/* a stopped task stops here: its parent waits for that, and the gate
	 * leaves it as it is */
	cr_list_add(list, CR_OP_PARK, CR_STEP_GATE, 0,
		    (uint64_t)&last->restarter->ctx->nr_parked,
		    last->task->link->flags & CR_LINK_F_STOPPED ?
			    last->task->link->vpid :
			    0,
		    0, 0);
}

/* Our rseq area goes away with libc's memory. */
static void forget_rseq(void)
{
	char *thread_pointer = __builtin_thread_pointer();

	if (__rseq_size)
		syscall(SYS_rseq, thread_pointer + __rseq_offset, RSEQ_LENGTH,
			RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}

int cr_restart_last_stage(struct cr_restarter *restarter, size_t task_index,
			  const struct cr_staged *staged,
			  const struct cr_plan_process *plan,
			  const pid_t *children, int exe_fd,
			  struct cr_error *err)
{
	const struct cr_saved_task *task = &restarter->saved->tasks[task_index];
	struct cr_arena arena;
	struct last last = { .restarter = restarter,
			     .task = task,
			     .arena = &arena };
	char *stack;
	int rc;

	rc = cr_arena_open(restarter, &arena, err);
	if (rc < 0)
		return rc;
	last.nr_parked = cr_arena_take(&arena, sizeof(uint32_t));
	last.has_actions = cr_arena_take(&arena, sizeof(uint32_t));
	stack = cr_arena_take(&arena, STACK);
	last.list = cr_list_open(&arena, restarter, task->link->vpid,
				 cr_list_bound(restarter, task));
	rc = cr_mm_add(restarter, task, staged, &arena, last.list, exe_fd, err);
	if (rc < 0)
		return rc;
	for (size_t i = 1; i < task->nr_threads; i++)
		add_thread(&last, &task->threads[i]);
	add_settle(&last);
	add_fault(&last, CR_FAULT_SETTLE, task_index);
	add_reaping(&last, plan, children);
	cr_group_add(restarter, task_index, &arena, last.list);
	cr_list_add(last.list, CR_OP_COUNT, CR_STEP_SIGNALS, 0,
		    (uint64_t)last.has_actions, 0, 0, 0);
	cr_thread_add(restarter, task, &task->threads[0], &arena, last.list);
	add_fault(&last, CR_FAULT_GATE, task_index);
	add_gate(&last, plan);
	if (arena.is_full)
		return cr_error_set(err, -ENOMEM,
				    "the restorer's list is full");
	forget_rseq();
	cr_restorer_enter(arena.code, last.list, stack + STACK);
}
