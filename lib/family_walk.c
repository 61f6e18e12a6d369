/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * family_walk.c - mappings of several tasks that are the same place and kind
 *
 * Each task's mappings are in order, so going through those of all tasks at
 * once needs no list of them: a heap of one cursor for each task does.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "family.h"

struct cr_walker {
	struct cr_save_task *task;
	struct cr_vma_cursor cursor;
};

static int compare_places(const struct cr_wire_vma *left,
			  const struct cr_wire_vma *right)
{
	if (left->start != right->start)
		return left->start < right->start ? -1 : 1;
	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	if (left->file != right->file)
		return left->file < right->file ? -1 : 1;
	if (left->offset != right->offset)
		return left->offset < right->offset ? -1 : 1;
	return (left->map_flags > right->map_flags) -
	       (left->map_flags < right->map_flags);
}

/* Saved order last: the first that has a page is its source. */
static int is_before(const struct cr_walker *a, const struct cr_walker *b)
{
	int order = compare_places(&a->cursor.vma.wire, &b->cursor.vma.wire);

	return order ? order < 0 : a->task->order < b->task->order;
}

/* To the next mapping that may share pages; 0: there is none. */
static int advance(struct cr_walker *walker)
{
	const struct cr_save_vma *vma = &walker->cursor.vma;

	while (cr_vma_next(&walker->cursor))
		if (vma->may_share && !(vma->wire.map_flags & MAP_HUGETLB))
			return 1;
	return 0;
}

static void swap(struct cr_walk *walk, size_t a, size_t b)
{
	struct cr_walker *walker = walk->heap[a];

	walk->heap[a] = walk->heap[b];
	walk->heap[b] = walker;
}

/* The one behind the heap joins it. */
static void push(struct cr_walk *walk)
{
	size_t at = walk->nr_heap++;

	for (; at && is_before(walk->heap[at], walk->heap[(at - 1) / 2]);
	     at = (at - 1) / 2)
		swap(walk, at, (at - 1) / 2);
}

/* The first one goes behind the heap. */
static void pop(struct cr_walk *walk)
{
	size_t at = 0, child;

	swap(walk, 0, --walk->nr_heap);
	for (; (child = 2 * at + 1) < walk->nr_heap; at = child) {
		if (child + 1 < walk->nr_heap &&
		    is_before(walk->heap[child + 1], walk->heap[child]))
			child++;
		if (!is_before(walk->heap[child], walk->heap[at]))
			return;
		swap(walk, at, child);
	}
}

/* Those that the last group was made of go on. */
static void refill(struct cr_walk *walk)
{
	while (walk->nr_heap < walk->nr) {
		if (advance(walk->heap[walk->nr_heap]))
			push(walk);
		else
			swap(walk, walk->nr_heap, --walk->nr);
	}
}

int cr_walk_open(struct cr_checkpoint *checkpoint, struct cr_walk *walk)
{
	size_t nr = checkpoint->nr_tasks;

	walk->nr = walk->nr_heap = 0;
	walk->walkers = calloc(nr, sizeof(*walk->walkers));
	walk->heap = calloc(nr, sizeof(struct cr_walker *));
	if (!walk->walkers || !walk->heap)
		return -ENOMEM;
	for (; walk->nr < nr; walk->nr++) {
		struct cr_walker *walker = &walk->walkers[walk->nr];

		walker->task = checkpoint->tasks[walk->nr];
		walker->task->order = walk->nr;
		cr_vma_begin(&walker->task->vmas, &walker->cursor);
		walk->heap[walk->nr] = walker;
	}
	return 0;
}

size_t cr_walk_next(struct cr_walk *walk, struct cr_member *members)
{
	const struct cr_wire_vma *first;
	size_t nr = 0;

	refill(walk);
	if (!walk->nr_heap)
		return 0;
	first = &walk->heap[0]->cursor.vma.wire;
	do {
		struct cr_walker *walker = walk->heap[0];

		members[nr++] = (struct cr_member){
			.task = walker->task,
			.vma = &walker->cursor.vma,
			.index = walker->cursor.index,
		};
		pop(walk);
	} while (walk->nr_heap &&
		 !compare_places(first, &walk->heap[0]->cursor.vma.wire));
	return nr;
}

void cr_walk_close(struct cr_walk *walk)
{
	free(walk->walkers);
	free(walk->heap);
}
