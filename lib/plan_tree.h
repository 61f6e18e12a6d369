/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan_tree.h - a saved tree as plan.c sees it: checked, and with answers
 *
 * Private to plan*.c.  What is checked is what fork, setsid and setpgid never
 * break: parents come first, sessions and groups are led by who bears their
 * number, a group lies within one session.
 */
#ifndef PLAN_TREE_H
#define PLAN_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cr_error.h"
#include "image_wire.h"

/* Sessions, by the number of their leader. */
#define PLAN_OUTSIDE 0u /* the coordinator's */
#define PLAN_ANY UINT32_MAX /* no demand */

/* Parents that are no index. */
#define PLAN_PARENT_OUTSIDE (-1L) /* of a root task */
#define PLAN_PARENT_INIT (-2L) /* of an orphan */

struct plan_place {
	long parent; /* index or PLAN_PARENT_* */
	uint32_t session;
	bool is_leader; /* of its session */
	/* Session without living leader in which it can have been born when
	 * its parents are its creators; PLAN_ANY: in every one. */
	uint32_t reach;
	size_t order, size; /* descendants: the places of order.. +size - 1 */
	size_t cursor; /* while counting */
};

struct plan_number {
	uint32_t vpid;
	uint32_t session; /* of a ghost */
	long index; /* of the task; of a ghost: plan.c's process */
};

struct plan_tree {
	const struct cr_wire_link *links;
	size_t nr;
	struct plan_place *places; /* [nr], same order */
	struct plan_number *tasks; /* [nr], sorted by vpid */
	/* Leaders of sessions and groups that are dead and gone, sorted.
	 * A session's: session is vpid. */
	struct plan_number *ghosts;
	size_t nr_ghosts;
};

/*
 * Check @links and fill *@tree, which plan_tree_free() frees also on failure.
 * Returns 0, -EBADMSG or -ENOMEM.
 */
int plan_tree_read(struct plan_tree *tree, const struct cr_wire_link *links,
		   size_t nr, struct cr_error *err);

void plan_tree_free(struct plan_tree *tree);

/* Index of the task @vpid, or -1. */
long plan_tree_task(const struct plan_tree *tree, uint32_t vpid);

/* The ghost @vpid, or NULL. */
struct plan_number *plan_tree_ghost(const struct plan_tree *tree,
				    uint32_t vpid);

/* Is @task the task @ancestor or below it? */
bool plan_tree_descends(const struct plan_tree *tree, long task, long ancestor);

#endif /* PLAN_TREE_H */
