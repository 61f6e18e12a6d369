/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_vdso.c - put a vdso where the image wants it
 *
 * A program holds addresses within the vdso, so it must be where it was.  If
 * the image is of this kernel, our own mappings are moved there.  If not,
 * the saved vdso takes that place as ordinary memory whose functions lead to
 * ours (vdso.h), and ours goes to the end of the zone, which is free in every
 * task of the tree.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "restart_mm.h"
#include "vdso.h"

/* --- in the coordinator --- */

static void find_own(struct cr_vdso_own *own)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4096];

	while (maps && own->nr < CR_VDSO_PARTS &&
	       fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "[vvar") && !strstr(line, "[vdso]"))
			continue;
		if (sscanf(line, "%" SCNx64 "-%" SCNx64,
			   &own->part[own->nr].start,
			   &own->part[own->nr].end) == 2)
			own->nr++;
	}
	if (maps)
		fclose(maps);
}

/* Is the image of a kernel with the very same vdso, by contents? */
static int is_same(const struct cr_saved *saved, const struct cr_vdso_own *own)
{
	uint64_t length;

	if (!own->nr || !saved->vdso)
		return !saved->vdso;
	/* vvar comes before vdso in every kernel so far */
	length = own->part[own->nr - 1].end - own->part[own->nr - 1].start;
	return length == saved->vdso_length &&
	       !memcmp((void *)own->part[own->nr - 1].start, saved->vdso,
		       length);
}

static uint64_t own_length(const struct cr_vdso_own *own)
{
	return own->nr ? own->part[own->nr - 1].end - own->part[0].start : 0;
}

/* Map the saved vdso, patched, where every task will inherit it. */
static int patch(struct cr_restarter *r, struct cr_error *err)
{
	struct cr_vdso_own *own = &r->vdso;
	const uint32_t length = r->saved->vdso_length;
	const uint8_t *vdso = NULL;
	uint64_t vdso_length = 0, distance = 0;
	int rc;

	own->patched = cr_zone_take(&r->zone, length, 0);
	if (!own->patched ||
	    mmap((void *)own->patched, length, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) == MAP_FAILED)
		return cr_error_errno(err, "mapping the saved vdso");
	memcpy((void *)own->patched, r->saved->vdso, length);
	if (own->nr) {
		vdso = (const uint8_t *)own->part[own->nr - 1].start;
		vdso_length = own->part[own->nr - 1].end -
			      own->part[own->nr - 1].start;
		distance = (uint64_t)vdso - own->part[0].start;
	}
	rc = cr_vdso_patch((uint8_t *)own->patched, length, vdso, vdso_length,
			   own->moved_to + distance, err);
	if (!rc &&
	    mprotect((void *)own->patched, length, PROT_READ | PROT_EXEC) < 0)
		rc = cr_error_errno(err, "protecting the saved vdso");
	return rc;
}

int cr_vdso_prepare(struct cr_restarter *r, struct cr_error *err)
{
	struct cr_vdso_own *own = &r->vdso;

	if (!r->saved->vdso)
		return 0;
	find_own(own);
	if (is_same(r->saved, own) && !r->options->foreign_vdso) {
		own->moved_to = cr_zone_take(&r->zone, own_length(own), 0);
		return own->moved_to ?
			       0 :
			       cr_error_set(err, -ENOMEM, "no free addresses");
	}
	own->kept_length = own_length(own);
	r->zone.end -= own->kept_length;
	own->moved_to = r->zone.end;
	return patch(r, err);
}

/* --- in each task --- */

static void add_move(struct cr_list *list, uint64_t from, uint64_t length,
		     uint64_t to)
{
	struct cr_op *op;

	op = cr_list_add(list, CR_OP_CALL, CR_STEP_MOVE, SYS_mremap, from,
			 length, length, MREMAP_MAYMOVE | MREMAP_FIXED);
	op->args[4] = to;
}

/* The parts keep their distances: code of the vdso finds vvar by them. */
static uint64_t moved_part(const struct cr_vdso_own *own, size_t i)
{
	return own->moved_to + own->part[i].start - own->part[0].start;
}

void cr_vdso_add_rescue(const struct cr_restarter *r, struct cr_list *list)
{
	const struct cr_vdso_own *own = &r->vdso;

	for (size_t i = 0; i < own->nr; i++)
		add_move(list, own->part[i].start,
			 own->part[i].end - own->part[i].start,
			 moved_part(own, i));
}

int cr_vdso_add_place(const struct cr_restarter *r,
		      const struct cr_wire_vma *vma, size_t *next,
		      struct cr_list *list, struct cr_error *err)
{
	const struct cr_vdso_own *own = &r->vdso;
	uint64_t length = vma->end - vma->start;
	size_t part = (*next)++;
	struct cr_op *op;

	if (!own->patched) {
		if (part >= own->nr ||
		    own->part[part].end - own->part[part].start != length)
			return cr_error_set(err, -EBADMSG,
					    "vdso and vvar do not go together");
		add_move(list, moved_part(own, part), length, vma->start);
	} else if (vma->kind == CR_VMA_VDSO) {
		if (length != r->saved->vdso_length)
			return cr_error_set(err, -EBADMSG,
					    "vdso of another length");
		add_move(list, own->patched, length, vma->start);
	} else { /* nobody reads the old vvar any more; it keeps its place */
		op = cr_list_add(list, CR_OP_CALL_IS, CR_STEP_MAP, SYS_mmap,
				 vma->start, length, PROT_READ,
				 MAP_PRIVATE | MAP_ANONYMOUS |
					 MAP_FIXED_NOREPLACE);
		op->args[4] = (uint64_t)-1;
		op->expected = (int64_t)vma->start;
	}
	return 0;
}
