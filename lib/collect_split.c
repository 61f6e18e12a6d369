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

struct cuts {
	struct cut *cuts;
	size_t nr;
};

static int may_split(const struct cr_save_vma *vma)
{
	return vma->may_share &&
	       !(vma->wire.map_flags & (MAP_HUGETLB | MAP_GROWSDOWN));
}

static int compare_cuts(const void *a, const void *b)
{
	const struct cut *left = a, *right = b;

	return (left->address > right->address) -
	       (left->address < right->address);
}

static int add_cut(struct cuts *cuts, const struct cr_wire_vma *vma,
		   uint64_t address)
{
	if (cr_array_grow(&cuts->cuts, cuts->nr, sizeof(cuts->cuts[0])) < 0)
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
	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		struct cr_save_task *task = checkpoint->tasks[i];

		for (size_t j = 0; j < task->nr_vmas; j++) {
			const struct cr_wire_vma *vma = &task->vmas[j].wire;

			if (may_split(&task->vmas[j]) &&
			    (add_cut(cuts, vma, vma->start) < 0 ||
			     add_cut(cuts, vma, vma->end) < 0))
				return -ENOMEM;
		}
	}
	if (cuts->nr)
		qsort(cuts->cuts, cuts->nr, sizeof(cuts->cuts[0]),
		      compare_cuts);
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

/* Cut the mapping at @index once; the rest comes next. */
static int split(struct cr_save_task *task, size_t index, uint64_t address)
{
	struct cr_save_vma *vma;

	if (cr_array_grow(&task->vmas, task->nr_vmas, sizeof(*vma)) < 0)
		return -ENOMEM;
	vma = &task->vmas[index];
	memmove(vma + 1, vma, (task->nr_vmas - index) * sizeof(*vma));
	task->nr_vmas++;
	vma[0].wire.end = address;
	vma[1].wire.start = address;
	if (vma->wire.kind == CR_VMA_FILE_PRIVATE)
		vma[1].wire.offset += address - vma[0].wire.start;
	return 0;
}

int cr_split_vmas(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	struct cuts cuts = { 0 };
	int rc;

	rc = list_cuts(checkpoint, &cuts);
	for (size_t i = 0; i < checkpoint->nr_tasks && rc == 0; i++) {
		struct cr_save_task *task = checkpoint->tasks[i];

		for (size_t j = 0; j < task->nr_vmas && rc == 0; j++) {
			uint64_t address = 0;

			if (may_split(&task->vmas[j]))
				address = find_cut(&cuts, &task->vmas[j].wire);
			if (address)
				rc = split(task, j, address);
		}
	}
	free(cuts.cuts);
	if (rc < 0)
		return cr_error_set(err, rc, "out of memory");
	return 0;
}
