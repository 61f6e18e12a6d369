/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * family.h - mappings of several tasks that may share pages
 *
 * Private to collect_family.c, which makes families, family_walk.c, which finds
 * who may be of one, and family_pages.c, which compares their page frames.
 */
#ifndef FAMILY_H
#define FAMILY_H

#include "collect.h"

struct cr_member {
	struct cr_save_task *task;
	struct cr_save_vma *vma; /* of the walk */
	uint32_t index; /* of the mapping in the task */
	int fd; /* pagemap, the group's */
	size_t cluster; /* index of a member that it shares with, or its own */
	uint64_t *entries; /* of the window */
};

struct cr_group {
	struct cr_member *members;
	size_t nr;
	struct cr_runs ranges; /* where any member may have pages */
	size_t window; /* pages */
	uint64_t loaded_at; /* what all entries are of */
	size_t nr_loaded; /* pages; 0: of nothing */
	int *fds; /* pagemaps by task->order, -1: not open; NULL: too many */
	uint64_t zero_frame;
};

/* All mappings of all tasks that may share pages, by address. */
struct cr_walk {
	struct cr_walker *walkers; /* one per task */
	struct cr_walker **heap; /* [nr_heap]; those that are out, up to nr */
	size_t nr_heap, nr;
};

/* Sets task->order.  0 or -ENOMEM; cr_walk_close() in either case. */
int cr_walk_open(struct cr_checkpoint *checkpoint, struct cr_walk *walk);
void cr_walk_close(struct cr_walk *walk);

/*
 * The next mappings of the same place and kind, at most one of each task, in
 * saved order; @members has room for as many as there are tasks.  member->vma
 * is good until the next call.  Returns how many; 0: no more.
 */
size_t cr_walk_next(struct cr_walk *walk, struct cr_member *members);

/* Find out which members share frames: those get one cluster. */
int cr_group_find_clusters(struct cr_group *group);

/* Give each page of the members of @cluster, which have a family space, to
 * the family or to the task. */
int cr_group_sort_pages(struct cr_checkpoint *checkpoint,
			struct cr_group *group, size_t cluster);

#endif /* FAMILY_H */
