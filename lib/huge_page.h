/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* huge_page.h - give whole huge pages to memory that is about to be filled */
#ifndef HUGE_PAGE_H
#define HUGE_PAGE_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes a page table of x86-64's lowest level maps: what one huge page may. */
#define CR_HUGE_PAGE (2ul << 20)

/*
 * Whether the machine's administrator allows transparent huge pages at all:
 * /sys/kernel/mm/transparent_hugepage/enabled is there and not "never"
 * (madvise(2) MADV_COLLAPSE would not ask).
 */
bool cr_huge_pages_are_allowed(void);

/*
 * Let each whole huge page of @length bytes at @start be one, where the
 * kernel is new enough (6.1), has one free, and neither the area nor the
 * process refuses them.  All the bytes must be written afterwards: it takes
 * no more memory than they do, and one fault instead of 512.  The contents
 * of fresh memory do not change.  Returns false if there is no huge page left.
 */
bool cr_huge_pages_take(void *start, size_t length);

#endif
