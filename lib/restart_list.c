/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_list.c - arenas, and lists of steps in them
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "restart_list.h"

#define PAGE 4096ull
#define STACK 4096ull /* of the interpreter: it nests three deep */

static const char *const step_texts[CR_STEP_NR] = {
	[CR_STEP_UNMAP] = "unmapping what is not the program's",
	[CR_STEP_MOVE] = "moving saved memory to its place",
	[CR_STEP_MAP] = "mapping memory",
	[CR_STEP_PROTECT] = "protecting memory",
	[CR_STEP_ADVISE] = "memory advice",
	[CR_STEP_LOCK_MEMORY] = "locking memory",
	[CR_STEP_MM] = "setting heap, stack and program",
	[CR_STEP_THREAD] = "making a thread",
	[CR_STEP_SIGNALS] = "restoring signals",
	[CR_STEP_TIMERS] = "restoring timers",
	[CR_STEP_CREDENTIALS] = "restoring credentials",
	[CR_STEP_SCHEDULING] = "restoring scheduling",
	[CR_STEP_LIMITS] = "restoring limits",
	[CR_STEP_CHILDREN] = "waiting for dead children",
	[CR_STEP_FILE_LOCKS] = "taking file locks",
	[CR_STEP_GATE] = "coming to the gate",
	[CR_STEP_OTHER] = "restoring attributes",
};

const char *cr_step_text(uint32_t step)
{
	return step < CR_STEP_NR ? step_texts[step] : "restoring";
}

int cr_arena_open(struct cr_restarter *restarter, struct cr_arena *arena,
		  struct cr_error *err)
{
	void *start;
	size_t code = cr_restorer_size();

	start = mmap((void *)restarter->arena_start, restarter->arena_length,
		     PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (start == MAP_FAILED)
		return cr_error_errno(err, "mapping the restorer");
	arena->start = start;
	arena->length = restarter->arena_length;
	arena->used = (code + PAGE - 1) & ~(PAGE - 1);
	arena->code = start;
	arena->is_full = 0;
	cr_restorer_copy(start);
	if (mprotect(start, arena->used, PROT_READ | PROT_EXEC) < 0)
		return cr_error_errno(err, "protecting the restorer");
	return 0;
}

size_t cr_list_bound(const struct cr_restarter *restarter,
		     const struct cr_saved_task *task)
{
	/* unmap before it, map, protect, up to 9 kinds of advice */
	size_t ops = 12 * task->nr_vmas + CR_GROUP_OPS + CR_THREAD_OPS;

	ops += 2 * task->nr_timers + task->nr_locks + task->nr_threads + 1;
	if (task->nr_timers)
		ops += 2 * CR_TIMER_IDS;
	ops += task->signals->nr_pending + task->threads[0].thread->nr_pending;
	/* zombies and ghosts to wait for */
	return ops + restarter->saved->nr_tasks + restarter->plan->nr;
}

size_t cr_arena_bound(const struct cr_restarter *restarter,
		      const struct cr_saved_task *task)
{
	size_t length;

	if (!task->mm)
		return 0;
	length = cr_list_bound(restarter, task) * sizeof(struct cr_op) +
		 cr_restorer_size() + task->mm->auxv_length +
		 192 * task->nr_timers + 32 * task->nr_locks +
		 144 * (size_t)task->signals->nr_pending + 32 * PAGE;
	for (size_t i = 0; i < task->nr_threads; i++) {
		const struct cr_wire_thread *thread = task->threads[i].thread;

		length += STACK + 1024 + sizeof(struct cr_list) +
			  (CR_THREAD_OPS + thread->nr_pending) *
				  sizeof(struct cr_op) +
			  144 * (size_t)thread->nr_pending +
			  4 * (size_t)thread->nr_groups;
	}
	return (length + PAGE - 1) & ~(PAGE - 1);
}

void *cr_arena_take(struct cr_arena *arena, size_t length)
{
	static _Alignas(16) char dummy[65536];
	char *taken = arena->start + arena->used;

	length = (length + 15) & ~(size_t)15;
	if (length > arena->length - arena->used) {
		arena->is_full = 1;
		return length <= sizeof(dummy) ? dummy : NULL;
	}
	arena->used += length;
	return taken;
}

void *cr_arena_copy(struct cr_arena *arena, const void *data, size_t length)
{
	void *copy = cr_arena_take(arena, length);

	if (!arena->is_full && length)
		memcpy(copy, data, length);
	return copy;
}

struct cr_list *cr_list_open(struct cr_arena *arena,
			     struct cr_restarter *restarter, uint32_t vpid,
			     size_t max_ops)
{
	struct cr_list *list = cr_arena_take(arena, sizeof(*list));

	list->ops = cr_arena_take(arena, max_ops * sizeof(struct cr_op));
	list->nr_ops = 0;
	list->max_ops = arena->is_full ? 0 : max_ops;
	list->arena = arena;
	list->state = &restarter->ctx->state;
	list->failed = CR_RESTART_FAILED;
	list->socket = restarter->task_socket;
	list->message.event = CR_MESSAGE_FAILED;
	list->message.vpid = vpid;
	return list;
}

struct cr_op *cr_list_add(struct cr_list *list, enum cr_op_kind kind,
			  enum cr_step what, int64_t nr, uint64_t a0,
			  uint64_t a1, uint64_t a2, uint64_t a3)
{
	static struct cr_op dummy;
	struct cr_op *op = &dummy;

	if (list->nr_ops < list->max_ops)
		op = (struct cr_op *)&list->ops[list->nr_ops++];
	else
		list->arena->is_full = 1;
	memset(op, 0, sizeof(*op));
	op->kind = kind;
	op->what = what;
	op->nr = nr;
	op->args[0] = a0;
	op->args[1] = a1;
	op->args[2] = a2;
	op->args[3] = a3;
	return op;
}
