/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cr_image_write.h - write a checkpoint image
 *
 * The image grows under a temporary name beside its own and gets its name
 * only in cr_image_writer_commit(), after fsync: a crash leaves no half image.
 * Records are written in the order of the calls.  Memory is read, packed and
 * written by worker threads meanwhile; to a regular file with positioned
 * writes in parallel, to a pipe or socket in one stream.
 *
 * Not thread-safe: one thread calls.
 */
#ifndef CR_IMAGE_WRITE_H
#define CR_IMAGE_WRITE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "cr_engine.h"
#include "cr_error.h"

struct cr_image_writer;
struct cr_wire_run;

struct cr_image_write_options {
	int compression; /* enum cr_compression */
	unsigned int nr_workers; /* 0: as many as CPUs, at most 8 */
	/* Who moves pages that have an owner (struct cr_memory_source).  The
	 * kernel's module neither compresses nor writes to a stream:
	 * CR_ENGINE_KERNEL is refused then, with -EOPNOTSUPP. */
	enum cr_engine engine;
	/* Called from the caller's thread, about 10 times a second; or NULL */
	void (*progress)(void *arg, uint64_t bytes_done, uint64_t bytes_total);
	void *progress_arg;
};

struct cr_image_write_stats {
	uint64_t nr_records;
	uint64_t memory_bytes; /* given to cr_image_writer_memory() */
	uint64_t zero_bytes; /* of these: all-zero pages, not stored */
	uint64_t stored_bytes; /* after compression */
	uint64_t kernel_bytes; /* of these: by the kernel's module */
	uint64_t file_bytes; /* the whole image */
};

/*
 * Where a space's pages are read from.  read() must be safe to call from
 * several threads at once; it reads exactly @length bytes at @address of the
 * space into @buffer and returns 0 or a negative errno.
 */
struct cr_memory_source {
	int (*read)(const struct cr_memory_source *source, uint64_t address,
		    void *buffer, size_t length);
	/*
	 * Where the pages at @address of the space are those of a process at
	 * the same address: returns its pid, and cuts *@length to what is; 0
	 * if there is none.  NULL: there is none anywhere.
	 */
	int (*owner)(const struct cr_memory_source *source, uint64_t address,
		     uint64_t *length);
	int fd; /* for the user of the struct */
	int pid;
	/* Leave all-zero pages out: true where a hole reads as zero (anonymous
	 * memory), false for written pages of a private file mapping. */
	int skip_zero;
	/* Where all-zero pages are kept all the same: sorted and disjoint.
	 * Only looked at within cr_image_writer_memory(). */
	const struct cr_wire_run *keep;
	size_t nr_keep;
};

/*
 * Begin an image @name in the directory @dirfd (or AT_FDCWD; a name with
 * slashes is allowed).  Mode 0600.  On success *@writerp is owned by the
 * caller, who ends it with commit or abort.
 * Returns 0, or what openat(2) returns; -EEXIST only for a stale temporary
 * file that cannot be removed.
 */
int cr_image_writer_create(int dirfd, const char *name,
			   const struct cr_image_write_options *options,
			   struct cr_image_writer **writerp,
			   struct cr_error *err);

/* The same onto a descriptor that need not be seekable; @fd stays the
 * caller's. */
int cr_image_writer_create_fd(int fd,
			      const struct cr_image_write_options *options,
			      struct cr_image_writer **writerp,
			      struct cr_error *err);

/*
 * Append a record.  The payload is the concatenation of @iov; each part is
 * padded with zeros to CR_WIRE_ALIGN.  The caller puts all records from HEAD
 * (first) to the last THREAD; index and tail come from commit.
 * Returns 0, -E2BIG, or what write(2) returns (-ENOSPC above all).
 */
int cr_image_writer_put(struct cr_image_writer *writer, int type, uint32_t vpid,
			const struct iovec *iov, int nr_iov,
			struct cr_error *err);

/*
 * Queue pages of @space for the workers, which cut them into chunks.  @runs
 * are sorted, page aligned and copied; the runs of two calls for one space
 * must not interleave; *@source must live until commit or abort.  May block
 * while the queue is full.  Errors of earlier work may come back from here.
 */
int cr_image_writer_memory(struct cr_image_writer *writer, uint32_t space,
			   const struct cr_memory_source *source,
			   const struct cr_wire_run *runs, size_t nr_runs,
			   struct cr_error *err);

/*
 * Wait until all queued memory has been read from its sources: afterwards
 * the tree may run on or be ended.  (The data may still be on its way to the
 * file.)
 */
int cr_image_writer_drain(struct cr_image_writer *writer, struct cr_error *err);

/*
 * Finish: all chunks, index, tail, fsync, rename, fsync of the directory.
 * @stats may be NULL.  Ends @writer, on failure as abort does.
 */
int cr_image_writer_commit(struct cr_image_writer *writer,
			   struct cr_image_write_stats *stats,
			   struct cr_error *err);

/* Drop everything and the temporary file.  NULL is allowed; keeps errno. */
void cr_image_writer_abort(struct cr_image_writer *writer);

#endif /* CR_IMAGE_WRITE_H */
