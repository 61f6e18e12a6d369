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

#include "collect.h"
#include "pagemap.h"

#define ENTRIES_MAX (1u << 20) /* of all members at a time */
#define WINDOW_MAX 2048u /* pages */

struct member {
	struct cr_save_task *task;
	struct cr_save_vma *vma;
	int fd; /* pagemap */
	size_t cluster; /* index of a member that it shares with, or its own */
	uint64_t *entries; /* of the window */
};

struct group {
	struct member *members;
	size_t nr;
	struct cr_runs ranges; /* where any member has pages */
	size_t window; /* pages */
	uint64_t zero_frame;
};

static int compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
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

static int is_same_group(const struct member *a, const struct member *b)
{
	const struct cr_wire_vma *left = &a->vma->wire, *right = &b->vma->wire;

	return left->start == right->start && left->kind == right->kind &&
	       left->file == right->file && left->offset == right->offset &&
	       left->map_flags == right->map_flags;
}

/* The frame that member has at page @i and may share, or 0. */
static uint64_t shared_frame(const struct group *group,
			     const struct member *member, size_t i)
{
	uint64_t entry = member->entries[i], frame;

	if (!(entry & CR_PAGEMAP_PRESENT) ||
	    (entry & (CR_PAGEMAP_FILE | CR_PAGEMAP_EXCLUSIVE)))
		return 0;
	frame = entry & CR_PAGEMAP_FRAME;
	return frame == group->zero_frame ? 0 : frame;
}

static int read_window(const struct group *group, uint64_t address,
		       size_t nr_pages)
{
	int rc;

	for (size_t i = 0; i < group->nr; i++) {
		struct member *member = &group->members[i];
		uint64_t end = member->vma->wire.end;
		size_t nr = 0;

		if (address < end)
			nr = (end - address) / CR_WIRE_PAGE;
		if (nr > nr_pages)
			nr = nr_pages;
		/* what lies beyond is another mapping's */
		memset(member->entries, 0, nr_pages * sizeof(uint64_t));
		rc = cr_pagemap_read(member->fd, address, member->entries, nr);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void join(struct group *group, size_t a, size_t b)
{
	size_t from = group->members[b].cluster;
	size_t to = group->members[a].cluster;

	for (size_t i = 0; i < group->nr; i++)
		if (group->members[i].cluster == from)
			group->members[i].cluster = to;
}

/* Is every member in one cluster? */
static int all_joined(const struct group *group)
{
	for (size_t i = 1; i < group->nr; i++)
		if (group->members[i].cluster != group->members[0].cluster)
			return 0;
	return 1;
}

/* Next member after @i that has @frame at @page, or the number of members. */
static size_t next_sharer(const struct group *group, size_t i, size_t page,
			  uint64_t frame)
{
	for (i++; i < group->nr; i++)
		if (shared_frame(group, &group->members[i], page) == frame)
			break;
	return i;
}

static void join_window(struct group *group, size_t nr_pages)
{
	for (size_t page = 0; page < nr_pages; page++)
		for (size_t i = 0; i < group->nr; i++) {
			uint64_t frame =
				shared_frame(group, &group->members[i], page);
			size_t j;

			if (!frame)
				continue;
			j = next_sharer(group, i, page, frame);
			if (j < group->nr && group->members[i].cluster !=
						     group->members[j].cluster)
				join(group, i, j);
		}
}

/* Pages of the window that starts at @at in range @i. */
static size_t window_length(const struct group *group, size_t i, uint64_t at)
{
	const struct cr_wire_run *range = &group->ranges.runs[i];
	uint64_t nr = (range->address + range->length - at) / CR_WIRE_PAGE;

	return nr < group->window ? nr : group->window;
}

static int find_clusters(struct group *group)
{
	const struct cr_wire_run *range = group->ranges.runs;
	uint64_t at;
	size_t nr;
	int rc;

	for (size_t i = 0; i < group->ranges.nr; i++)
		for (at = range[i].address;
		     at < range[i].address + range[i].length;
		     at += nr * CR_WIRE_PAGE) {
			nr = window_length(group, i, at);
			rc = read_window(group, at, nr);
			if (rc < 0)
				return rc;
			join_window(group, nr);
			if (all_joined(group))
				return 0;
		}
	return 0;
}

/* Note one page of the family, and whom to read it from. */
static int add_page(struct cr_save_space *space, struct cr_save_task *task,
		    uint64_t address)
{
	struct cr_owner *owner;

	if (cr_runs_add(&space->runs, address, CR_WIRE_PAGE) < 0)
		return -ENOMEM;
	if (space->nr_owners) {
		owner = &space->owners[space->nr_owners - 1];
		if (owner->pid == task->pid &&
		    owner->run.address + owner->run.length == address) {
			owner->run.length += CR_WIRE_PAGE;
			return 0;
		}
	}
	if (cr_array_grow(&space->owners, space->nr_owners, sizeof(*owner)) < 0)
		return -ENOMEM;
	owner = &space->owners[space->nr_owners++];
	owner->run.address = address;
	owner->run.length = CR_WIRE_PAGE;
	owner->pid = task->pid;
	return 0;
}

/* The frame of the family at @page, and the member to read it from. */
static uint64_t family_frame(const struct group *group, size_t cluster,
			     size_t page, size_t *source)
{
	for (size_t i = 0; i < group->nr; i++) {
		uint64_t frame;
		size_t j;

		if (group->members[i].cluster != cluster)
			continue;
		frame = shared_frame(group, &group->members[i], page);
		if (!frame)
			continue;
		j = next_sharer(group, i, page, frame);
		if (j == group->nr)
			continue;
		*source = i;
		return frame;
	}
	return 0;
}

/* One page of all members of one cluster. */
static int sort_page(struct cr_checkpoint *checkpoint, struct group *group,
		     size_t cluster, size_t page, uint64_t address)
{
	size_t source = 0;
	uint64_t frame = family_frame(group, cluster, page, &source);
	uint32_t id = group->members[cluster].vma->wire.space;

	if (frame && add_page(checkpoint->spaces[id - 1],
			      group->members[source].task, address) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < group->nr; i++) {
		struct member *member = &group->members[i];
		int is_file = member->vma->wire.kind == CR_VMA_FILE_PRIVATE;
		struct cr_runs *runs = &member->task->pages;

		if (member->cluster != cluster ||
		    address >= member->vma->wire.end)
			continue;
		if (frame && shared_frame(group, member, page) == frame) {
			if (i != source)
				checkpoint->stats.cow_shared_bytes +=
					CR_WIRE_PAGE;
			continue;
		}
		if (!frame &&
		    !cr_pagemap_is_own(member->entries[page], is_file))
			continue;
		if (frame || is_file)
			runs = &member->task->exact;
		if (cr_runs_add(runs, address, CR_WIRE_PAGE) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int make_family(struct cr_checkpoint *checkpoint, struct group *group,
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

static int sort_pages(struct cr_checkpoint *checkpoint, struct group *group,
		      size_t cluster)
{
	const struct cr_wire_run *range = group->ranges.runs;
	uint64_t at;
	size_t nr;
	int rc;

	for (size_t i = 0; i < group->ranges.nr; i++)
		for (at = range[i].address;
		     at < range[i].address + range[i].length;
		     at += nr * CR_WIRE_PAGE) {
			nr = window_length(group, i, at);
			rc = read_window(group, at, nr);
			for (size_t j = 0; j < nr && rc == 0; j++)
				rc = sort_page(checkpoint, group, cluster, j,
					       at + j * CR_WIRE_PAGE);
			if (rc < 0)
				return rc;
		}
	return 0;
}

static size_t cluster_size(const struct group *group, size_t cluster)
{
	size_t nr = 0;

	for (size_t i = 0; i < group->nr; i++)
		nr += group->members[i].cluster == cluster;
	return nr;
}

static int open_members(struct group *group, uint64_t *entries)
{
	char path[64];
	int rc;

	for (size_t i = 0; i < group->nr; i++) {
		struct member *member = &group->members[i];

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

static int collect_group(struct cr_checkpoint *checkpoint, struct group *group)
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
		rc = find_clusters(group);
	for (size_t i = 0; i < group->nr && rc == 0; i++) {
		if (cluster_size(group, i) < 2)
			continue;
		rc = make_family(checkpoint, group, i);
		if (rc == 0)
			rc = sort_pages(checkpoint, group, i);
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
			struct member **membersp, size_t *nrp)
{
	struct member *members = NULL;
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
	struct group group = { .zero_frame = find_zero_frame() };
	struct member *members;
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
