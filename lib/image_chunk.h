/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image_chunk.h - a chunk of memory: zero pages, packing, checks
 *
 * Private to lib/.  What the writer's and the reader's workers share; no
 * input or output here.
 */
#ifndef IMAGE_CHUNK_H
#define IMAGE_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "cr_error.h"
#include "cr_image_write.h"
#include "image_wire.h"

#define CR_CHUNK_RUNS_MAX CR_WIRE_CHUNK_PAGES
/* Record header, struct cr_wire_chunk, runs and zeros: all before the data. */
#define CR_CHUNK_HEADER_MIN \
	(sizeof(struct cr_wire_record) + sizeof(struct cr_wire_chunk))
#define CR_CHUNK_HEADER_MAX    \
	(CR_CHUNK_HEADER_MIN + \
	 CR_CHUNK_RUNS_MAX * sizeof(struct cr_wire_run) + CR_WIRE_PAGE)

/* Upper end of what a task may map, exclusive: TASK_SIZE of x86-64. */
#define CR_TASK_SIZE 0x7ffffffff000ull

/*
 * @data holds the pages of @runs one after another.  Moves the pages that
 * are not all zero, or whose bit in @keep is set, to its front and lists them
 * in @kept, which has room for CR_CHUNK_RUNS_MAX.  Returns their length in
 * bytes; *@nr_kept may be 0.
 */
size_t cr_chunk_drop_zeros(uint8_t *data, const uint64_t *keep,
			   const struct cr_wire_run *runs, size_t nr_runs,
			   struct cr_wire_run *kept, size_t *nr_kept);

/* What one thread needs to compress; not to be shared. */
struct cr_packer {
	int compression; /* enum cr_compression */
	void *context;
	void *buffer; /* the last result */
	size_t buffer_length;
};

/* Returns 0, -ENOMEM, or -EINVAL for an unknown compression. */
int cr_packer_init(struct cr_packer *packer, int compression);
void cr_packer_destroy(struct cr_packer *packer);

/*
 * Compress @length bytes at @data.  Returns the compression used, which is
 * CR_COMPRESS_NONE when nothing was gained; *@outp is then @data.
 */
uint32_t cr_packer_pack(struct cr_packer *packer, const void *data,
			size_t length, const void **outp, size_t *out_length);

/* The reverse; @raw_length bytes must come out exactly, else -EBADMSG. */
int cr_chunk_unpack(uint32_t compression, const void *data, size_t length,
		    void *raw, size_t raw_length);

/*
 * Check a chunk's numbers against each other: of @record and @chunk alone, so
 * that the caller knows how much header to read, and then with the whole
 * header of chunk->data_offset bytes that starts at @header: its checksum,
 * zeros and runs (sorted, aligned, disjoint, sum as said).
 * Return 0, -EBADMSG or -EPROTONOSUPPORT (unknown compression).
 */
int cr_chunk_check_sizes(const struct cr_wire_record *record,
			 const struct cr_wire_chunk *chunk,
			 struct cr_error *err);
int cr_chunk_check_header(const void *header, struct cr_error *err);

/* Within a header: the struct and the runs behind it. */
const struct cr_wire_chunk *cr_chunk_of(const void *header);
const struct cr_wire_run *cr_chunk_runs(const void *header);

#endif /* IMAGE_CHUNK_H */
