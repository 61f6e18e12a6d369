/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image_reader.h - the inside of struct cr_image
 *
 * Private to image_read*.c and image_load*.c.  Offsets count from the start
 * of the image, which need not be the start of the file.
 */
#ifndef IMAGE_READER_H
#define IMAGE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cr_error.h"
#include "cr_image.h"
#include "image_wire.h"

struct cr_image {
	int fd;
	enum cr_engine engine; /* who fills memory */
	bool is_regular; /* pread(2) works and the size is known */
	uint64_t base; /* where the image starts in a regular file */
	uint64_t size; /* of a regular file's image; else INT64_MAX */

	/* Sequential reading: image_read.c */
	uint64_t offset; /* of the next record */
	uint64_t position; /* of the descriptor, when it is a stream */
	uint64_t nr_records; /* read so far */
	uint64_t index_offset; /* 0: not seen yet */
	bool is_head_next; /* read by open, not yet returned by next */
	bool has_ended;
	struct cr_wire_record header; /* of the last record */
	uint8_t *payload; /* of the last record; of a chunk its whole header */
	size_t payload_max;
	uint8_t *window; /* what was read ahead */
	uint64_t window_start;
	size_t window_length;

	/* The index, set by cr_saved_load(): checked against the chunks */
	struct cr_wire_index_entry *entries;
	size_t nr_entries;
};

#define CR_IMAGE_WINDOW (16u << 10) /* bytes */

/* ---- image_read_bytes.c ---- */

/* Sequential read of all of @length bytes; -ENODATA if the file ends. */
int cr_image_read_at(struct cr_image *image, uint64_t offset, void *buffer,
		     size_t length, struct cr_error *err);

/* -ENODATA with words. */
int cr_image_cut_short(uint64_t offset, struct cr_error *err);

/* Positioned read of all of @length bytes; -ENODATA if the file ends. */
int cr_image_pread(const struct cr_image *image, uint64_t offset, void *to,
		   size_t length, struct cr_error *err);

/* ---- image_read_index.c ---- */

/* The first index entry of @space or a later one. */
size_t cr_image_first_entry(const struct cr_image *image, uint64_t space);

/* The header of entry @i, of at most CR_CHUNK_HEADER_MAX bytes and all of it
 * checked, into @header. */
int cr_image_read_header(const struct cr_image *image, size_t i,
			 uint8_t *header, struct cr_error *err);

#endif /* IMAGE_READER_H */
