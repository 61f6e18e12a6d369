/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * runs.c - lists of pages: add, sort and merge, pack
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "runs.h"

int cr_runs_add(struct cr_runs *runs, uint64_t address, uint64_t length)
{
	struct cr_wire_run *last;

	if (runs->nr) {
		last = &runs->runs[runs->nr - 1];
		if (last->address + last->length == address) {
			last->length += length;
			return 0;
		}
	}
	if (cr_array_grow(&runs->runs, runs->nr, sizeof(*last)) < 0)
		return -ENOMEM;
	runs->runs[runs->nr].address = address;
	runs->runs[runs->nr].length = length;
	runs->nr++;
	return 0;
}

static int compare_runs(const void *a, const void *b)
{
	const struct cr_wire_run *left = a, *right = b;

	return (left->address > right->address) -
	       (left->address < right->address);
}

void cr_runs_merge(struct cr_runs *runs)
{
	struct cr_wire_run *last = runs->runs;

	if (!runs->nr)
		return;
	qsort(runs->runs, runs->nr, sizeof(runs->runs[0]), compare_runs);
	for (size_t i = 1; i < runs->nr; i++) {
		const struct cr_wire_run *run = &runs->runs[i];
		uint64_t end = run->address + run->length;

		if (run->address > last->address + last->length)
			*++last = *run;
		else if (end > last->address + last->length)
			last->length = end - last->address;
	}
	runs->nr = (size_t)(last - runs->runs) + 1;
}

void cr_runs_clear(struct cr_runs *runs)
{
	free(runs->runs);
	memset(runs, 0, sizeof(*runs));
}

static int pack_last(struct cr_run_list *list)
{
	const struct cr_wire_run *last = &list->last;
	int rc;

	if (!last->length)
		return 0;
	rc = cr_packed_add_number(&list->packed,
				  (last->address - list->end) / CR_WIRE_PAGE);
	if (rc == 0)
		rc = cr_packed_add_number(&list->packed,
					  last->length / CR_WIRE_PAGE);
	list->end = last->address + last->length;
	return rc;
}

int cr_run_list_add(struct cr_run_list *list, uint64_t address, uint64_t length)
{
	if (list->last.length &&
	    list->last.address + list->last.length == address) {
		list->last.length += length;
		return 0;
	}
	if (pack_last(list) < 0)
		return -ENOMEM;
	list->last.address = address;
	list->last.length = length;
	return 0;
}

int cr_run_list_get(const struct cr_run_list *list, struct cr_runs *runs)
{
	struct cr_packed_cursor cursor = cr_packed_begin(&list->packed);
	struct cr_wire_run run = { 0 };
	int rc = 0;

	while (cursor.at < cursor.end && rc == 0) {
		run.address += run.length +
			       cr_packed_take_number(&cursor) * CR_WIRE_PAGE;
		run.length = cr_packed_take_number(&cursor) * CR_WIRE_PAGE;
		rc = cr_runs_add(runs, run.address, run.length);
	}
	if (list->last.length && rc == 0)
		rc = cr_runs_add(runs, list->last.address, list->last.length);
	return rc;
}

void cr_run_list_clear(struct cr_run_list *list)
{
	cr_packed_clear(&list->packed);
	memset(list, 0, sizeof(*list));
}
