// SPDX-License-Identifier: GPL-2.0-only
/*
 * pages.c - pages of a process: which, take them, their checksum
 *
 * They are referenced and not pinned: a pin would give the process copies of
 * its own of what it shares copy-on-write.
 */
#include <linux/crc32c.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "pages.h"

#define CRC_PAGES 16 /* at once, without being preempted */

static_assert(PAGE_SIZE == CR_WIRE_PAGE);

#ifdef CONFIG_HIGHMEM
#error "pages without an address are not thought of"
#endif

/**
 * cr_pages_create() - room for the pages of one chunk
 *
 * Return: none held, to be given to cr_pages_destroy(); NULL: no memory.
 */
struct cr_pages *cr_pages_create(void)
{
	struct cr_pages *pages = kvmalloc(sizeof(*pages), GFP_KERNEL_ACCOUNT);

	if (pages)
		pages->nr = pages->nr_runs = 0;
	return pages;
}

/**
 * cr_pages_let_go() - let all pages go
 * @pages: some or none held
 */
void cr_pages_let_go(struct cr_pages *pages)
{
	while (pages->nr)
		put_page(pages->page[--pages->nr]);
}

/**
 * cr_pages_destroy() - let pages go and free all
 * @pages: NULL is allowed
 */
void cr_pages_destroy(struct cr_pages *pages)
{
	if (!pages)
		return;
	cr_pages_let_go(pages);
	kvfree(pages);
}

/**
 * cr_pages_read_runs() - copy runs of pages from user space and check them
 * @pages: gets the runs
 * @runs: pointer to struct cr_wire_run[@nr_runs]
 * @nr_runs: how many
 *
 * Return: 0, -EFAULT, or -EINVAL: none or too many, unaligned, not of user
 * space.
 */
int cr_pages_read_runs(struct cr_pages *pages, u64 runs, u32 nr_runs)
{
	u64 left = CR_WIRE_CHUNK_MAX;
	u32 i;

	if (!nr_runs || nr_runs > CR_WIRE_CHUNK_PAGES)
		return -EINVAL;
	if (copy_from_user(pages->runs, u64_to_user_ptr(runs),
			   nr_runs * sizeof(pages->runs[0])))
		return -EFAULT;
	for (i = 0; i < nr_runs; i++) {
		const struct cr_wire_run *run = &pages->runs[i];

		if (!PAGE_ALIGNED(run->address) ||
		    run->address >= TASK_SIZE_MAX ||
		    !PAGE_ALIGNED(run->length) || !run->length ||
		    run->length > left)
			return -EINVAL;
		left -= run->length;
	}
	pages->nr_runs = nr_runs;
	return 0;
}

/* Reference the pages of @run: all or an error. */
static int take_run(struct cr_pages *pages, struct mm_struct *mm,
		    const struct cr_wire_run *run)
{
	u32 left = run->length >> PAGE_SHIFT;
	u64 address = run->address;
	int locked;
	long nr;

	while (left) {
		if (mmap_read_lock_killable(mm))
			return -EINTR;
		locked = 1;
		/* PROT_NONE can be read, too, as by /proc/PID/mem */
		nr = cr_get_pages(mm, address, left, FOLL_FORCE,
				  pages->page + pages->nr, &locked);
		if (locked)
			mmap_read_unlock(mm);
		if (nr <= 0)
			return nr ? nr : -EFAULT;
		pages->nr += nr;
		address += (u64)nr << PAGE_SHIFT;
		left -= nr;
	}
	return 0;
}

/**
 * cr_pages_take() - hold the pages of all runs, in their order
 * @pages: none held; with its runs
 * @mm: whose
 *
 * Return: 0; -EFAULT there is no page at an address, -EINTR, -ENOMEM: some may
 * be held.
 */
int cr_pages_take(struct cr_pages *pages, struct mm_struct *mm)
{
	int rc = 0;
	u32 i;

	for (i = 0; i < pages->nr_runs && !rc; i++)
		rc = take_run(pages, mm, &pages->runs[i]);
	return rc;
}

/**
 * cr_pages_crc() - checksum of pages
 * @pages: they
 * @nr: how many
 * @crc: what to go on with: ~0 at first
 *
 * Neighbours in memory go together: each call saves the FPU's registers.
 *
 * Return: the CRC32C so far, without its last inversion.
 */
u32 cr_pages_crc(struct page **pages, u32 nr, u32 crc)
{
	u32 i, n;

	for (i = 0; i < nr; i += n) {
		const unsigned long first = page_to_pfn(pages[i]);

		n = 1;
		while (i + n < nr && n < CRC_PAGES &&
		       page_to_pfn(pages[i + n]) == first + n)
			n++;
		crc = crc32c(crc, page_address(pages[i]), n * PAGE_SIZE);
		cond_resched();
	}
	return crc;
}

/**
 * cr_pages_to_vector() - pages as what reads and writes take
 * @pages: they
 * @nr: how many
 * @vector: room for as many
 */
void cr_pages_to_vector(struct page **pages, u32 nr, struct bio_vec *vector)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		vector[i].bv_page = pages[i];
		vector[i].bv_len = PAGE_SIZE;
		vector[i].bv_offset = 0;
	}
}
