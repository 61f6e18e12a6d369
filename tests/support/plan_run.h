/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan_run.h - execute a plan on the process model
 *
 * Step by step as plan.h says, the processes' steps interleaved at random,
 * and compare what comes out with the saved links.  Include it once.
 */
#ifndef PLAN_RUN_H
#define PLAN_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "plan.h"
#include "process_model.h"
#include "random.h"

#define FIRST_HELPER_PID 5000000u /* beyond every vpid */

struct run {
	struct model model;
	const struct cr_plan *plan;
	int process[MODEL_MAX]; /* of the model, by place in the plan; 0: none
				 */
	int step[MODEL_MAX]; /* of plan.h, next to do; 8: has joined */
	size_t cursor[MODEL_MAX]; /* child to look at in the step */
	size_t nr_forked; /* by the coordinator */
	const char *error;
};

static inline bool run_fail(struct run *run, const char *error)
{
	run->error = error;
	return false;
}

static inline bool run_fork(struct run *run, int creator, size_t i)
{
	uint32_t pid = run->plan->processes[i].vpid;

	run->process[i] = model_fork(&run->model, creator,
				     pid ? pid : FIRST_HELPER_PID + i);
	run->step[i] = 1;
	return run->process[i] > 0 || run_fail(run, "fork failed");
}

/* Fork the next child of @when; true when there was one. */
static inline bool run_fork_next(struct run *run, size_t i,
				 enum cr_plan_when when)
{
	const struct cr_plan_process *p = &run->plan->processes[i];

	while (run->cursor[i] < p->nr_children) {
		size_t child = p->first_child + run->cursor[i]++;

		if (run->plan->processes[child].when == when)
			return run_fork(run, run->process[i], child);
	}
	run->cursor[i] = 0;
	return false;
}

static inline bool is_temp(const struct run *run, size_t i)
{
	return run->plan->processes[i].kind == CR_PLAN_TEMP;
}

/* Reap those of the children of @from.. that are TEMPs; true when all are. */
static inline bool run_reap_temps(struct run *run, size_t from, size_t nr)
{
	bool all = true;

	for (size_t i = from; i < from + nr; i++) {
		if (!is_temp(run, i))
			continue;
		if (run->process[i] &&
		    run->model.processes[run->process[i]].state == MODEL_ZOMBIE)
			model_reap(&run->model, run->process[i]);
		all = all && run->process[i] &&
		      run->model.processes[run->process[i]].state == MODEL_GONE;
	}
	return all;
}

/* One step of process @i; false when it waits or is through. */
static inline bool run_step(struct run *run, size_t i)
{
	const struct cr_plan_process *p = &run->plan->processes[i];
	int self = run->process[i];
	int rc = 0;

	switch (self > 0 ? run->step[i] : 0) {
	case 1:
		run->model.processes[self].is_subreaper = p->is_subreaper;
		break;
	case 2:
		if (run_fork_next(run, i, CR_PLAN_BEFORE_SETSID))
			return true;
		break;
	case 3:
		rc = p->does_setsid ? model_setsid(&run->model, self) : 0;
		break;
	case 4:
		if (run_fork_next(run, i, CR_PLAN_AFTER_SETSID))
			return true;
		break;
	case 5:
		rc = p->makes_group ?
			     model_setpgid(&run->model, self, self,
					   run->model.processes[self].pid) :
			     0;
		break;
	case 6:
		if (run_fork_next(run, i, CR_PLAN_AFTER_SETPGID))
			return true;
		break;
	case 7:
		if (is_temp(run, i))
			model_exit(&run->model, self);
		else if (!run_reap_temps(run, p->first_child, p->nr_children))
			return false;
		break;
	default:
		return false;
	}
	run->step[i]++;
	return rc == 0 || run_fail(run, "setsid or setpgid failed");
}

static inline bool run_coordinator_step(struct run *run)
{
	if (run->nr_forked < run->plan->nr_roots)
		return run_fork(run, MODEL_OUTSIDE, run->nr_forked++);
	return false;
}

/* Steps 1 to 7, by everybody, in random order, until nobody can go on. */
static inline void run_joining(struct run *run)
{
	bool has_moved = true;

	while (has_moved && !run->error) {
		uint32_t start = random_below((uint32_t)run->plan->nr + 1);

		has_moved = false;
		for (size_t n = 0; n <= run->plan->nr && !has_moved; n++) {
			size_t i = (start + n) % (run->plan->nr + 1);

			has_moved = i == run->plan->nr ?
					    run_coordinator_step(run) :
					    run_step(run, i);
		}
	}
	if (run->error)
		return;
	if (!run_reap_temps(run, 0, run->plan->nr_roots))
		run->error = "a TEMP did not exit";
	for (size_t i = 0; i < run->plan->nr; i++)
		if (run->step[i] != 8)
			run->error = "not all have joined";
}

/* Step 8, in saved order. */
static inline void run_turns(struct run *run, size_t nr_tasks)
{
	for (size_t task = 0; task < nr_tasks && !run->error; task++) {
		const struct cr_plan_process *p = NULL;
		int self = 0;

		for (size_t i = 0; i < run->plan->nr; i++)
			if (run->plan->processes[i].task == (long)task) {
				if (p)
					run->error = "a task is made twice";
				p = &run->plan->processes[i];
				self = run->process[i];
			}
		if (!p) {
			run->error = "a task is not made";
			return;
		}
		run->model.processes[self].is_subreaper = false;
		if (p->joins_group &&
		    model_setpgid(&run->model, self, self, p->joins_group) < 0)
			run->error = "setpgid to the saved group failed";
	}
}

static inline bool is_ghost(const struct cr_plan_process *p)
{
	return p->kind == CR_PLAN_GHOST_SESSION ||
	       p->kind == CR_PLAN_GHOST_GROUP;
}

/* Step 9: ghosts last made exit first, then the zombies. */
static inline void run_burials(struct run *run)
{
	for (size_t i = run->plan->nr; i-- > 0 && !run->error;) {
		const struct cr_plan_process *p = &run->plan->processes[i];
		int creator = p->creator == CR_PLAN_COORDINATOR ?
				      MODEL_OUTSIDE :
				      run->process[p->creator];

		if (!is_ghost(p))
			continue;
		if (model_has_children(&run->model, run->process[i]))
			run->error = "a ghost would orphan children";
		if (run->model.processes[run->process[i]].parent != creator)
			run->error = "a ghost's creator cannot reap it";
		model_exit(&run->model, run->process[i]);
		model_reap(&run->model, run->process[i]);
	}
	for (size_t i = 0; i < run->plan->nr; i++)
		if (run->plan->processes[i].kind == CR_PLAN_ZOMBIE) {
			if (model_has_children(&run->model, run->process[i]))
				run->error = "a zombie would orphan children";
			/* Also of init, if it was not reaped yet. */
			run->model.processes[run->process[i]].state =
				MODEL_ZOMBIE;
		}
}

static inline uint32_t model_parent_number(const struct model *model,
					   int process)
{
	int parent = model->processes[process].parent;

	return model->processes[parent].pid; /* outside 0, init 1 */
}

/* Is the model's tree the saved one, with nothing beside it? */
static inline void run_compare(struct run *run,
			       const struct cr_wire_link *links, size_t nr)
{
	int nr_left = 0;

	for (size_t i = 0; i < nr && !run->error; i++) {
		const struct cr_wire_link *link = &links[i];
		int found = model_find(&run->model, link->vpid);
		const struct model_process *p = &run->model.processes[found];
		bool is_dead = link->flags & CR_LINK_F_ZOMBIE;

		if (found < 0)
			run->error = "a task is missing";
		else if (model_parent_number(&run->model, found) !=
			 link->parent)
			run->error = "a task has another parent";
		else if (p->sid != (link->flags & CR_LINK_F_SESSION_OUTSIDE ?
					    0 :
					    link->sid))
			run->error = "a task is in another session";
		else if (p->pgid != (link->flags & CR_LINK_F_PGRP_OUTSIDE ?
					     0 :
					     link->pgid))
			run->error = "a task is in another group";
		else if ((p->state == MODEL_ZOMBIE) != is_dead)
			run->error = "the living and the dead are mixed up";
	}
	for (int i = MODEL_INIT + 1; i < run->model.nr; i++)
		nr_left += run->model.processes[i].state != MODEL_GONE;
	if (!run->error && nr_left != (int)nr)
		run->error = "processes are left over";
}

/* Execute @plan; NULL when it makes the tree of @links, else what went wrong.
 */
static inline const char *plan_run(const struct cr_plan *plan,
				   const struct cr_wire_link *links, size_t nr)
{
	static struct run run; /* large */

	memset(&run, 0, sizeof(run));
	model_init(&run.model);
	run.plan = plan;
	if (plan->nr + 2 > MODEL_MAX)
		return "the plan is too large for this test";
	run_joining(&run);
	if (!run.error)
		run_turns(&run, nr);
	if (!run.error)
		run_burials(&run);
	if (!run.error)
		run_compare(&run, links, nr);
	return run.error;
}

#endif /* PLAN_RUN_H */
