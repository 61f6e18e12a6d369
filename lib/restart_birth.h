/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_birth.h - a process of the plan while it is being made
 *
 * Private to restart_birth.c, restart_steps.c and restart_task.c.
 */
#ifndef RESTART_BIRTH_H
#define RESTART_BIRTH_H

#include <stdint.h>
#include <sys/types.h>

#include "restart_ctx.h"

struct cr_steps;

/* One process while it is being made. */
struct cr_birth {
	struct cr_restarter *restarter;
	const struct cr_plan_process *plan;
	uint32_t vpid;
	const struct cr_steps *steps;
	pid_t *children; /* [plan->nr_children] */
};

/*
 * What a process does with the others; each returns when they are so far, or
 * ends with the restart.  docs/restart-protocol.md
 */
struct cr_steps {
	void (*join)(const struct cr_birth *birth);
	void (*turn)(const struct cr_birth *birth);
	void (*restored)(const struct cr_birth *birth);
	void (*settle)(const struct cr_birth *birth);
};

/* restart_steps.c: by the coordinator and futexes, or by the module. */
extern const struct cr_steps cr_steps_user, cr_steps_kernel;

/* Tell the coordinator why, and end. */
void cr_birth_fail(const struct cr_birth *birth, const struct cr_error *err)
	__attribute__((noreturn));

/* Links of the saved task that @plan is; NULL for a helper. */
const struct cr_wire_link *cr_birth_link(const struct cr_restarter *restarter,
					 const struct cr_plan_process *plan);

/* Steps 1 to 7 of plan.h: after them the process and all that it creates
 * have their session, group and terminal.  A TEMP ends here. */
void cr_birth_run(const struct cr_birth *birth);

/* Wait for the helpers among the children, @temps or the others, to end; all
 * fail if one of them has. */
void cr_birth_reap(const struct cr_birth *birth, int temps);

/* Where the caller's options->fault is called for task @index. */
void cr_birth_fault(const struct cr_birth *birth, size_t index);

#endif /* RESTART_BIRTH_H */
