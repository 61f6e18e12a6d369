/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_pages.c - which pages of private memory are to be saved
 *
 * Pages that were never touched cost nothing here, however large the mapping:
 * the PAGEMAP_SCAN call of Linux 6.7 walks page tables only.  On older kernels
 * /proc/PID/pagemap is read, 8 bytes a page.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "collect.h"
#include "pagemap.h"

#define REGIONS 512u
#define ENTRIES 2048u

/* struct pm_scan_arg and struct page_region of linux/fs.h since Linux 6.7 */
struct scan_argument {
	uint64_t size, flags, start, end, walk_end, vector, vector_length,
		max_pages, inverted, mask, any_of, returned;
};

struct scan_region {
	uint64_t start, end, categories;
};

#define SCAN _IOWR('f', 16, struct scan_argument)
#define SCAN_FILE (1u << 2)
#define SCAN_PRESENT (1u << 3)
#define SCAN_SWAPPED (1u << 4)
#define SCAN_ZERO (1u << 5)

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

uint64_t cr_runs_length(const struct cr_runs *runs)
{
	uint64_t length = 0;

	for (size_t i = 0; i < runs->nr; i++)
		length += runs->runs[i].length;
	return length;
}

static int scan_by_ioctl(int fd, uint64_t start, uint64_t end, int is_file,
			 struct cr_runs *runs)
{
	const uint64_t without = SCAN_ZERO | (is_file ? SCAN_FILE : 0);
	struct scan_region regions[REGIONS];
	struct scan_argument argument;
	int nr;

	while (start < end) {
		memset(&argument, 0, sizeof(argument));
		argument.size = sizeof(argument);
		argument.start = start;
		argument.end = end;
		argument.vector = (uint64_t)(uintptr_t)regions;
		argument.vector_length = REGIONS;
		argument.inverted = without;
		argument.mask = without;
		argument.any_of = SCAN_PRESENT | SCAN_SWAPPED;
		nr = ioctl(fd, SCAN, &argument);
		if (nr < 0)
			return -errno;
		for (int i = 0; i < nr; i++)
			if (cr_runs_add(runs, regions[i].start,
					regions[i].end - regions[i].start) < 0)
				return -ENOMEM;
		if (argument.walk_end <= start)
			return -EIO;
		start = argument.walk_end;
	}
	return 0;
}

int cr_pagemap_read(int fd, uint64_t start, uint64_t *entries, size_t nr)
{
	size_t length = nr * sizeof(*entries);
	ssize_t n;

	n = pread(fd, entries, length,
		  (off_t)(start / CR_WIRE_PAGE * sizeof(*entries)));
	if (n < 0)
		return -errno;
	memset((char *)entries + n, 0, length - (size_t)n);
	return 0;
}

int cr_pagemap_is_own(uint64_t entry, int is_file)
{
	if (entry & CR_PAGEMAP_SWAPPED)
		return 1;
	return (entry & CR_PAGEMAP_PRESENT) &&
	       !(is_file && (entry & CR_PAGEMAP_FILE));
}

static int scan_by_reading(int fd, uint64_t start, uint64_t end, int is_file,
			   struct cr_runs *runs)
{
	uint64_t entries[ENTRIES];
	int rc;

	while (start < end) {
		size_t nr = (end - start) / CR_WIRE_PAGE;

		nr = nr < ENTRIES ? nr : ENTRIES;
		rc = cr_pagemap_read(fd, start, entries, nr);
		if (rc < 0)
			return rc;
		for (size_t i = 0; i < nr; i++)
			if (cr_pagemap_is_own(entries[i], is_file) &&
			    cr_runs_add(runs, start + i * CR_WIRE_PAGE,
					CR_WIRE_PAGE) < 0)
				return -ENOMEM;
		start += nr * CR_WIRE_PAGE;
	}
	return 0;
}

int cr_scan_pages(int fd, uint64_t start, uint64_t end, int is_file,
		  struct cr_runs *runs)
{
	int rc;

	rc = scan_by_ioctl(fd, start, end, is_file, runs);
	if (rc == -ENOTTY || rc == -EINVAL)
		rc = scan_by_reading(fd, start, end, is_file, runs);
	return rc;
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

static int collect_task(struct cr_save_task *task, struct cr_error *err)
{
	char path[64];
	int fd, rc = 0;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", task->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cr_error_errno(err, "%s", path);
	for (size_t i = 0; i < task->nr_vmas && rc == 0; i++) {
		struct cr_save_vma *vma = &task->vmas[i];
		int is_file = vma->wire.kind == CR_VMA_FILE_PRIVATE;

		if (vma->has_pages && !vma->is_scanned)
			rc = cr_scan_pages(fd, vma->wire.start, vma->wire.end,
					   is_file,
					   is_file ? &task->exact :
						     &task->pages);
	}
	close(fd);
	if (rc < 0)
		return cr_error_set(err, rc, "%s: %s", path, strerror(-rc));
	/* families have added theirs out of order */
	cr_runs_merge(&task->pages);
	cr_runs_merge(&task->exact);
	return 0;
}

int cr_collect_pages(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	int rc;

	rc = cr_split_vmas(checkpoint, err);
	if (rc == 0)
		rc = cr_collect_families(checkpoint, err);
	for (size_t i = 0; i < checkpoint->nr_tasks && rc == 0; i++)
		if (!checkpoint->tasks[i]->is_zombie)
			rc = collect_task(checkpoint->tasks[i], err);
	return rc;
}
