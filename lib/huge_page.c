// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * huge_page.c - give whole huge pages to memory that is about to be filled
 *
 * Collapsing works on areas that have never been advised, and leaves no mark
 * on them; MADV_HUGEPAGE would, and cannot be taken back.  There must be one
 * page to collapse (mm/khugepaged.c: SCAN_PMD_NULL).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "huge_page.h"

#define ENABLED "/sys/kernel/mm/transparent_hugepage/enabled"
#define SMALL_PAGE 4096

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* linux/mman.h of 6.1; glibc 2.36 lacks it */
#endif

bool cr_huge_pages_are_allowed(void)
{
	int fd = open(ENABLED, O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	return !strstr(text, "[never]");
}

bool cr_huge_pages_take(void *start, size_t length)
{
	uintptr_t from =
		((uintptr_t)start + CR_HUGE_PAGE - 1) & ~(CR_HUGE_PAGE - 1);
	uintptr_t end = ((uintptr_t)start + length) & ~(CR_HUGE_PAGE - 1);

	for (; from < end; from += CR_HUGE_PAGE)
		if ((madvise((void *)from, SMALL_PAGE, MADV_POPULATE_WRITE) ||
		     madvise((void *)from, CR_HUGE_PAGE, MADV_COLLAPSE)) &&
		    errno == ENOMEM)
			return false;
	return true;
}
