/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan.c - find a creator for each process of a saved tree; see plan.h
 *
 * A process that leads no session was born in its session.  So its creator
 * is its parent, if that is (or, before its setsid, was) in this session;
 * else its creator has died, and a TEMP stands in for it: a child of who
 * holds the session, which forks and exits, so that whoever adopted the
 * process then adopts it again: init, or a child subreaper.
 *
 * A leader may be born anywhere, but for the children that it forked before
 * its setsid: they say where, and so on up the tree (choose_creators()).
 *
 * When all have a creator, plan_order.c turns the draft into the plan.
 */
#include <errno.h>
#include <stdlib.h>

#include "plan_draft.h"

int plan_refuse_subreaper(struct draft *draft, uint32_t vpid)
{
	return cr_error_set(draft->err, -EOPNOTSUPP,
			    "task %u: no way to have it adopted by the right "
			    "child subreaper",
			    vpid);
}

/*
 * At most five processes per task: itself, a ghost for its session, one for
 * its group, a TEMP in its session and a holder; and one TEMP outside.
 */
static int create_draft(struct draft *draft)
{
	draft->temp = PLAN_NONE;
	draft->first = PLAN_NONE;
	draft->capacity = 5 * draft->tree.nr + 1;
	draft->processes = calloc(draft->capacity, sizeof(*draft->processes));
	if (!draft->processes)
		return cr_error_set(draft->err, -ENOMEM,
				    "no memory to plan %zu tasks",
				    draft->tree.nr);
	return 0;
}

static long add_process(struct draft *draft, enum cr_plan_kind kind,
			uint32_t vpid)
{
	struct draft_process *added = &draft->processes[draft->nr];

	added->process.kind = kind;
	added->process.vpid = vpid;
	added->process.task = CR_PLAN_HELPER;
	added->process.creator = CR_PLAN_COORDINATOR;
	added->process.when = CR_PLAN_AFTER_SETSID;
	added->birth = PLAN_ANY;
	added->temp = PLAN_NONE;
	added->adopter = PLAN_NONE;
	added->holder = PLAN_NONE;
	added->subreaper = PLAN_NONE;
	added->first = PLAN_NONE;
	added->next = PLAN_NONE;
	return (long)draft->nr++;
}

static void add_tasks(struct draft *draft)
{
	for (size_t i = 0; i < draft->tree.nr; i++) {
		const struct cr_wire_link *link = &draft->tree.links[i];
		bool is_zombie = link->flags & CR_LINK_F_ZOMBIE;
		long added;

		added = add_process(draft,
				    is_zombie ? CR_PLAN_ZOMBIE : CR_PLAN_LIVE,
				    link->vpid);
		draft->processes[added].process.task = added;
		draft->processes[added].process.does_setsid =
			draft->tree.places[i].is_leader;
	}
}

/* Who is in @session for sure and from its start; maybe the coordinator. */
static long session_holder(const struct draft *draft, uint32_t session)
{
	long task;

	if (session == PLAN_OUTSIDE)
		return CR_PLAN_COORDINATOR;
	task = plan_tree_task(&draft->tree, session);
	if (task >= 0)
		return task;
	return plan_tree_ghost(&draft->tree, session)->index;
}

static void add_ghosts(struct draft *draft)
{
	struct plan_tree *tree = &draft->tree;

	for (size_t i = 0; i < tree->nr_ghosts; i++) {
		struct plan_number *ghost = &tree->ghosts[i];

		if (ghost->vpid != ghost->session)
			continue;
		ghost->index =
			add_process(draft, CR_PLAN_GHOST_SESSION, ghost->vpid);
		draft->processes[ghost->index].process.does_setsid = true;
	}
	for (size_t i = 0; i < tree->nr_ghosts; i++) {
		struct plan_number *ghost = &tree->ghosts[i];
		struct cr_plan_process *process;

		if (ghost->vpid == ghost->session)
			continue;
		ghost->index =
			add_process(draft, CR_PLAN_GHOST_GROUP, ghost->vpid);
		process = &draft->processes[ghost->index].process;
		process->makes_group = true;
		process->creator = session_holder(draft, ghost->session);
	}
}

/*
 * Can @task have been born in @session, so that its children from before
 * its setsid are in it?  A session that a descendant of its made is younger.
 */
static bool may_be_born_in(const struct draft *draft, long task,
			   uint32_t session)
{
	const struct plan_place *place = &draft->tree.places[task];
	long leader;

	if (!place->is_leader)
		return false;
	if (place->parent == PLAN_PARENT_OUTSIDE)
		return session == PLAN_OUTSIDE;
	leader = plan_tree_task(&draft->tree, session);
	if (session != PLAN_OUTSIDE && leader >= 0)
		return !plan_tree_descends(&draft->tree, leader, task);
	return place->reach == PLAN_ANY || place->reach == session;
}

/* Have @task made in @session and adopted by @adopter (PLAN_NONE: by init). */
static int make_orphan(struct draft *draft, long task, uint32_t session,
		       long adopter)
{
	long holder = session_holder(draft, session);
	long *temp = holder == CR_PLAN_COORDINATOR ?
			     &draft->temp :
			     &draft->processes[holder].temp;

	if (*temp == PLAN_NONE) {
		*temp = add_process(draft, CR_PLAN_TEMP, 0);
		draft->processes[*temp].process.creator = holder;
		draft->processes[*temp].adopter = adopter;
		/* A dead leader was below the subreaper, too. */
		if (adopter != PLAN_NONE && holder >= (long)draft->tree.nr)
			draft->processes[holder].process.creator = adopter;
	}
	if (draft->processes[*temp].adopter != adopter)
		return plan_refuse_subreaper(draft,
					     draft->tree.links[task].vpid);
	if (adopter != PLAN_NONE)
		draft->processes[adopter].process.is_subreaper = true;
	draft->processes[task].process.creator = *temp;
	return 0;
}

static int choose_creator(struct draft *draft, long task)
{
	const struct plan_place *place = &draft->tree.places[task];
	struct draft_process *drafted = &draft->processes[task];
	uint32_t birth = place->is_leader ? drafted->birth : place->session;
	struct draft_process *parent;

	if (place->parent == PLAN_PARENT_OUTSIDE)
		return 0;
	if (place->parent == PLAN_PARENT_INIT)
		return make_orphan(draft, task,
				   birth == PLAN_ANY ? PLAN_OUTSIDE : birth,
				   PLAN_NONE);
	drafted->process.creator = place->parent;
	if (birth == PLAN_ANY ||
	    birth == draft->tree.places[place->parent].session)
		return 0;
	parent = &draft->processes[place->parent];
	if (!may_be_born_in(draft, place->parent, birth) ||
	    (parent->birth != PLAN_ANY && parent->birth != birth))
		return make_orphan(draft, task, birth, place->parent);
	parent->birth = birth;
	drafted->process.when = CR_PLAN_BEFORE_SETSID;
	return 0;
}

/* Children before parents, since they say where those must be born. */
static int choose_creators(struct draft *draft)
{
	int rc = 0;

	for (size_t i = draft->tree.nr; rc == 0 && i-- > 0;)
		rc = choose_creator(draft, (long)i);
	return rc;
}

/*
 * The group of a leader that has itself moved on to another one would
 * vanish between its leaving and the others' joining: a child of the leader
 * holds it.
 */
static int join_group(struct draft *draft, size_t task)
{
	const struct cr_wire_link *link = &draft->tree.links[task];
	long leader = plan_tree_task(&draft->tree, link->pgid);
	struct draft_process *led;

	if (leader != (long)task)
		draft->processes[task].process.joins_group = link->pgid;
	if (leader < 0)
		return 0;
	led = &draft->processes[leader];
	if (led->process.does_setsid)
		return 0;
	led->process.makes_group = true;
	if (draft->tree.links[leader].flags & CR_LINK_F_PGRP_OUTSIDE)
		return cr_error_set(draft->err, -EBADMSG,
				    "task %u: leads a group and is in one "
				    "outside",
				    link->pgid);
	if (draft->tree.links[leader].pgid == link->pgid ||
	    led->holder != PLAN_NONE)
		return 0;
	led->holder = add_process(draft, CR_PLAN_GHOST_GROUP, 0);
	draft->processes[led->holder].process.creator = leader;
	draft->processes[led->holder].process.when = CR_PLAN_AFTER_SETPGID;
	return 0;
}

static int join_groups(struct draft *draft)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < draft->tree.nr; i++)
		if (!draft->tree.places[i].is_leader &&
		    !(draft->tree.links[i].flags & CR_LINK_F_PGRP_OUTSIDE))
			rc = join_group(draft, i);
	return rc;
}

int cr_plan_make(const struct cr_wire_link *links, size_t nr,
		 struct cr_plan **planp, struct cr_error *err)
{
	struct draft draft = { .err = err };
	int rc;

	rc = plan_tree_read(&draft.tree, links, nr, err);
	if (rc == 0)
		rc = create_draft(&draft);
	if (rc < 0)
		goto out;
	add_tasks(&draft);
	add_ghosts(&draft);
	rc = choose_creators(&draft);
	if (rc == 0)
		rc = join_groups(&draft);
	if (rc == 0)
		rc = plan_order(&draft, planp);
out:
	plan_tree_free(&draft.tree);
	free(draft.processes);
	return rc;
}

void cr_plan_free(struct cr_plan *plan)
{
	int saved_errno = errno;

	if (plan) {
		free(plan->processes);
		free(plan);
	}
	errno = saved_errno;
}
