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
#include <stdatomic.h>
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
	static atomic_bool is_missing; /* on this kernel */
	int rc = -ENOTTY;

	if (!atomic_load(&is_missing))
		rc = scan_by_ioctl(fd, start, end, is_file, runs);
	if (rc != -ENOTTY && rc != -EINVAL)
		return rc;
	atomic_store(&is_missing, rc == -ENOTTY);
	return scan_by_reading(fd, start, end, is_file, runs);
}

static int scan_task(const struct cr_save_task *task, struct cr_runs *pages,
		     struct cr_runs *exact, struct cr_error *err)
{
	struct cr_vma_cursor cursor;
	char path[64];
	int fd, rc = 0;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", task->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cr_error_errno(err, "%s", path);
	cr_vma_begin(&task->vmas, &cursor);
	while (rc == 0 && cr_vma_next(&cursor)) {
		const struct cr_save_vma *vma = &cursor.vma;
		int is_file = vma->wire.kind == CR_VMA_FILE_PRIVATE;

		if (vma->has_pages && !vma->is_scanned)
			rc = cr_scan_pages(fd, vma->wire.start, vma->wire.end,
					   is_file, is_file ? exact : pages);
	}
	close(fd);
	if (rc < 0)
		return cr_error_set(err, rc, "%s: %s", path, strerror(-rc));
	return 0;
}

int cr_collect_pages(const struct cr_save_task *task, struct cr_runs *pages,
		     struct cr_runs *exact, struct cr_error *err)
{
	int rc;

	if (cr_run_list_get(&task->pages, pages) < 0 ||
	    cr_run_list_get(&task->exact, exact) < 0)
		return cr_error_set(err, -ENOMEM, "out of memory");
	rc = scan_task(task, pages, exact, err);
	if (rc < 0)
		return rc;
	cr_runs_merge(exact);
	for (size_t i = 0; i < exact->nr; i++)
		if (cr_runs_add(pages, exact->runs[i].address,
				exact->runs[i].length) < 0)
			return cr_error_set(err, -ENOMEM, "out of memory");
	cr_runs_merge(pages);
	return 0;
}
