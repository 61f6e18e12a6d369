/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_family.c - pages that relatives still share copy-on-write
 *
 * After fork(2) parent and child have the same page frames until one writes.
 * Mappings of the same place and kind in several tasks that have a frame in
 * common become members of one family: its pages are saved once, and every
 * task starts from a copy-on-write copy of them at restart.  Where a member
 * differs from the family, even by having nothing, its own content is saved.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "family.h"
#include "pagemap.h"

#define ENTRIES_MAX (1u << 20) /* of all members at a time */
#define WINDOW_MAX 2048u /* pages */

static int compare_members(const void *a, const void *b)
{
	const struct cr_member *x = a, *y = b;
	const struct cr_wire_vma *left = &x->vma->wire, *right = &y->vma->wire;

	if (left->start != right->start)
		return left->start < right->start ? -1 : 1;
	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	if (left->file != right->file)
		return left->file < right->file ? -1 : 1;
	if (left->offset != right->offset)
		return left->offset < right->offset ? -1 : 1;
	if (left->map_flags != right->map_flags)
		return left->map_flags < right->map_flags ? -1 : 1;
	/* saved order: the first that has a page is its source */
	return (x->task->order > y->task->order) -
	       (x->task->order < y->task->order);
}

static int is_same_group(const struct cr_member *a, const struct cr_member *b)
{
	const struct cr_wire_vma *left = &a->vma->wire, *right = &b->vma->wire;

	return left->start == right->start && left->kind == right->kind &&
	       left->file == right->file && left->offset == right->offset &&
	       left->map_flags == right->map_flags;
}

static int make_family(struct cr_checkpoint *checkpoint, struct cr_group *group,
		       size_t cluster)
{
	const struct cr_wire_vma *vma = &group->members[cluster].vma->wire;
	struct cr_wire_space *space;
	uint64_t end = 0;
	uint32_t id;

	for (size_t i = 0; i < group->nr; i++)
		if (group->members[i].cluster == cluster &&
		    group->members[i].vma->wire.end > end)
			end = group->members[i].vma->wire.end;
	id = cr_new_space(checkpoint, CR_SPACE_FAMILY, end - vma->start,
			  vma->file);
	if (!id)
		return -ENOMEM;
	space = &checkpoint->spaces[id - 1]->wire;
	space->start = vma->start;
	space->map_flags = vma->map_flags;
	space->file_offset = vma->offset;
	for (size_t i = 0; i < group->nr; i++) {
		if (group->members[i].cluster != cluster)
			continue;
		group->members[i].vma->wire.space = id;
		group->members[i].vma->is_scanned = 1;
	}
	return 0;
}

static size_t cluster_size(const struct cr_group *group, size_t cluster)
{
	size_t nr = 0;

	for (size_t i = 0; i < group->nr; i++)
		nr += group->members[i].cluster == cluster;
	return nr;
}

static int open_members(struct cr_group *group, uint64_t *entries)
{
	char path[64];
	int rc;

	for (size_t i = 0; i < group->nr; i++) {
		struct cr_member *member = &group->members[i];

		snprintf(path, sizeof(path), "/proc/%d/pagemap",
			 member->task->pid);
		member->fd = open(path, O_RDONLY | O_CLOEXEC);
		if (member->fd < 0)
			return -errno;
		member->entries = entries + i * group->window;
		member->cluster = i;
		rc = cr_scan_pages(member->fd, member->vma->wire.start,
				   member->vma->wire.end,
				   member->vma->wire.kind ==
					   CR_VMA_FILE_PRIVATE,
				   &group->ranges);
		if (rc < 0)
			return rc;
	}
	cr_runs_merge(&group->ranges);
	return 0;
}

static int collect_group(struct cr_checkpoint *checkpoint,
			 struct cr_group *group)
{
	uint64_t *entries;
	int rc;

	group->window = ENTRIES_MAX / group->nr;
	if (group->window > WINDOW_MAX)
		group->window = WINDOW_MAX;
	if (!group->window)
		group->window = 1;
	entries = calloc(group->nr * group->window, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < group->nr; i++)
		group->members[i].fd = -1;
	rc = open_members(group, entries);
	if (rc == 0)
		rc = cr_group_find_clusters(group);
	for (size_t i = 0; i < group->nr && rc == 0; i++) {
		if (cluster_size(group, i) < 2)
			continue;
		rc = make_family(checkpoint, group, i);
		if (rc == 0)
			rc = cr_group_sort_pages(checkpoint, group, i);
	}
	for (size_t i = 0; i < group->nr; i++)
		if (group->members[i].fd >= 0)
			close(group->members[i].fd);
	free(group->ranges.runs);
	memset(&group->ranges, 0, sizeof(group->ranges));
	free(entries);
	return rc;
}

/* Mappings that may share pages, of all tasks. */
static int list_members(struct cr_checkpoint *checkpoint,
			struct cr_member **membersp, size_t *nrp)
{
	struct cr_member *members = NULL;
	size_t nr = 0;

	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		struct cr_save_task *task = checkpoint->tasks[i];

		task->order = i;
		for (size_t j = 0; j < task->nr_vmas; j++) {
			struct cr_save_vma *vma = &task->vmas[j];

			if (!vma->may_share ||
			    (vma->wire.map_flags & MAP_HUGETLB))
				continue;
			if (cr_array_grow(&members, nr, sizeof(*members)) < 0) {
				free(members);
				return -ENOMEM;
			}
			memset(&members[nr], 0, sizeof(*members));
			members[nr].task = task;
			members[nr++].vma = vma;
		}
	}
	*membersp = members;
	*nrp = nr;
	return 0;
}

/* The frame that reads of untouched memory are given. */
static uint64_t find_zero_frame(void)
{
	uint64_t entry = 0;
	volatile char *page;
	int fd;

	page = mmap(NULL, CR_WIRE_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	if (page == MAP_FAILED)
		return 0;
	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && page[0] == 0)
		cr_pagemap_read(fd, (uint64_t)(uintptr_t)page, &entry, 1);
	if (fd >= 0)
		close(fd);
	munmap((void *)(uintptr_t)page, CR_WIRE_PAGE);
	return entry & CR_PAGEMAP_FRAME;
}

int cr_collect_families(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	struct cr_group group = { .zero_frame = find_zero_frame() };
	struct cr_member *members;
	size_t nr, i, j;
	int rc;

	rc = list_members(checkpoint, &members, &nr);
	if (rc < 0)
		return cr_error_set(err, rc, "out of memory");
	if (nr)
		qsort(members, nr, sizeof(*members), compare_members);
	for (i = 0; i < nr && rc == 0; i = j) {
		for (j = i + 1; j < nr; j++)
			if (!is_same_group(&members[i], &members[j]))
				break;
		group.members = members + i;
		group.nr = j - i;
		if (group.nr > 1)
			rc = collect_group(checkpoint, &group);
	}
	free(members);
	if (rc < 0)
		return cr_error_set(err, rc, "shared pages: %s", strerror(-rc));
	return 0;
}
