/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan_draft.h - a plan while creators are looked for
 *
 * Private to plan.c and plan_order.c.
 */
#ifndef PLAN_DRAFT_H
#define PLAN_DRAFT_H

#include "plan.h"
#include "plan_tree.h"

#define PLAN_NONE (-1L)

/* A process whose place in the final order is not known yet. */
struct draft_process {
	struct cr_plan_process process;
	uint32_t birth; /* of a leader: session it must be born in */
	long temp; /* the one that it creates, or PLAN_NONE */
	long adopter; /* of a TEMP: who gets its children; PLAN_NONE: init */
	long holder; /* keeps its group alive, or PLAN_NONE */
	long subreaper; /* nearest above, or PLAN_NONE */
	long first, next; /* whom it creates, and who else is; or PLAN_NONE */
};

struct draft {
	struct plan_tree tree;
	struct draft_process *processes; /* tasks first, in saved order */
	size_t nr;
	size_t capacity;
	long temp; /* the coordinator's, or PLAN_NONE */
	long first; /* whom the coordinator creates, or PLAN_NONE */
	struct cr_error *err;
};

/* Fill draft->err and return its code. */
int plan_refuse_subreaper(struct draft *draft, uint32_t vpid);

/*
 * plan_order.c: make the plan of a draft in which all have creators; it is the
 * caller's to free.  Returns 0, -ENOMEM, -EOPNOTSUPP if a child subreaper is in
 * the way, or -EBADMSG if some would have to be made by their own descendants.
 */
int plan_order(struct draft *draft, struct cr_plan **planp);

#endif /* PLAN_DRAFT_H */
