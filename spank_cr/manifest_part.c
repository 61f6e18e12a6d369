/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manifest_part.c - the parts of a step of several nodes, and who decides
 * whether they become a generation; see manifest.h
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manifest.h"

int cr_manifest_forbid(int dirfd, struct cr_error *err)
{
	struct stat st;

	/* leads nowhere; its name is all that counts */
	if (symlinkat("given_up", dirfd, CR_MANIFEST_NAME) == 0) {
		if (fsync(dirfd) < 0)
			return cr_error_errno(err, "sync the generation");
		return 0;
	}
	if (errno != EEXIST)
		return cr_error_errno(err, "give the generation up");
	if (fstatat(dirfd, CR_MANIFEST_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return cr_error_errno(err, "stat " CR_MANIFEST_NAME);
	if (S_ISLNK(st.st_mode))
		return 0; /* somebody else has */
	return cr_error_set(err, -EEXIST, "the generation is complete");
}

void cr_manifest_name_part(char name[CR_MANIFEST_NAME_MAX], uint32_t node)
{
	snprintf(name, CR_MANIFEST_NAME_MAX, "node_%u.json", node);
}

void cr_manifest_name_left(char name[CR_MANIFEST_NAME_MAX], uint32_t node)
{
	snprintf(name, CR_MANIFEST_NAME_MAX, "left_%u.json", node);
}

static void *append(void *array, size_t nr, const void *more, size_t nr_more,
		    size_t size)
{
	char *longer = reallocarray(array, nr + nr_more + 1, size);

	if (longer && nr_more)
		memcpy(longer + nr * size, more, nr_more * size);
	return longer;
}

static int check_part(const struct cr_manifest *whole,
		      const struct cr_manifest *part, struct cr_error *err)
{
	uint32_t node =
		part->nr_images == 1 ? part->images[0].node : whole->nr_nodes;

	if (part->generation != whole->generation || part->job != whole->job ||
	    part->step != whole->step || part->nr_nodes != whole->nr_nodes ||
	    part->nr_ranks != whole->nr_ranks || node >= whole->nr_nodes)
		return cr_error_set(err, -ESTALE,
				    "the part of a node is of another step or "
				    "generation");
	if (whole->nr_ends + part->nr_ends > CR_MANIFEST_ENDS_MAX)
		return cr_error_set(err, -E2BIG,
				    "more than %d TCP connections between "
				    "nodes",
				    CR_MANIFEST_ENDS_MAX);
	/* parts that come in order need no search */
	if (node < whole->next_node && cr_manifest_image(whole, node))
		return cr_error_set(err, -ESTALE, "node %u has two parts",
				    node);
	return 0;
}

/* Of several arrays the first that fails leaves the rest out. */
static int add_arrays(struct cr_manifest *whole, const struct cr_manifest *part)
{
	const struct {
		void *array; /* a pointer to the pointer */
		size_t *nr;
		const void *more;
		size_t nr_more, size;
	} all[] = {
		{ &whole->streams, &whole->nr_streams, part->streams,
		  part->nr_streams, sizeof(*part->streams) },
		{ &whole->ended, &whole->nr_ended, part->ended, part->nr_ended,
		  sizeof(*part->ended) },
		{ &whole->addresses, &whole->nr_addresses, part->addresses,
		  part->nr_addresses, sizeof(*part->addresses) },
		{ &whole->ends, &whole->nr_ends, part->ends, part->nr_ends,
		  sizeof(*part->ends) },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		void *longer;

		memcpy(&longer, all[i].array, sizeof(longer));
		longer = append(longer, *all[i].nr, all[i].more, all[i].nr_more,
				all[i].size);
		if (!longer)
			return -ENOMEM;
		memcpy(all[i].array, &longer, sizeof(longer));
		*all[i].nr += all[i].nr_more;
	}
	return 0;
}

int cr_manifest_add(struct cr_manifest *whole, const struct cr_manifest *part,
		    struct cr_error *err)
{
	const struct cr_manifest_image *image = part->images;
	char *ranks = NULL;
	void *longer;
	int rc;

	rc = check_part(whole, part, err);
	if (rc)
		return rc;
	longer = append(whole->images, whole->nr_images, image, 1,
			sizeof(*image));
	if (!longer)
		goto no_memory;
	whole->images = longer;
	if (image->ranks && !(ranks = strdup(image->ranks)))
		goto no_memory;
	whole->images[whole->nr_images++].ranks = ranks;
	if (image->node >= whole->next_node)
		whole->next_node = image->node + 1;
	if (add_arrays(whole, part))
		goto no_memory;
	return 0;
no_memory:
	return cr_error_set(err, -ENOMEM, "no memory for the manifest");
}
