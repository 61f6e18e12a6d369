/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan_tree.c - check a saved tree's links; see plan_tree.h
 */
#include <errno.h>
#include <stdlib.h>

#include "plan_tree.h"

#define VPID_MAX (1u << 22) /* PID_MAX_LIMIT of 64-bit kernels */

static int compare_numbers(const void *a, const void *b)
{
	const struct plan_number *x = a;
	const struct plan_number *y = b;

	if (x->vpid != y->vpid)
		return x->vpid < y->vpid ? -1 : 1;
	return 0;
}

static struct plan_number *find_number(struct plan_number *numbers, size_t nr,
				       uint32_t vpid)
{
	struct plan_number key = { .vpid = vpid };

	if (!nr)
		return NULL;
	return bsearch(&key, numbers, nr, sizeof(key), compare_numbers);
}

long plan_tree_task(const struct plan_tree *tree, uint32_t vpid)
{
	struct plan_number *found = find_number(tree->tasks, tree->nr, vpid);

	return found ? found->index : -1;
}

struct plan_number *plan_tree_ghost(const struct plan_tree *tree, uint32_t vpid)
{
	return find_number(tree->ghosts, tree->nr_ghosts, vpid);
}

bool plan_tree_descends(const struct plan_tree *tree, long task, long ancestor)
{
	const struct plan_place *above = &tree->places[ancestor];
	size_t order = tree->places[task].order;

	return order >= above->order && order - above->order < above->size;
}

/* 1 is the namespace's init, which is never in an image. */
static bool is_vpid(uint32_t number)
{
	return number > 1 && number <= VPID_MAX;
}

static int read_numbers(struct plan_tree *tree, struct cr_error *err)
{
	for (size_t i = 0; i < tree->nr; i++) {
		const struct cr_wire_link *link = &tree->links[i];

		if (!is_vpid(link->vpid))
			return cr_error_set(err, -EBADMSG,
					    "task %zu: %u is no vpid", i,
					    link->vpid);
		tree->tasks[i].vpid = link->vpid;
		tree->tasks[i].index = (long)i;
	}
	qsort(tree->tasks, tree->nr, sizeof(*tree->tasks), compare_numbers);
	for (size_t i = 1; i < tree->nr; i++)
		if (tree->tasks[i].vpid == tree->tasks[i - 1].vpid)
			return cr_error_set(err, -EBADMSG,
					    "two tasks have vpid %u",
					    tree->tasks[i].vpid);
	return 0;
}

static int read_parent(struct plan_tree *tree, size_t i, struct cr_error *err)
{
	const struct cr_wire_link *link = &tree->links[i];
	long parent;

	if (link->parent == 0) {
		tree->places[i].parent = PLAN_PARENT_OUTSIDE;
		return 0;
	}
	if (link->parent == 1) {
		tree->places[i].parent = PLAN_PARENT_INIT;
		return 0;
	}
	parent = plan_tree_task(tree, link->parent);
	if (parent < 0 || parent >= (long)i)
		return cr_error_set(err, -EBADMSG,
				    "task %u: no parent %u before it",
				    link->vpid, link->parent);
	if (tree->links[parent].flags & CR_LINK_F_ZOMBIE)
		return cr_error_set(err, -EBADMSG,
				    "task %u: its parent %u is a zombie",
				    link->vpid, link->parent);
	tree->places[i].parent = parent;
	return 0;
}

static int read_session(struct plan_tree *tree, size_t i, struct cr_error *err)
{
	const struct cr_wire_link *link = &tree->links[i];
	struct plan_place *place = &tree->places[i];
	long leader;

	if (link->flags & CR_LINK_F_SESSION_OUTSIDE) {
		place->session = PLAN_OUTSIDE;
		return 0;
	}
	if (place->parent == PLAN_PARENT_OUTSIDE && link->sid != link->vpid)
		return cr_error_set(err, -EBADMSG,
				    "root task %u: cannot be in session %u",
				    link->vpid, link->sid);
	leader = plan_tree_task(tree, link->sid);
	if (!is_vpid(link->sid) ||
	    (leader >= 0 &&
	     (tree->links[leader].sid != link->sid ||
	      tree->links[leader].flags & CR_LINK_F_SESSION_OUTSIDE)))
		return cr_error_set(err, -EBADMSG,
				    "task %u: %u leads no session", link->vpid,
				    link->sid);
	place->session = link->sid;
	place->is_leader = leader == (long)i;
	return 0;
}

/* Sessions of all tasks are known. */
static int check_group(struct plan_tree *tree, size_t i, struct cr_error *err)
{
	const struct cr_wire_link *link = &tree->links[i];
	const struct plan_place *place = &tree->places[i];
	long leader;

	if (link->flags & CR_LINK_F_PGRP_OUTSIDE) {
		if (place->session == PLAN_OUTSIDE)
			return 0;
		return cr_error_set(err, -EBADMSG,
				    "task %u: its group is outside, its "
				    "session %u is not",
				    link->vpid, link->sid);
	}
	leader = plan_tree_task(tree, link->pgid);
	if (!is_vpid(link->pgid) || (place->is_leader && leader != (long)i) ||
	    (leader >= 0 && tree->places[leader].session != place->session))
		return cr_error_set(err, -EBADMSG,
				    "task %u: %u leads no group of its session",
				    link->vpid, link->pgid);
	return 0;
}

static void add_ghost(struct plan_tree *tree, uint32_t vpid, uint32_t session)
{
	if (plan_tree_task(tree, vpid) >= 0)
		return;
	tree->ghosts[tree->nr_ghosts].vpid = vpid;
	tree->ghosts[tree->nr_ghosts].session = session;
	tree->nr_ghosts++;
}

/* A number that is both a session's and another session's group's is caught
 * here, too. */
static int read_ghosts(struct plan_tree *tree, struct cr_error *err)
{
	struct plan_number *ghosts = tree->ghosts;
	size_t nr = 0;

	for (size_t i = 0; i < tree->nr; i++) {
		const struct cr_wire_link *link = &tree->links[i];
		uint32_t session = tree->places[i].session;

		if (session != PLAN_OUTSIDE)
			add_ghost(tree, session, session);
		if (!(link->flags & CR_LINK_F_PGRP_OUTSIDE))
			add_ghost(tree, link->pgid, session);
	}
	qsort(ghosts, tree->nr_ghosts, sizeof(*ghosts), compare_numbers);
	for (size_t i = 0; i < tree->nr_ghosts; i++) {
		if (!nr || ghosts[i].vpid != ghosts[nr - 1].vpid)
			ghosts[nr++] = ghosts[i];
		else if (ghosts[i].session != ghosts[nr - 1].session)
			return cr_error_set(err, -EBADMSG,
					    "process group %u is in two "
					    "sessions",
					    ghosts[i].vpid);
	}
	tree->nr_ghosts = nr;
	return 0;
}

/* Number the places so that descendants are a range. */
static void count_descendants(struct plan_tree *tree)
{
	struct plan_place *places = tree->places;
	size_t nr_counted = 0;

	for (size_t i = 0; i < tree->nr; i++)
		places[i].size = 1;
	for (size_t i = tree->nr; i-- > 0;)
		if (places[i].parent >= 0)
			places[places[i].parent].size += places[i].size;
	for (size_t i = 0; i < tree->nr; i++) {
		size_t *cursor = places[i].parent < 0 ?
					 &nr_counted :
					 &places[places[i].parent].cursor;

		places[i].order = *cursor;
		places[i].cursor = *cursor + 1;
		*cursor += places[i].size;
	}
}

/* A leader may have been born in any session that its parent has been in. */
static void read_reach(struct plan_tree *tree)
{
	struct plan_place *places = tree->places;

	for (size_t i = 0; i < tree->nr; i++) {
		long parent = places[i].parent;

		if (parent == PLAN_PARENT_OUTSIDE)
			places[i].reach = PLAN_OUTSIDE;
		else if (parent == PLAN_PARENT_INIT)
			places[i].reach = PLAN_ANY;
		else if (places[parent].is_leader)
			places[i].reach = places[parent].reach;
		else
			places[i].reach = places[parent].session;
	}
}

int plan_tree_read(struct plan_tree *tree, const struct cr_wire_link *links,
		   size_t nr, struct cr_error *err)
{
	int rc;

	*tree = (struct plan_tree){ .links = links, .nr = nr };
	tree->places = calloc(nr + 1, sizeof(*tree->places));
	tree->tasks = calloc(nr + 1, sizeof(*tree->tasks));
	tree->ghosts = calloc(2 * nr + 1, sizeof(*tree->ghosts));
	if (!tree->places || !tree->tasks || !tree->ghosts)
		return cr_error_set(err, -ENOMEM, "no memory for %zu tasks",
				    nr);
	rc = read_numbers(tree, err);
	for (size_t i = 0; rc == 0 && i < nr; i++)
		rc = read_parent(tree, i, err);
	for (size_t i = 0; rc == 0 && i < nr; i++)
		rc = read_session(tree, i, err);
	for (size_t i = 0; rc == 0 && i < nr; i++)
		rc = check_group(tree, i, err);
	if (rc == 0)
		rc = read_ghosts(tree, err);
	if (rc < 0)
		return rc;
	count_descendants(tree);
	read_reach(tree);
	return 0;
}

void plan_tree_free(struct plan_tree *tree)
{
	int saved_errno = errno;

	free(tree->places);
	free(tree->tasks);
	free(tree->ghosts);
	*tree = (struct plan_tree){ 0 };
	errno = saved_errno;
}
