// SPDX-License-Identifier: GPL-2.0-only
/*
 * pages_fill.c - read pages of an image straight to their places
 *
 * In small batches, so that what has been read is checked while it is still in
 * the CPU's cache.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "compat.h"
#include "cr.h"
#include "pages.h"

#define BATCH 64 /* pages */

struct fill {
	struct cr_pages *pages;
	struct mm_struct *mm;
	struct file *image;
	loff_t offset;
	u32 crc;
};

static int read_batch(struct fill *fill, u32 nr)
{
	struct iov_iter iter;
	ssize_t done;

	cr_pages_to_vector(fill->pages->page, nr, fill->pages->vector);
	iov_iter_bvec(&iter, ITER_DEST, fill->pages->vector, nr,
		      (size_t)nr << PAGE_SHIFT);
	while (iov_iter_count(&iter)) {
		done = vfs_iter_read(fill->image, &iter, &fill->offset, 0);
		if (done < 0)
			return done;
		if (done == 0)
			return -ENODATA;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/* Up to @nr pages at @address; returns how many. */
static long fill_batch(struct fill *fill, u64 address, u32 nr)
{
	int locked = 1, rc;
	long pinned;

	if (mmap_read_lock_killable(fill->mm))
		return -EINTR;
	pinned = cr_pin_pages(fill->mm, address, min_t(u32, nr, BATCH),
			      FOLL_WRITE, fill->pages->page, &locked);
	if (locked)
		mmap_read_unlock(fill->mm);
	if (pinned <= 0)
		return pinned ? pinned : -EFAULT;
	rc = read_batch(fill, pinned);
	if (!rc)
		fill->crc = cr_pages_crc(fill->pages->page, pinned, fill->crc);
	unpin_user_pages_dirty_lock(fill->pages->page, pinned, true);
	cond_resched();
	return rc ? rc : pinned;
}

static int fill_run(struct fill *fill, const struct cr_wire_run *run)
{
	u32 left = run->length >> PAGE_SHIFT;
	u64 address = run->address;
	long nr;

	while (left) {
		nr = fill_batch(fill, address, left);
		if (nr < 0)
			return nr;
		address += (u64)nr << PAGE_SHIFT;
		left -= nr;
	}
	return 0;
}

static int fill_runs(struct cr_pages *pages, struct file *image,
		     struct cr_ioc_fill *call)
{
	struct fill fill = { .pages = pages,
			     .image = image,
			     .offset = call->offset,
			     .crc = ~0 };
	int rc = cr_pages_read_runs(pages, call->runs, call->nr_runs);
	u32 i;

	if (rc)
		return rc;
	fill.mm = cr_mem_file_get(call->mem_fd, FMODE_WRITE);
	if (IS_ERR(fill.mm))
		return PTR_ERR(fill.mm);
	for (i = 0; i < pages->nr_runs && !rc; i++)
		rc = fill_run(&fill, &pages->runs[i]);
	mmput(fill.mm);
	call->crc = ~fill.crc;
	return rc;
}

/**
 * cr_fill() - CR_IOC_FILL
 * @argument: struct cr_ioc_fill
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_fill(unsigned long argument)
{
	struct cr_pages *pages = NULL;
	struct cr_ioc_fill call;
	struct file *image;
	int rc = cr_copy_argument(&call, argument, sizeof(call));

	if (rc)
		return rc;
	if (call.flags || call.reserved || call.offset > S64_MAX)
		return -EINVAL;
	image = fget(call.image_fd);
	if (!image)
		return -EBADF;
	if (!(image->f_mode & FMODE_READ))
		rc = -EBADF;
	else if (!(pages = cr_pages_create()))
		rc = -ENOMEM;
	else
		rc = fill_runs(pages, image, &call);
	cr_pages_destroy(pages);
	fput(image);
	if (!rc && copy_to_user((void __user *)argument, &call, sizeof(call)))
		rc = -EFAULT;
	return rc;
}
