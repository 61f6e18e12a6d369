/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_family.c - memory that relatives share copy-on-write
 *
 * The coordinator maps and fills each family once.  Every task inherits it by
 * fork(2), moves its own copy of the mapping to its place and overwrites the
 * pages that it has for itself: all others are shared again, as they were.
 * The kernel counts memory to the cgroup of who touches it first: so the
 * coordinator, which is outside of the ranks' limits, fills it from inside.
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

/* The cgroups of the first task that has memory of @space. */
static const struct cr_cgroups *payer(const struct cr_restarter *r,
				      const struct cr_wire_space *space)
{
	const struct cr_restarter_root *root;

	for (size_t i = 0; i < r->saved->nr_tasks; i++) {
		const struct cr_saved_task *task = &r->saved->tasks[i];

		for (size_t j = 0; j < task->nr_vmas; j++)
			if (task->vmas[j].space == space->id) {
				root = cr_restarter_find_root(r,
							      task->link->rank);
				return root ? &root->cgroups : NULL;
			}
	}
	return NULL;
}

static int fill_family(struct cr_restarter *r,
		       const struct cr_wire_space *space, struct cr_error *err)
{
	struct family family = { .space = space };
	int rc;

	rc = map_family(r, space, &family.at, err);
	if (!rc)
		rc = cr_image_fill(r->image, space->id, locate, &family,
				   r->options->nr_workers, err);
	r->family[space->id - 1] = family.at;
	return rc;
}

/* @home: where we come from; if that is unknown we stay. */
static int fill_all(struct cr_restarter *r, const struct cr_cgroups *home,
		    struct cr_error *err)
{
	const struct cr_cgroups *here = NULL, *next;
	int rc = 0, back = 0;

	for (size_t i = 0; i < r->saved->nr_spaces && !rc; i++) {
		const struct cr_wire_space *space = r->saved->spaces[i];

		if (space->kind != CR_SPACE_FAMILY)
			continue;
		next = home->memory ? payer(r, space) : NULL;
		if (next && next->memory && next != here) {
			here = next;
			rc = cr_cgroups_join_memory(here, err);
		}
		if (!rc)
			rc = fill_family(r, space, err);
	}
	if (here)
		back = cr_cgroups_join_memory(home, rc ? NULL : err);
	return rc ? rc : back;
}

int cr_mm_map_families(struct cr_restarter *r, struct cr_error *err)
{
	struct cr_cgroups home = { 0 };
	int rc = 0;

	r->family = calloc(r->saved->nr_spaces + 1, sizeof(*r->family));
	if (!r->family)
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (r->options->nr_roots && r->roots[0].cgroups.memory)
		rc = cr_cgroups_open(&home, getpid(), r->fd_floor, err);
	if (!rc)
		rc = fill_all(r, &home, err);
	cr_cgroups_close(&home);
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
