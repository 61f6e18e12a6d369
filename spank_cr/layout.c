/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * layout.c - groups of ranks on the nodes of a step; see layout.h
 */
#include <errno.h>
#include <stdlib.h>

#include "layout.h"
#include "ranks.h"

struct layout {
	const struct cr_manifest *manifest;
	const uint32_t *node_of;
	uint8_t *is_named; /* [nr_ranks] */
};

void cr_groups_free(struct cr_group *groups, size_t nr_groups)
{
	for (size_t i = 0; groups && i < nr_groups; i++)
		free(groups[i].ranks);
	free(groups);
}

static int check_whole(const struct layout *layout,
		       const struct cr_manifest_image *image,
		       const struct cr_group *group, struct cr_error *err)
{
	for (size_t i = 0; i < group->nr_ranks; i++) {
		const uint32_t rank = group->ranks[i];
		const uint32_t first = layout->node_of[group->ranks[0]];

		if (layout->is_named[rank]++)
			return cr_error_set(err, -EBADMSG,
					    "two images have rank %u", rank);
		if (layout->node_of[rank] != first)
			return cr_error_set(
				err, -ESTALE,
				"ranks %.120s were on one node, where they "
				"may share memory, and are on several now, as "
				"%u and %u: such a group cannot be split",
				image->ranks, group->ranks[0], rank);
	}
	return 0;
}

static int load_group(const struct layout *layout,
		      const struct cr_manifest_image *image,
		      struct cr_group *group, struct cr_error *err)
{
	int rc;

	if (!image->ranks)
		return cr_error_set(err, -EBADMSG,
				    "the manifest does not tell the ranks of "
				    "node %u",
				    image->node);
	rc = cr_ranks_scan(image->ranks, layout->manifest->nr_ranks,
			   &group->ranks, &group->nr_ranks);
	if (rc)
		return cr_error_set(err, rc, "ranks %.120s of node %u",
				    image->ranks, image->node);
	group->node = image->node;
	return check_whole(layout, image, group, err);
}

static int load_groups(const struct layout *layout, uint32_t node,
		       struct cr_group *groups, size_t *nr_groupsp,
		       struct cr_error *err)
{
	const struct cr_manifest *manifest = layout->manifest;
	struct cr_group *group;
	int rc;

	for (size_t i = 0; i < manifest->nr_images; i++) {
		group = &groups[(*nr_groupsp)++];
		rc = load_group(layout, &manifest->images[i], group, err);
		if (rc)
			return rc;
		if (layout->node_of[group->ranks[0]] == node)
			continue;
		free(group->ranks);
		group->ranks = NULL;
		(*nr_groupsp)--;
	}
	for (uint32_t rank = 0; rank < manifest->nr_ranks; rank++)
		if (!layout->is_named[rank])
			return cr_error_set(err, -EBADMSG,
					    "no image has rank %u", rank);
	return 0;
}

int cr_layout_groups(const struct cr_manifest *manifest,
		     const uint32_t *node_of, uint32_t node,
		     struct cr_group **groupsp, size_t *nr_groupsp,
		     struct cr_error *err)
{
	struct layout layout = {
		.manifest = manifest,
		.node_of = node_of,
		.is_named = calloc(manifest->nr_ranks + 1ul, 1),
	};
	struct cr_group *groups =
		calloc(manifest->nr_images + 1, sizeof(*groups));
	size_t nr_groups = 0;
	int rc;

	if (layout.is_named && groups)
		rc = load_groups(&layout, node, groups, &nr_groups, err);
	else
		rc = cr_error_set(err, -ENOMEM, "no memory");
	free(layout.is_named);
	if (rc) {
		cr_groups_free(groups, nr_groups);
		return rc;
	}
	*groupsp = groups;
	*nr_groupsp = nr_groups;
	return 0;
}
