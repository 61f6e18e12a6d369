/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * layout.h - which groups of ranks a node of the step has now
 *
 * Ranks that shared a node when they were saved are a *group*: one image, one
 * set of namespaces.  Slurm may put several groups on one node when the job
 * runs again; then each has an agent of its own there, for which the step has
 * as many "nodes" as there are groups.  A group on several nodes cannot be.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "cr_error.h"
#include "manifest.h"

struct cr_group {
	uint32_t node; /* whose image it is, as saved */
	uint32_t *ranks; /* ascending; freed with the groups */
	size_t nr_ranks;
};

/*
 * Groups of @manifest whose ranks are on @node now, in the order of their
 * images; @node_of[manifest->nr_ranks] tells where each rank is.
 * Returns 0, -ESTALE (some group, here or elsewhere, is on several nodes now),
 * -EBADMSG (the manifest does not name each rank once), -ENOMEM.
 */
int cr_layout_groups(const struct cr_manifest *manifest,
		     const uint32_t *node_of, uint32_t node,
		     struct cr_group **groupsp, size_t *nr_groupsp,
		     struct cr_error *err);

void cr_groups_free(struct cr_group *groups, size_t nr_groups);

#endif /* LAYOUT_H */
