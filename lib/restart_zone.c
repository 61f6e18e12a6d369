/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_zone.c - find addresses that nobody uses
 *
 * Context, arena, COW families and staged memory of every task lie in one
 * range that is free in all saved tasks and in this process, so that saved
 * mappings can be put in their places while ours are still there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "huge_page.h"
#include "restart_ctx.h"

#define ADDRESS_FIRST (1ull << 20) /* above any vm.mmap_min_addr */
#define ADDRESS_END 0x7ffffffff000ull /* TASK_SIZE of 4-level page tables */
#define MARGIN (16ull << 20) /* growth of our own heap, guard gaps */

struct ranges {
	struct cr_wire_run *range; /* address and length */
	size_t nr, max;
};

static int add(struct ranges *ranges, uint64_t start, uint64_t end)
{
	struct cr_wire_run *grown;

	if (ranges->nr == ranges->max) {
		ranges->max = ranges->max ? ranges->max * 2 : 1024;
		grown = realloc(ranges->range,
				ranges->max * sizeof(*ranges->range));
		if (!grown)
			return -ENOMEM;
		ranges->range = grown;
	}
	ranges->range[ranges->nr].address = start;
	ranges->range[ranges->nr++].length = end - start;
	return 0;
}

static int add_own(struct ranges *ranges)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uint64_t start, end;
	char line[4096];
	int rc = 0;

	if (!maps)
		return -errno;
	while (!rc && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2 &&
		    end <= ADDRESS_END)
			rc = add(ranges, start, end);
	}
	fclose(maps);
	return rc;
}

static int add_saved(struct ranges *ranges, const struct cr_saved *saved)
{
	const struct cr_saved_task *task;
	int rc;

	for (size_t i = 0; i < saved->nr_tasks; i++) {
		task = &saved->tasks[i];
		for (size_t j = 0; j < task->nr_vmas; j++) {
			rc = add(ranges, task->vmas[j].start,
				 task->vmas[j].end);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static int keep_own(struct cr_zone *zone, const struct ranges *ranges)
{
	zone->own = malloc((ranges->nr + 1) * sizeof(*zone->own));
	if (!zone->own)
		return -ENOMEM;
	memcpy(zone->own, ranges->range, ranges->nr * sizeof(*zone->own));
	zone->nr_own = ranges->nr;
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct cr_wire_run *left = a, *right = b;

	return left->address < right->address ? -1 :
						left->address > right->address;
}

static void widest_gap(struct ranges *ranges, struct cr_zone *zone)
{
	uint64_t free_from = ADDRESS_FIRST;

	zone->start = zone->end = 0;
	add(ranges, ADDRESS_END, ADDRESS_END);
	qsort(ranges->range, ranges->nr, sizeof(*ranges->range), by_address);
	for (size_t i = 0; i < ranges->nr; i++) {
		const struct cr_wire_run *used = &ranges->range[i];

		if (used->address > free_from &&
		    used->address - free_from > zone->end - zone->start) {
			zone->start = free_from;
			zone->end = used->address;
		}
		if (used->address + used->length > free_from)
			free_from = used->address + used->length;
	}
}

int cr_zone_find(const struct cr_saved *saved, struct cr_zone *zone,
		 struct cr_error *err)
{
	struct ranges ranges = { 0 };
	int rc;

	rc = add_own(&ranges);
	if (!rc)
		rc = keep_own(zone, &ranges);
	if (!rc)
		rc = add_saved(&ranges, saved);
	if (rc < 0) {
		free(ranges.range);
		return cr_error_set(err, rc, "finding free addresses");
	}
	widest_gap(&ranges, zone);
	free(ranges.range);
	if (zone->end - zone->start < 4 * MARGIN)
		return cr_error_set(err, -ENOMEM,
				    "the tree leaves no free addresses");
	zone->start =
		(zone->start + MARGIN + CR_HUGE_PAGE - 1) & ~(CR_HUGE_PAGE - 1);
	zone->end = (zone->end - MARGIN) & ~(CR_HUGE_PAGE - 1);
	zone->next = zone->start;
	return 0;
}

uint64_t cr_zone_take(struct cr_zone *zone, uint64_t length, uint64_t like)
{
	uint64_t start = (zone->next & ~(CR_HUGE_PAGE - 1)) +
			 (like & (CR_HUGE_PAGE - 1));

	if (start < zone->next)
		start += CR_HUGE_PAGE;
	/* the gap keeps neighbours apart, as MAP_GROWSDOWN wants it */
	if (length > zone->end - zone->start ||
	    start > zone->end - length - CR_HUGE_PAGE)
		return 0;
	zone->next = start + length + CR_HUGE_PAGE;
	return start;
}

void cr_zone_free(struct cr_zone *zone)
{
	free(zone->own);
	zone->own = NULL;
	zone->nr_own = 0;
}

int cr_zone_is_clear_of_us(const struct cr_zone *zone, uint64_t start,
			   uint64_t end)
{
	if (start < ADDRESS_FIRST)
		return 0;
	for (size_t i = 0; i < zone->nr_own; i++)
		if (start < zone->own[i].address + zone->own[i].length +
				    MARGIN &&
		    end + MARGIN > zone->own[i].address)
			return 0;
	return 1;
}
