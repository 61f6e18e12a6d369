/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pages.h - pages of a process, on their way to or from an image
 *
 * Of one open /dev/cr, under its lock.
 */
#ifndef CR_PAGES_H
#define CR_PAGES_H

#include <linux/bvec.h>
#include <linux/mm_types.h>

#include "uapi/cr_ioctl.h"

struct cr_open;

struct cr_pages {
	u32 nr; /* held; 0 outside of calls but for TAKE */
	u32 nr_runs;
	struct page *page[CR_TAKE_PAGES_MAX];
	struct bio_vec vector[CR_TAKE_PAGES_MAX];
	struct cr_ioc_run runs[CR_TAKE_PAGES_MAX];
};

int cr_pages_lock(struct cr_open *open);
void cr_pages_unlock(struct cr_open *open);
int cr_pages_read_runs(struct cr_pages *pages, u64 runs, u32 nr_runs,
		       u32 allowed_flags);
u32 cr_pages_crc(struct page **pages, u32 nr, u32 crc);
void cr_pages_to_vector(struct cr_pages *pages, u32 nr);

#endif /* CR_PAGES_H */
