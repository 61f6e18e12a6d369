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

#define ENTRIES_MAX (1u << 18) /* of all members at a time */
#define WINDOW_MAX 2048u /* pages */
#define RANGES_MAX 1024u /* before they are merged */
#define WHOLE_MAX 256u /* pages */
#define PAGEMAPS_MAX 256u /* open at a time */

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
		if (cr_vma_list_set_family(&group->members[i].task->vmas,
					   group->members[i].index, id) < 0)
			return -ENOMEM;
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

/* Relatives have most of them in common. */
static void merge_ranges(struct cr_runs *ranges, size_t *limit)
{
	if (ranges->nr < *limit)
		return;
	cr_runs_merge(ranges);
	if (*limit < 2 * ranges->nr)
		*limit = 2 * ranges->nr;
}

static int open_pagemap(const struct cr_group *group,
			const struct cr_save_task *task)
{
	char path[64];
	int fd = group->fds ? group->fds[task->order] : -1;

	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", task->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (group->fds)
		group->fds[task->order] = fd;
	return fd < 0 ? -errno : fd;
}

static void close_pagemaps(struct cr_group *group, size_t nr_tasks)
{
	for (size_t i = 0; group->fds && i < nr_tasks; i++)
		if (group->fds[i] >= 0)
			close(group->fds[i]);
	free(group->fds);
}

static int open_members(struct cr_group *group, uint64_t *entries)
{
	for (size_t i = 0; i < group->nr; i++) {
		struct cr_member *member = &group->members[i];

		member->fd = open_pagemap(group, member->task);
		if (member->fd < 0)
			return member->fd;
		member->entries = entries + i * group->window;
		member->cluster = i;
	}
	return 0;
}

static int find_ranges(struct cr_group *group, size_t nr_pages)
{
	const uint64_t start = group->members[0].vma->wire.start;
	size_t limit = RANGES_MAX;

	/* most mappings of a tree are small: all of it is looked at at once */
	if (group->window == nr_pages && nr_pages <= WHOLE_MAX)
		return cr_runs_add(&group->ranges, start,
				   nr_pages * CR_WIRE_PAGE);
	for (size_t i = 0; i < group->nr; i++) {
		const struct cr_member *member = &group->members[i];
		const struct cr_wire_vma *vma = &member->vma->wire;
		int rc;

		rc = cr_scan_pages(member->fd, start, vma->end,
				   vma->kind == CR_VMA_FILE_PRIVATE,
				   &group->ranges);
		if (rc < 0)
			return rc;
		merge_ranges(&group->ranges, &limit);
	}
	cr_runs_merge(&group->ranges);
	return 0;
}

/* Of the longest mapping. */
static uint64_t length_of(const struct cr_group *group)
{
	const uint64_t start = group->members[0].vma->wire.start;
	uint64_t length = 0;

	for (size_t i = 0; i < group->nr; i++)
		if (group->members[i].vma->wire.end - start > length)
			length = group->members[i].vma->wire.end - start;
	return length;
}

static int collect_group(struct cr_checkpoint *checkpoint,
			 struct cr_group *group)
{
	const size_t nr_pages = length_of(group) / CR_WIRE_PAGE;
	uint64_t *entries;
	int rc;

	group->window = ENTRIES_MAX / group->nr;
	if (group->window > WINDOW_MAX)
		group->window = WINDOW_MAX;
	if (group->window > nr_pages)
		group->window = nr_pages;
	if (!group->window)
		group->window = 1;
	entries = calloc(group->nr * group->window, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < group->nr; i++)
		group->members[i].fd = -1;
	group->nr_loaded = 0;
	rc = open_members(group, entries);
	if (rc == 0)
		rc = find_ranges(group, nr_pages);
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
		if (!group->fds && group->members[i].fd >= 0)
			close(group->members[i].fd);
	cr_runs_clear(&group->ranges);
	free(entries);
	return rc;
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

/* Without memory, or with too many tasks, they are opened for each group. */
static int *make_fds(size_t nr_tasks)
{
	int *fds = NULL;

	if (nr_tasks <= PAGEMAPS_MAX)
		fds = malloc(nr_tasks * sizeof(*fds));
	for (size_t i = 0; fds && i < nr_tasks; i++)
		fds[i] = -1;
	return fds;
}

int cr_collect_families(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	struct cr_group group = { .zero_frame = find_zero_frame(),
				  .fds = make_fds(checkpoint->nr_tasks) };
	struct cr_walk walk;
	int rc;

	rc = cr_walk_open(checkpoint, &walk);
	group.members = calloc(checkpoint->nr_tasks, sizeof(*group.members));
	if (!group.members)
		rc = -ENOMEM;
	while (rc == 0 && (group.nr = cr_walk_next(&walk, group.members)) > 0)
		if (group.nr > 1)
			rc = collect_group(checkpoint, &group);
	free(group.members);
	close_pagemaps(&group, checkpoint->nr_tasks);
	cr_walk_close(&walk);
	if (rc < 0)
		return cr_error_set(err, rc, "shared pages: %s", strerror(-rc));
	return 0;
}
