// SPDX-License-Identifier: GPL-2.0-only
/*
 * pages.c - pages of a frozen process, straight to the image
 *
 * In two calls: TAKE holds pages and says which are not zero and what their
 * checksum is, so that user space can write a chunk's header; PUT writes them.
 * They are referenced and not pinned: a pin would give the process copies of
 * its own of what it shares copy-on-write.
 */
#include <linux/crc32c.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "compat.h"
#include "cr.h"
#include "pages.h"

#define CRC_PAGES 16 /* at once, without being preempted */

#ifdef CONFIG_HIGHMEM
#error "pages without an address are not thought of"
#endif

/**
 * cr_pages_lock() - begin a call about memory
 * @open: whose context is one of memory then
 *
 * Return: 0 with @open locked and its pages there; -EBUSY it is a restart's,
 * -EINTR, -ENOMEM.
 */
int cr_pages_lock(struct cr_open *open)
{
	int rc = mutex_lock_killable(&open->lock);

	if (rc)
		return rc;
	if (open->restart)
		rc = -EBUSY;
	else if (!open->pages)
		open->pages =
			kvzalloc(sizeof(*open->pages), GFP_KERNEL_ACCOUNT);
	if (!rc && !open->pages)
		rc = -ENOMEM;
	if (rc)
		mutex_unlock(&open->lock);
	return rc;
}

/**
 * cr_pages_unlock() - end a call about memory
 * @open: locked by cr_pages_lock()
 */
void cr_pages_unlock(struct cr_open *open)
{
	mutex_unlock(&open->lock);
}

static void let_go(struct cr_pages *pages)
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
	let_go(pages);
	kvfree(pages);
}

/**
 * cr_pages_read_runs() - copy runs of pages from user space and check them
 * @pages: locked; gets the runs
 * @runs: pointer to struct cr_ioc_run[@nr_runs]
 * @nr_runs: how many
 * @allowed_flags: of a run
 *
 * Return: 0, -EFAULT, or -EINVAL: none or too many, unaligned, not of user
 * space, unknown flags.
 */
int cr_pages_read_runs(struct cr_pages *pages, u64 runs, u32 nr_runs,
		       u32 allowed_flags)
{
	u32 i, left = CR_TAKE_PAGES_MAX;

	if (!nr_runs || nr_runs > CR_TAKE_PAGES_MAX)
		return -EINVAL;
	if (copy_from_user(pages->runs, u64_to_user_ptr(runs),
			   nr_runs * sizeof(pages->runs[0])))
		return -EFAULT;
	for (i = 0; i < nr_runs; i++) {
		const struct cr_ioc_run *run = &pages->runs[i];

		if (!PAGE_ALIGNED(run->address) ||
		    run->address >= TASK_SIZE_MAX || !run->nr_pages ||
		    run->nr_pages > left || run->flags & ~allowed_flags)
			return -EINVAL;
		left -= run->nr_pages;
	}
	pages->nr_runs = nr_runs;
	return 0;
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
	}
	return crc;
}

static bool is_zero(struct page *page)
{
	return !memchr_inv(page_address(page), 0, PAGE_SIZE);
}

/* Reference the pages of @run: all or an error. */
static int take_run(struct cr_pages *pages, struct mm_struct *mm,
		    const struct cr_ioc_run *run)
{
	u64 address = run->address;
	u32 left = run->nr_pages;
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

/* Let zero pages go but for runs that keep them; note the rest. */
static void drop_zeros(struct cr_pages *pages, struct cr_ioc_take *call)
{
	u32 r, i, from = 0, to = 0;

	memset(call->kept, 0, sizeof(call->kept));
	for (r = 0; r < pages->nr_runs; r++) {
		const struct cr_ioc_run *run = &pages->runs[r];

		for (i = 0; i < run->nr_pages; i++, from++) {
			struct page *page = pages->page[from];

			if (!(run->flags & CR_RUN_F_KEEP_ZERO) &&
			    is_zero(page)) {
				put_page(page);
				continue;
			}
			call->kept[from / 64] |= 1ull << (from % 64);
			pages->page[to++] = page;
		}
		cond_resched();
	}
	pages->nr = to;
	call->nr_kept = to;
	call->crc = ~cr_pages_crc(pages->page, to, ~0);
}

static int take(struct cr_pages *pages, struct cr_ioc_take *call)
{
	struct mm_struct *mm;
	int rc;
	u32 i;

	let_go(pages);
	rc = cr_pages_read_runs(pages, call->runs, call->nr_runs,
				CR_RUN_F_KEEP_ZERO);
	if (rc)
		return rc;
	mm = cr_mem_file_get(call->mem_fd, FMODE_READ);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	for (i = 0; i < pages->nr_runs && !rc; i++)
		rc = take_run(pages, mm, &pages->runs[i]);
	mmput(mm);
	if (rc)
		let_go(pages);
	else
		drop_zeros(pages, call);
	return rc;
}

/**
 * cr_pages_take() - CR_IOC_TAKE
 * @file: open /dev/cr
 * @argument: struct cr_ioc_take
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_pages_take(struct file *file, unsigned long argument)
{
	struct cr_open *open = file->private_data;
	struct cr_ioc_take call;
	int rc = cr_copy_argument(&call, argument, sizeof(call));

	if (rc)
		return rc;
	if (call.flags || call.reserved)
		return -EINVAL;
	rc = cr_pages_lock(open);
	if (rc)
		return rc;
	rc = take(open->pages, &call);
	if (!rc && copy_to_user((void __user *)argument, &call, sizeof(call)))
		rc = -EFAULT;
	cr_pages_unlock(open);
	return rc;
}

/**
 * cr_pages_to_vector() - the first pages as what reads and writes take
 * @pages: locked
 * @nr: of them
 */
void cr_pages_to_vector(struct cr_pages *pages, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		pages->vector[i].bv_page = pages->page[i];
		pages->vector[i].bv_len = PAGE_SIZE;
		pages->vector[i].bv_offset = 0;
	}
}

static int put(struct cr_pages *pages, struct file *image, loff_t offset)
{
	struct iov_iter iter;
	ssize_t done;

	cr_pages_to_vector(pages, pages->nr);
	iov_iter_bvec(&iter, ITER_SOURCE, pages->vector, pages->nr,
		      (size_t)pages->nr << PAGE_SHIFT);
	while (iov_iter_count(&iter)) {
		done = cr_iter_write(image, &iter, &offset);
		if (done < 0)
			return done;
		if (done == 0)
			return -ENOSPC;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/**
 * cr_pages_put() - CR_IOC_PUT
 * @file: open /dev/cr
 * @argument: struct cr_ioc_put
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_pages_put(struct file *file, unsigned long argument)
{
	struct cr_open *open = file->private_data;
	struct cr_ioc_put call;
	struct file *image;
	int rc = cr_copy_argument(&call, argument, sizeof(call));

	if (rc)
		return rc;
	if (call.flags || !PAGE_ALIGNED(call.offset) || call.offset > S64_MAX)
		return -EINVAL;
	image = fget(call.image_fd);
	if (!image)
		return -EBADF;
	rc = image->f_mode & FMODE_WRITE ? cr_pages_lock(open) : -EBADF;
	if (rc)
		goto out;
	rc = open->pages->nr ? put(open->pages, image, call.offset) : -ENODATA;
	let_go(open->pages);
	cr_pages_unlock(open);
out:
	fput(image);
	return rc;
}
