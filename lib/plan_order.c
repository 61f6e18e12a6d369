/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan_order.c - processes of a draft in the order in which they are made
 *
 * Creators come first, and whom one creates in a row.
 */
#include <errno.h>
#include <stdlib.h>

#include "plan_draft.h"

/* Turn creators into lists of whom they create, in the order of the draft. */
static void link_children(struct draft *draft)
{
	for (size_t i = draft->nr; i-- > 0;) {
		struct draft_process *child = &draft->processes[i];
		long creator = child->process.creator;
		long *first = creator == CR_PLAN_COORDINATOR ?
				      &draft->first :
				      &draft->processes[creator].first;

		child->next = *first;
		*first = (long)i;
	}
}

/* What a TEMP leaves behind goes to the nearest subreaper and nobody else. */
static int check_adopter(struct draft *draft, const struct draft_process *temp)
{
	long task = draft->processes[temp->first].process.task;

	if (temp->subreaper == temp->adopter)
		return 0;
	return plan_refuse_subreaper(draft, draft->tree.links[task].vpid);
}

/* Append whom the process @by creates, which is at @position, to @plan. */
static int emit_children(struct draft *draft, long by, long position,
			 struct cr_plan *plan, long *order)
{
	struct draft_process *creator =
		by == PLAN_NONE ? NULL : &draft->processes[by];
	long subreaper = PLAN_NONE;
	long next = draft->first;
	int rc = 0;

	if (creator) {
		next = creator->first;
		subreaper =
			creator->process.is_subreaper ? by : creator->subreaper;
	}
	while (rc == 0 && next != PLAN_NONE) {
		struct draft_process *child = &draft->processes[next];

		child->process.creator = position;
		child->subreaper = subreaper;
		if (child->process.kind == CR_PLAN_TEMP)
			rc = check_adopter(draft, child);
		order[plan->nr] = next;
		plan->processes[plan->nr++] = child->process;
		next = child->next;
	}
	return rc;
}

/* Some processes would have to be made by their own descendants. */
static int refuse_circle(struct draft *draft, const struct cr_plan *plan)
{
	size_t i;

	for (i = 0; i < draft->nr; i++)
		if (draft->processes[i].process.is_subreaper)
			return plan_refuse_subreaper(draft,
						     draft->processes[i]
							     .process.vpid);
	return cr_error_set(draft->err, -EBADMSG,
			    "only %zu of %zu processes descend from init or "
			    "from outside",
			    plan->nr, draft->nr);
}

/* Creators first, and whom one creates in a row. */
static int emit_plan(struct draft *draft, struct cr_plan *plan)
{
	long *order = calloc(draft->nr + 1, sizeof(*order));
	size_t i;
	int rc;

	if (!order)
		return cr_error_set(draft->err, -ENOMEM,
				    "no memory to plan %zu processes",
				    draft->nr);
	link_children(draft);
	rc = emit_children(draft, PLAN_NONE, CR_PLAN_COORDINATOR, plan, order);
	plan->nr_roots = plan->nr;
	for (i = 0; rc == 0 && i < plan->nr; i++) {
		plan->processes[i].first_child = plan->nr;
		rc = emit_children(draft, order[i], (long)i, plan, order);
		plan->processes[i].nr_children =
			plan->nr - plan->processes[i].first_child;
	}
	if (rc == 0 && plan->nr < draft->nr)
		rc = refuse_circle(draft, plan);
	free(order);
	return rc;
}

int plan_order(struct draft *draft, struct cr_plan **planp)
{
	struct cr_plan *plan = calloc(1, sizeof(*plan));
	int rc;

	if (!plan)
		return cr_error_set(draft->err, -ENOMEM, "no memory to plan");
	plan->processes = calloc(draft->nr + 1, sizeof(*plan->processes));
	if (plan->processes)
		rc = emit_plan(draft, plan);
	else
		rc = cr_error_set(draft->err, -ENOMEM,
				  "no memory to plan %zu processes", draft->nr);
	if (rc < 0) {
		cr_plan_free(plan);
		return rc;
	}
	*planp = plan;
	return 0;
}
