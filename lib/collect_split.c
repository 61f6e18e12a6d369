/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_split.c - cut mappings so that relatives have the same ones
 *
 * After fork(2) one of the two may protect, unmap or remap a part of what both
 * have.  Families are made of mappings with the same start, so a mapping is cut
 * wherever one of another task begins or ends.  To the kernel both pieces are
 * what one was.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "collect.h"

/* An end of a mapping that may share pages. */
struct cut {
	uint64_t address;
	uint32_t kind, file;
};

/* Relatives have most ends in common: each is kept once. */
struct cuts {
	struct cut *cuts;
	size_t nr, room;
};

#define ROOM_MIN 1024u

static int may_split(const struct cr_save_vma *vma)
{
	return vma->may_share &&
	       !(vma->wire.map_flags & (MAP_HUGETLB | MAP_GROWSDOWN));
}

static int compare_cuts(const void *a, const void *b)
{
	const struct cut *left = a, *right = b;

	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	return (left->file > right->file) - (left->file < right->file);
}

/* Sort them and drop what is there twice. */
static void settle(struct cuts *cuts)
{
	size_t nr = 0;

	if (!cuts->nr)
		return;
	qsort(cuts->cuts, cuts->nr, sizeof(cuts->cuts[0]), compare_cuts);
	for (size_t i = 1; i < cuts->nr; i++)
		if (compare_cuts(&cuts->cuts[nr], &cuts->cuts[i]))
			cuts->cuts[++nr] = cuts->cuts[i];
	cuts->nr = nr + 1;
}

static int make_room(struct cuts *cuts)
{
	size_t room = cuts->room ? cuts->room * 2 : ROOM_MIN;
	struct cut *more;

	settle(cuts);
	if (cuts->room && cuts->nr <= cuts->room / 2)
		return 0;
	more = reallocarray(cuts->cuts, room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	cuts->cuts = more;
	cuts->room = room;
	return 0;
}

static int add_cut(struct cuts *cuts, const struct cr_wire_vma *vma,
		   uint64_t address)
{
	if (cuts->nr == cuts->room && make_room(cuts) < 0)
		return -ENOMEM;
	cuts->cuts[cuts->nr++] = (struct cut){
		.address = address,
		.kind = vma->kind,
		.file = vma->file,
	};
	return 0;
}

static int list_cuts(struct cr_checkpoint *checkpoint, struct cuts *cuts)
{
	struct cr_vma_cursor cursor;

	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		cr_vma_begin(&checkpoint->tasks[i]->vmas, &cursor);
		while (cr_vma_next(&cursor)) {
			const struct cr_wire_vma *vma = &cursor.vma.wire;

			if (may_split(&cursor.vma) &&
			    (add_cut(cuts, vma, vma->start) < 0 ||
			     add_cut(cuts, vma, vma->end) < 0))
				return -ENOMEM;
		}
	}
	settle(cuts);
	return 0;
}

/* Index of the first cut behind @address. */
static size_t first_behind(const struct cuts *cuts, uint64_t address)
{
	size_t low = 0, high = cuts->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (cuts->cuts[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Where to cut @vma first, or 0. */
static uint64_t find_cut(const struct cuts *cuts, const struct cr_wire_vma *vma)
{
	for (size_t i = first_behind(cuts, vma->start);
	     i < cuts->nr && cuts->cuts[i].address < vma->end; i++)
		if (cuts->cuts[i].kind == vma->kind &&
		    cuts->cuts[i].file == vma->file)
			return cuts->cuts[i].address;
	return 0;
}

/* Add the pieces of @vma to a list; returns how many, or -ENOMEM. */
static int add_pieces(const struct cuts *cuts, struct cr_vma_writer *writer,
		      struct cr_save_vma vma)
{
	int nr = 1;

	for (;; nr++) {
		struct cr_save_vma piece = vma;
		uint64_t address = 0;

		if (may_split(&vma))
			address = find_cut(cuts, &vma.wire);
		if (address)
			piece.wire.end = address;
		if (cr_vma_writer_add(writer, &piece) < 0)
			return -ENOMEM;
		if (!address)
			return nr;
		vma.wire.start = address;
		if (vma.wire.kind == CR_VMA_FILE_PRIVATE)
			vma.wire.offset += address - piece.wire.start;
	}
}

static int split_task(const struct cuts *cuts, struct cr_save_task *task)
{
	struct cr_vma_list list = { 0 };
	struct cr_vma_writer writer = { .list = &list };
	struct cr_vma_cursor cursor;
	int nr = 0, is_cut = 0;

	cr_vma_begin(&task->vmas, &cursor);
	while (cr_vma_next(&cursor) && nr >= 0) {
		nr = add_pieces(cuts, &writer, cursor.vma);
		is_cut |= nr > 1;
	}
	if (nr < 0 || !is_cut) {
		cr_vma_list_clear(&list);
		return nr < 0 ? nr : 0;
	}
	cr_vma_list_clear(&task->vmas);
	task->vmas = list;
	cr_vma_list_trim(&task->vmas);
	return 0;
}

int cr_split_vmas(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	struct cuts cuts = { 0 };
	int rc;

	rc = list_cuts(checkpoint, &cuts);
	for (size_t i = 0; i < checkpoint->nr_tasks && rc == 0; i++)
		rc = split_task(&cuts, checkpoint->tasks[i]);
	free(cuts.cuts);
	if (rc < 0)
		return cr_error_set(err, rc, "out of memory");
	return 0;
}
