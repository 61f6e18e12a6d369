/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restorer.h - the last stage of a task's restart: a list of system calls
 *
 * A task cannot take its own memory away and go on in C.  So it writes down
 * every system call that is left (unmap all, move the saved mappings to their
 * places, make the threads, ...) and jumps to a small interpreter of such
 * lists.  Interpreter, lists, what they point to and the stacks lie in one
 * mapping, the arena, which is in nobody's way and which the coordinator
 * removes in the end.
 *
 * The interpreter is position-independent, calls nothing, and uses no
 * memory but the arena and the restart context.
 */
#ifndef RESTORER_H
#define RESTORER_H

#include <stddef.h>
#include <stdint.h>

enum cr_op_kind {
	CR_OP_CALL, /* fails if the kernel returns an error */
	CR_OP_CALL_ANY, /* whatever it returns is right */
	CR_OP_CALL_IS, /* must return expected */
	CR_OP_CALL_OR_END, /* if the kernel returns an error the process ends
			    * without a word: it is another's, who has told */
	CR_OP_REPEAT, /* again and again until it returns an error */
	CR_OP_THREAD, /* clone3(args[0], args[1]); the new thread goes on with
		       * the list at args[2] */
	CR_OP_WAIT_STATE, /* until the context's state is args[0] or later */
	CR_OP_WAIT_COUNT, /* until *(uint32_t *)args[0] is args[1] */
	CR_OP_COUNT, /* count one up at args[0], and wake who waits for it */
	CR_OP_PARK, /* count one up at args[0], stop process args[1] (ours) if
		     * not 0, and wait for the end */
};

/* One step.  Nothing is decided in the restorer. */
struct cr_op {
	uint32_t kind; /* enum cr_op_kind */
	uint32_t what; /* enum cr_step, for the message if it fails */
	int64_t nr; /* system call */
	uint64_t args[6];
	int64_t expected;
};

/* What a step was for: CR_STEP_TEXT in restart_list.c has the words. */
enum cr_step {
	CR_STEP_UNMAP,
	CR_STEP_MOVE,
	CR_STEP_MAP,
	CR_STEP_PROTECT,
	CR_STEP_ADVISE,
	CR_STEP_LOCK_MEMORY,
	CR_STEP_MM,
	CR_STEP_THREAD,
	CR_STEP_SIGNALS,
	CR_STEP_TIMERS,
	CR_STEP_CREDENTIALS,
	CR_STEP_SCHEDULING,
	CR_STEP_LIMITS,
	CR_STEP_CHILDREN,
	CR_STEP_FILE_LOCKS,
	CR_STEP_GATE,
	CR_STEP_OTHER,
	CR_STEP_NR,
};

/* Message of a task to its coordinator, over SOCK_SEQPACKET. */
struct cr_restart_message {
	uint32_t event; /* enum cr_task_event, or CR_MESSAGE_* */
	uint32_t vpid; /* of the task */
	int32_t code; /* FAILED: negative errno */
	uint32_t step; /* FAILED in the restorer: enum cr_step + 1; else 0 */
	uint64_t address; /* FAILED in the restorer: args[0] of the call */
	char text[232]; /* FAILED before it: in words */
};

#define CR_MESSAGE_FAILED 1000u
#define CR_MESSAGE_BORN 1001u /* from the creator of @vpid, with its pidfd */

struct cr_arena; /* restart_list.h */

/* What one list needs besides its steps.  Lies in the arena. */
struct cr_list {
	const struct cr_op *ops;
	uint64_t nr_ops, max_ops; /* steps, and room for them */
	struct cr_arena *arena; /* while it is being written */
	volatile uint32_t *state; /* of the restart context; a futex */
	uint32_t failed; /* value of *state that ends all */
	int32_t socket; /* to the coordinator */
	struct cr_restart_message message; /* to be sent on failure */
};

/* Length of the interpreter, and a copy of it at @to. */
size_t cr_restorer_size(void);
void cr_restorer_copy(void *to);

/* Where in the copy there is a system call instruction, in bytes. */
size_t cr_restorer_syscall_offset(void);

/* Run *@list in @copy, on the stack whose top is @stack (aligned to 16). */
void cr_restorer_enter(void *copy, const struct cr_list *list, void *stack)
	__attribute__((noreturn));

#endif /* RESTORER_H */
