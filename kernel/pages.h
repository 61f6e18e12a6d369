/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pages.h - pages of a process, on their way to or from an image
 *
 * Of one call: checkpoint.c and pages_fill.c each make their own.
 */
#ifndef CR_PAGES_H
#define CR_PAGES_H

#include <linux/bvec.h>
#include <linux/mm_types.h>

#include "uapi/cr_ioctl.h"
#include "uapi/cr_wire.h"

struct cr_pages {
	u32 nr; /* held */
	u32 nr_runs;
	struct page *page[CR_WIRE_CHUNK_PAGES];
	struct bio_vec vector[1 + CR_WIRE_CHUNK_PAGES]; /* a header is first */
	struct cr_wire_run runs[CR_WIRE_CHUNK_PAGES];
};

struct cr_pages *cr_pages_create(void);
void cr_pages_destroy(struct cr_pages *pages);
int cr_pages_read_runs(struct cr_pages *pages, u64 runs, u32 nr_runs);
int cr_pages_take(struct cr_pages *pages, struct mm_struct *mm);
void cr_pages_let_go(struct cr_pages *pages);
u32 cr_pages_crc(struct page **pages, u32 nr, u32 crc);
void cr_pages_to_vector(struct page **pages, u32 nr, struct bio_vec *vector);

#endif /* CR_PAGES_H */
