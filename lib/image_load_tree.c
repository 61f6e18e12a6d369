// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_load_tree.c - the record that says who is whose parent
 *
 * Each link by itself; that parents come before their children is checked
 * when all records are there, in image_load_check.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "image_loader.h"

static int check_link(const struct cr_wire_link *link, struct cr_error *err)
{
	const uint32_t flags = CR_LINK_F_ZOMBIE | CR_LINK_F_STOPPED |
			       CR_LINK_F_SESSION_OUTSIDE |
			       CR_LINK_F_PGRP_OUTSIDE | CR_LINK_F_NO_TERMINAL |
			       CR_LINK_F_STOP_UNTOLD;
	int is_zombie = (link->flags & CR_LINK_F_ZOMBIE) != 0;

	if (link->flags & ~flags)
		return cr_error_set(err, -EPROTONOSUPPORT,
				    "vpid %u: unknown flags %#x", link->vpid,
				    link->flags);
	if (link->vpid < 2 || link->vpid > CR_LOAD_VPID_MAX ||
	    link->pgid > CR_LOAD_VPID_MAX || link->sid > CR_LOAD_VPID_MAX)
		return cr_error_set(err, -EBADMSG,
				    "vpid %u: impossible vpid, pgid or sid",
				    link->vpid);
	if ((link->nr_threads == 0) != is_zombie)
		return cr_error_set(err, -EBADMSG, "vpid %u: %u threads",
				    link->vpid, link->nr_threads);
	if (link->parent != 0 && link->rank != CR_RANK_NONE)
		return cr_error_set(err, -EBADMSG,
				    "vpid %u: a rank, but no root task",
				    link->vpid);
	return 0;
}

/* Links by themselves; their order is checked at the end. */
static int check_links(const struct cr_wire_link *links, size_t nr,
		       size_t *nr_threads, struct cr_error *err)
{
	*nr_threads = 0;
	for (size_t i = 0; i < nr; i++) {
		int rc = check_link(&links[i], err);

		if (rc)
			return rc;
		*nr_threads += links[i].nr_threads;
		if (*nr_threads > CR_LOAD_THREADS_MAX)
			return cr_error_set(err, -EBADMSG, "too many threads");
	}
	return 0;
}

int cr_load_tree(struct cr_loader *loader, struct cr_load_cursor *cursor,
		 struct cr_error *err)
{
	struct cr_saved *saved = loader->saved;
	const struct cr_wire_tree *tree =
		cr_load_take(cursor, 1, sizeof(*tree));
	struct cr_saved_thread *threads;
	size_t nr_threads;
	int rc;

	if (!tree || tree->nr_tasks == 0 || tree->nr_tasks > CR_LOAD_TASKS_MAX)
		return cr_error_set(err, -EBADMSG,
				    "impossible number of "
				    "tasks");
	saved->links =
		cr_load_take(cursor, tree->nr_tasks, sizeof(*saved->links));
	if (!saved->links)
		return cr_error_set(err, -EBADMSG,
				    "contents do not fit its length");
	rc = check_links(saved->links, tree->nr_tasks, &nr_threads, err);
	if (rc)
		return rc;
	saved->tasks = calloc(tree->nr_tasks, sizeof(*saved->tasks));
	threads = calloc(nr_threads + 1, sizeof(*threads));
	loader->private->threads = threads;
	if (!saved->tasks || !threads)
		return cr_error_set(err, -ENOMEM,
				    "no memory for the saved tree");
	saved->nr_tasks = tree->nr_tasks;
	for (size_t i = 0; i < saved->nr_tasks; i++) {
		saved->tasks[i].link = &saved->links[i];
		saved->tasks[i].threads = threads;
		threads += saved->links[i].nr_threads;
	}
	return 0;
}
