/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_family.c - memory that relatives share copy-on-write
 *
 * The coordinator maps and fills each family once.  Every task inherits it by
 * fork(2), moves its own copy of the mapping to its place and overwrites the
 * pages that it has for itself: all others are shared again, as they were.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cr_image.h"
#include "restart_mm.h"

struct family {
	const struct cr_wire_space *space;
	uint64_t at;
};

static void *locate(void *arg, uint64_t address, uint64_t *length)
{
	const struct family *family = arg;
	uint64_t offset = address - family->space->start;

	if (address < family->space->start || offset >= family->space->length)
		return NULL;
	if (*length > family->space->length - offset)
		*length = family->space->length - offset;
	return (void *)(family->at + offset);
}

static int map_family(struct cr_restarter *r, const struct cr_wire_space *space,
		      uint64_t *atp, struct cr_error *err)
{
	const struct cr_wire_vma vma = {
		.start = space->start,
		.end = space->start + space->length,
		.offset = space->file_offset,
		.map_flags = space->map_flags,
		.file = space->file,
	};
	struct cr_file_restore files = { .saved = r->saved,
					 .image = r->image,
					 .places = r->file_places,
					 .fd_floor = r->fd_floor };

	if (space->file)
		return cr_mm_stage_file(r, &vma, &files, 0, atp, err);
	return cr_mm_map(r, &vma, PROT_READ | PROT_WRITE, -1, atp, err);
}

int cr_mm_map_families(struct cr_restarter *r, struct cr_error *err)
{
	struct family family;
	int rc = 0;

	r->family = calloc(r->saved->nr_spaces + 1, sizeof(*r->family));
	if (!r->family)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < r->saved->nr_spaces && !rc; i++) {
		family.space = r->saved->spaces[i];
		if (family.space->kind != CR_SPACE_FAMILY)
			continue;
		rc = map_family(r, family.space, &family.at, err);
		if (!rc)
			rc = cr_image_fill(r->image, family.space->id, locate,
					   &family, r->options->nr_workers,
					   err);
		r->family[i] = family.at;
	}
	return rc;
}

void cr_mm_unmap_families(struct cr_restarter *r)
{
	for (size_t i = 0; r->family && i < r->saved->nr_spaces; i++)
		if (r->family[i])
			munmap((void *)r->family[i],
			       r->saved->spaces[i]->length);
	free(r->family);
	r->family = NULL;
}
