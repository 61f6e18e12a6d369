/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_list.h - write the lists that the restorer runs
 *
 * Private to the restart_*.c files.  A struct cr_arena is the arena of one
 * task while it is being filled.
 */
#ifndef RESTART_LIST_H
#define RESTART_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "restart_ctx.h"

struct cr_arena {
	char *start;
	size_t length;
	size_t used;
	void *code; /* copy of the restorer */
	int is_full; /* something did not fit: checked once, at the end */
};

/* Map the arena at its place, with the restorer's code in it. */
int cr_arena_open(struct cr_restarter *restarter, struct cr_arena *arena,
		  struct cr_error *err);
/* Steps of the leader's list of @task at most, and bytes of its arena. */
size_t cr_list_bound(const struct cr_restarter *restarter,
		     const struct cr_saved_task *task);
size_t cr_arena_bound(const struct cr_restarter *restarter,
		      const struct cr_saved_task *task);
/* @length bytes of it, zeroed, aligned to 16; a dummy when it is full. */
void *cr_arena_take(struct cr_arena *arena, size_t length);
void *cr_arena_copy(struct cr_arena *arena, const void *data, size_t length);

/* A list under construction: room for @max_ops in @arena. */
struct cr_list *cr_list_open(struct cr_arena *arena,
			     struct cr_restarter *restarter, uint32_t vpid,
			     size_t max_ops);
/* Append a step; unused arguments are 0. */
struct cr_op *cr_list_add(struct cr_list *list, enum cr_op_kind kind,
			  enum cr_step what, int64_t nr, uint64_t a0,
			  uint64_t a1, uint64_t a2, uint64_t a3);

/* restart_mm.c: memory.  Private memory may be staged by all tasks at once;
 * what is shared only at the task's turn. */
struct cr_staged;
int cr_mm_stage_private(struct cr_restarter *restarter,
			const struct cr_saved_task *task,
			struct cr_file_restore *files,
			struct cr_staged **stagedp, struct cr_error *err);
int cr_mm_stage_shared(struct cr_restarter *restarter,
		       const struct cr_saved_task *task,
		       struct cr_file_restore *files, struct cr_staged *staged,
		       struct cr_error *err);
/* Steps from "unmap all" to PR_SET_MM_MAP; @exe_fd is of the program. */
int cr_mm_add(struct cr_restarter *restarter, const struct cr_saved_task *task,
	      const struct cr_staged *staged, struct cr_arena *arena,
	      struct cr_list *list, int exe_fd, struct cr_error *err);

/* restart_thread.c: what a thread sets for itself, up to its credentials. */
#define CR_THREAD_OPS 128 /* steps at most, without pending signals */
void cr_thread_add(struct cr_restarter *restarter,
		   const struct cr_saved_task *task,
		   const struct cr_saved_thread *thread, struct cr_arena *arena,
		   struct cr_list *list);

/* restart_group.c: what a thread group has once. */
#define CR_TIMER_IDS                                            \
	1024ul /* below this, ids of deleted timers are skipped \
		*/
#define CR_GROUP_OPS 512 /* steps at most, without pending signals, timers */
void cr_group_add(struct cr_restarter *restarter, size_t task_index,
		  struct cr_arena *arena, struct cr_list *list);

/* restart_last.c: write all that is left into an arena and run it.  @children
 * are the pids of the plan's.  Returns only on failure. */
int cr_restart_last_stage(struct cr_restarter *restarter, size_t task_index,
			  const struct cr_staged *staged,
			  const struct cr_plan_process *plan,
			  const pid_t *children, int exe_fd,
			  struct cr_error *err);

/* restart_terminal.c: its foreground group, when all groups are there. */
void cr_restart_add_terminal(const struct cr_restarter *restarter,
			     const struct cr_wire_link *link,
			     struct cr_arena *arena, struct cr_list *list);

#endif /* RESTART_LIST_H */
