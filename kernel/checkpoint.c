// SPDX-License-Identifier: GPL-2.0-only
/*
 * checkpoint.c - memory of a frozen tree, straight to the image
 *
 * User space plans: which pages of which process are to be a chunk, and whose
 * those are that several have in common.  Here they are taken, looked through
 * for zeros, given a header and written, chunk by chunk; the pages themselves
 * are what the file is written from.
 */
#include <linux/crc32c.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "compat.h"
#include "cr.h"
#include "pages.h"

struct header {
	struct cr_wire_record record;
	struct cr_wire_chunk chunk;
	struct cr_wire_run runs[];
};

/* With the zeros that let the data begin at a page of the file. */
#define HEADER_MAX \
	(offsetof(struct header, runs[CR_WIRE_CHUNK_PAGES]) + PAGE_SIZE)

struct saving {
	struct file *image;
	struct cr_pages *pages;
	struct header *header; /* HEADER_MAX bytes, of pages in a row */
	u64 keep[CR_WIRE_CHUNK_PAGES / 64]; /* of the chunk that is taken */
};

static_assert(sizeof(struct cr_ioc_chunk) == 40);
static_assert(sizeof(struct cr_ioc_checkpoint) == 32);

/* Runs that are not in their order would be no chunk. */
static int read_plan(struct saving *saving, const struct cr_ioc_chunk *chunk)
{
	struct cr_pages *pages = saving->pages;
	u64 end = 0, length = 0;
	int rc = cr_pages_read_runs(pages, chunk->runs, chunk->nr_runs);
	u32 i;

	if (rc)
		return rc;
	for (i = 0; i < pages->nr_runs; i++) {
		if (pages->runs[i].address < end)
			return -EINVAL;
		length += pages->runs[i].length;
		end = pages->runs[i].address + pages->runs[i].length;
	}
	memset(saving->keep, 0xff, sizeof(saving->keep));
	if (chunk->keep &&
	    copy_from_user(saving->keep, u64_to_user_ptr(chunk->keep),
			   DIV_ROUND_UP(length >> PAGE_SHIFT, 64) *
				   sizeof(saving->keep[0])))
		return -EFAULT;
	return 0;
}

static bool is_zero(struct page *page)
{
	return !memchr_inv(page_address(page), 0, PAGE_SIZE);
}

static void add_page(struct header *header, u64 address)
{
	const u32 nr = header->chunk.nr_runs;
	struct cr_wire_run *next = &header->runs[nr];

	if (nr && next[-1].address + next[-1].length == address) {
		next[-1].length += PAGE_SIZE;
		return;
	}
	*next = (struct cr_wire_run){ address, PAGE_SIZE };
	header->chunk.nr_runs++;
}

/* Let zero pages go but for those to be kept, and note the rest. */
static void drop_zeros(struct saving *saving)
{
	struct cr_pages *pages = saving->pages;
	u32 r, from = 0, to = 0;
	u64 at;

	saving->header->chunk.nr_runs = 0;
	for (r = 0; r < pages->nr_runs; r++) {
		const struct cr_wire_run *run = &pages->runs[r];

		for (at = 0; at < run->length; at += PAGE_SIZE, from++) {
			struct page *page = pages->page[from];
			bool is_kept = saving->keep[from / 64] >> from % 64 & 1;

			cond_resched();
			if (!is_kept && is_zero(page)) {
				put_page(page);
				continue;
			}
			add_page(saving->header, run->address + at);
			pages->page[to++] = page;
		}
	}
	pages->nr = to;
}

/* Hold what is to be written. */
static int hold_chunk(struct saving *saving, const struct cr_ioc_chunk *chunk)
{
	struct mm_struct *mm;
	int rc = read_plan(saving, chunk);

	if (rc)
		return rc;
	mm = cr_mem_file_get(chunk->mem_fd, FMODE_READ);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	rc = cr_pages_take(saving->pages, mm);
	mmput(mm);
	if (!rc)
		drop_zeros(saving);
	return rc;
}

/*
 * A place for a chunk of @data bytes and a header that is *@header long, and
 * gets longer, so that the data begins at a page of the file.
 */
static int find_place(struct file *image, size_t data, size_t *header,
		      loff_t *offset)
{
	int rc = 0;

	spin_lock(&image->f_lock);
	*offset = image->f_pos;
	if (*offset < 0 || !IS_ALIGNED(*offset, CR_WIRE_ALIGN)) {
		rc = -EINVAL;
	} else if (*offset > MAX_LFS_FILESIZE - HEADER_MAX - data) {
		rc = -EFBIG;
	} else {
		*header = ALIGN(*offset + *header, PAGE_SIZE) - *offset;
		image->f_pos = *offset + *header + data;
	}
	spin_unlock(&image->f_lock);
	return rc;
}

/* All but the runs, which are there. */
static void build_header(struct header *header, u32 space, size_t length,
			 size_t data, u32 crc)
{
	const u32 nr_runs = header->chunk.nr_runs;
	const size_t end = struct_size(header, runs, nr_runs);

	memset((u8 *)header + end, 0, length - end);
	header->chunk = (struct cr_wire_chunk){
		.space = space,
		.compression = CR_COMPRESS_NONE,
		.nr_runs = nr_runs,
		.data_crc = crc,
		.raw_length = data,
		.stored_length = data,
		.data_offset = length,
	};
	header->record = (struct cr_wire_record){
		.type = CR_RECORD_CHUNK,
		.flags = CR_RECORD_F_REQUIRED,
		.length = length - sizeof(header->record) + data,
	};
	header->record.crc = ~crc32c(~0, header, length);
}

static int write_all(struct file *image, const struct bio_vec *vector, u32 nr,
		     size_t length, loff_t offset)
{
	struct iov_iter iter;
	ssize_t done;

	iov_iter_bvec(&iter, ITER_SOURCE, vector, nr, length);
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

/* Write what is held; nothing may be left of it. */
static int write_chunk(struct saving *saving, struct cr_ioc_chunk *chunk)
{
	struct cr_pages *pages = saving->pages;
	struct header *header = saving->header;
	const size_t data = (size_t)pages->nr << PAGE_SHIFT;
	size_t length = struct_size(header, runs, header->chunk.nr_runs);
	loff_t offset = 0;
	u32 crc;
	int rc;

	chunk->nr_pages = pages->nr;
	chunk->offset = 0;
	if (!pages->nr)
		return 0;
	crc = ~cr_pages_crc(pages->page, pages->nr, ~0);
	rc = find_place(saving->image, data, &length, &offset);
	if (rc)
		return rc;
	chunk->offset = offset;
	build_header(header, chunk->space, length, data, crc);
	pages->vector[0].bv_page = virt_to_page(header);
	pages->vector[0].bv_len = length;
	pages->vector[0].bv_offset = 0;
	cr_pages_to_vector(pages->page, pages->nr, pages->vector + 1);
	return write_all(saving->image, pages->vector, 1 + pages->nr,
			 length + data, offset);
}

/* The next chunk; call->code says why it cannot be taken. */
static int save_next(struct saving *saving, struct cr_ioc_checkpoint *call)
{
	struct cr_ioc_chunk __user *place =
		u64_to_user_ptr(call->chunks) + call->nr_done * sizeof(*place);
	struct cr_ioc_chunk chunk;
	int rc = 0;

	if (copy_from_user(&chunk, place, sizeof(chunk)))
		return -EFAULT;
	call->code = hold_chunk(saving, &chunk);
	if (!call->code)
		rc = write_chunk(saving, &chunk);
	cr_pages_let_go(saving->pages);
	if (fatal_signal_pending(current))
		return -EINTR;
	if (rc || call->code)
		return rc;
	if (copy_to_user(place, &chunk, sizeof(chunk)))
		return -EFAULT;
	call->nr_done++;
	return 0;
}

static int save_all(struct file *image, struct cr_ioc_checkpoint *call)
{
	struct saving *saving = kzalloc(sizeof(*saving), GFP_KERNEL_ACCOUNT);
	int rc = 0;

	call->nr_done = 0;
	call->code = -ENOMEM;
	if (!saving)
		return 0;
	saving->image = image;
	saving->pages = cr_pages_create();
	saving->header = alloc_pages_exact(HEADER_MAX, GFP_KERNEL_ACCOUNT);
	if (saving->pages && saving->header)
		call->code = 0;
	while (!rc && !call->code && call->nr_done < call->nr_chunks) {
		rc = save_next(saving, call);
		cond_resched();
	}
	if (saving->header)
		free_pages_exact(saving->header, HEADER_MAX);
	cr_pages_destroy(saving->pages);
	kfree(saving);
	return rc;
}

static int check_image(const struct file *image)
{
	if (!(image->f_mode & FMODE_WRITE))
		return -EBADF;
	if (!S_ISREG(file_inode(image)->i_mode) || image->f_flags & O_APPEND)
		return -EINVAL;
	return 0;
}

/**
 * cr_checkpoint() - CR_IOC_CHECKPOINT
 * @argument: struct cr_ioc_checkpoint
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_checkpoint(unsigned long argument)
{
	struct cr_ioc_checkpoint call;
	struct file *image;
	int rc = cr_copy_argument(&call, argument, sizeof(call));

	if (rc)
		return rc;
	if (call.flags || call.reserved || !call.nr_chunks ||
	    call.nr_chunks > CR_CHECKPOINT_CHUNKS_MAX)
		return -EINVAL;
	image = fget(call.image_fd);
	if (!image)
		return -EBADF;
	rc = check_image(image);
	if (!rc) {
		rc = save_all(image, &call);
		if (copy_to_user((void __user *)argument, &call, sizeof(call)))
			rc = -EFAULT;
	}
	fput(image);
	return rc;
}
