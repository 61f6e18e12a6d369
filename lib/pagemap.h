/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pagemap.h - entries of /proc/PID/pagemap
 *
 * Private to lib/.  Page frame numbers read as 0 without CAP_SYS_ADMIN.
 */
#ifndef PAGEMAP_H
#define PAGEMAP_H

#include <stddef.h>
#include <stdint.h>

#define CR_PAGEMAP_PRESENT (1ull << 63)
#define CR_PAGEMAP_SWAPPED (1ull << 62)
#define CR_PAGEMAP_FILE (1ull << 61) /* of a file, or shared memory */
#define CR_PAGEMAP_EXCLUSIVE (1ull << 56) /* mapped once only */
#define CR_PAGEMAP_FRAME ((1ull << 55) - 1)

/* The entries of @nr pages from @start; 0 where there is nothing. */
int cr_pagemap_read(int fd, uint64_t start, uint64_t *entries, size_t nr);

/* Has the process a page of its own there (of a private mapping)? */
int cr_pagemap_is_own(uint64_t entry, int is_file);

#endif /* PAGEMAP_H */
