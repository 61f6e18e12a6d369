/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * family_pages.c - compare the page frames of mappings of several tasks
 *
 * A window of /proc/PID/pagemap entries of all members is looked at at a time,
 * and only where any member has pages.
 */
#include <errno.h>
#include <string.h>

#include "array.h"
#include "family.h"
#include "pagemap.h"

/* The frame that member has at page @i and may share, or 0. */
static uint64_t shared_frame(const struct cr_group *group,
			     const struct cr_member *member, size_t i)
{
	uint64_t entry = member->entries[i], frame;

	if (!(entry & CR_PAGEMAP_PRESENT) ||
	    (entry & (CR_PAGEMAP_FILE | CR_PAGEMAP_EXCLUSIVE)))
		return 0;
	frame = entry & CR_PAGEMAP_FRAME;
	return frame == group->zero_frame ? 0 : frame;
}

static int read_window(struct cr_group *group, uint64_t address,
		       size_t nr_pages)
{
	int rc;

	/* a small mapping is one window, and looked at more than once */
	if (group->nr_loaded == nr_pages && group->loaded_at == address)
		return 0;
	group->nr_loaded = 0;
	for (size_t i = 0; i < group->nr; i++) {
		struct cr_member *member = &group->members[i];
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
	group->loaded_at = address;
	group->nr_loaded = nr_pages;
	return 0;
}

static void join(struct cr_group *group, size_t a, size_t b)
{
	size_t from = group->members[b].cluster;
	size_t to = group->members[a].cluster;

	for (size_t i = 0; i < group->nr; i++)
		if (group->members[i].cluster == from)
			group->members[i].cluster = to;
}

/* Is every member in one cluster? */
static int all_joined(const struct cr_group *group)
{
	for (size_t i = 1; i < group->nr; i++)
		if (group->members[i].cluster != group->members[0].cluster)
			return 0;
	return 1;
}

/* Next member after @i that has @frame at @page, or the number of members. */
static size_t next_sharer(const struct cr_group *group, size_t i, size_t page,
			  uint64_t frame)
{
	for (i++; i < group->nr; i++)
		if (shared_frame(group, &group->members[i], page) == frame)
			break;
	return i;
}

static void join_window(struct cr_group *group, size_t nr_pages)
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
static size_t window_length(const struct cr_group *group, size_t i, uint64_t at)
{
	const struct cr_wire_run *range = &group->ranges.runs[i];
	uint64_t nr = (range->address + range->length - at) / CR_WIRE_PAGE;

	return nr < group->window ? nr : group->window;
}

int cr_group_find_clusters(struct cr_group *group)
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
static uint64_t family_frame(const struct cr_group *group, size_t cluster,
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
static int sort_page(struct cr_checkpoint *checkpoint, struct cr_group *group,
		     size_t cluster, size_t page, uint64_t address)
{
	size_t source = 0;
	uint64_t frame = family_frame(group, cluster, page, &source);
	uint32_t id = group->members[cluster].vma->wire.space;

	if (frame && add_page(checkpoint->spaces[id - 1],
			      group->members[source].task, address) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < group->nr; i++) {
		struct cr_member *member = &group->members[i];
		int is_file = member->vma->wire.kind == CR_VMA_FILE_PRIVATE;
		struct cr_run_list *runs = &member->task->pages;

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
		if (cr_run_list_add(runs, address, CR_WIRE_PAGE) < 0)
			return -ENOMEM;
	}
	return 0;
}

int cr_group_sort_pages(struct cr_checkpoint *checkpoint,
			struct cr_group *group, size_t cluster)
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
