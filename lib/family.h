/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * family.h - mappings of several tasks that may share pages
 *
 * Private to collect_family.c, which makes groups and families, and to
 * family_pages.c, which compares their page frames.
 */
#ifndef FAMILY_H
#define FAMILY_H

#include "collect.h"

struct cr_member {
	struct cr_save_task *task;
	struct cr_save_vma *vma;
	int fd; /* pagemap */
	size_t cluster; /* index of a member that it shares with, or its own */
	uint64_t *entries; /* of the window */
};

struct cr_group {
	struct cr_member *members;
	size_t nr;
	struct cr_runs ranges; /* where any member has pages */
	size_t window; /* pages */
	uint64_t zero_frame;
};

/* Find out which members share frames: those get one cluster. */
int cr_group_find_clusters(struct cr_group *group);

/* Give each page of the members of @cluster, which have a family space, to
 * the family or to the task. */
int cr_group_sort_pages(struct cr_checkpoint *checkpoint,
			struct cr_group *group, size_t cluster);

#endif /* FAMILY_H */
