// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_chunk.c - a chunk of memory: zero pages, packing, checks
 *
 * See image_chunk.h; the layout is in docs/image-format.md.
 */
#include <errno.h>
#include <isa-l/mem_routines.h>
#include <lz4.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "crc.h"
#include "image_chunk.h"

/* Of zstd: the fastest of the ordinary levels; a checkpoint has no time. */
#define ZSTD_LEVEL 1

static bool page_is_zero(const uint8_t *page)
{
	uint64_t first;

	memcpy(&first, page, sizeof(first));
	/* ISA-L's parameter is not const, but it only reads. */
	return first == 0 &&
	       isal_zero_detect((void *)(uintptr_t)page, CR_WIRE_PAGE) == 0;
}

/* One more page behind the others, joined to the last run where it can be. */
static void add_page(struct cr_wire_run *runs, size_t *nr_runs,
		     uint64_t address)
{
	struct cr_wire_run *last = *nr_runs ? &runs[*nr_runs - 1] : NULL;

	if (last && last->address + last->length == address) {
		last->length += CR_WIRE_PAGE;
		return;
	}
	runs[*nr_runs].address = address;
	runs[*nr_runs].length = CR_WIRE_PAGE;
	++*nr_runs;
}

size_t cr_chunk_drop_zeros(uint8_t *data, const uint64_t *keep,
			   const struct cr_wire_run *runs, size_t nr_runs,
			   struct cr_wire_run *kept, size_t *nr_kept)
{
	const uint8_t *from = data;
	uint8_t *to = data;
	size_t page = 0;

	*nr_kept = 0;
	for (size_t i = 0; i < nr_runs; i++) {
		for (uint64_t at = 0; at < runs[i].length; at += CR_WIRE_PAGE) {
			bool is_kept = keep[page / 64] >> page % 64 & 1;

			if (is_kept || !page_is_zero(from)) {
				add_page(kept, nr_kept, runs[i].address + at);
				if (to != from)
					memcpy(to, from, CR_WIRE_PAGE);
				to += CR_WIRE_PAGE;
			}
			from += CR_WIRE_PAGE;
			page++;
		}
	}
	return (size_t)(to - data);
}

int cr_packer_init(struct cr_packer *packer, int compression)
{
	size_t length = 0;

	memset(packer, 0, sizeof(*packer));
	packer->compression = compression;
	switch (compression) {
	case CR_COMPRESS_NONE:
		return 0;
	case CR_COMPRESS_LZ4:
		length = (size_t)LZ4_compressBound(CR_WIRE_CHUNK_MAX);
		packer->context = malloc((size_t)LZ4_sizeofState());
		break;
	case CR_COMPRESS_ZSTD:
		length = ZSTD_compressBound(CR_WIRE_CHUNK_MAX);
		packer->context = ZSTD_createCCtx();
		break;
	default:
		return -EINVAL;
	}
	packer->buffer_length = length;
	packer->buffer = malloc(length);
	if (packer->context && packer->buffer)
		return 0;
	cr_packer_destroy(packer);
	return -ENOMEM;
}

void cr_packer_destroy(struct cr_packer *packer)
{
	if (packer->compression == CR_COMPRESS_ZSTD)
		ZSTD_freeCCtx(packer->context);
	else
		free(packer->context);
	free(packer->buffer);
	memset(packer, 0, sizeof(*packer));
}

/* Returns the packed length, 0 when it could not be done. */
static size_t pack(struct cr_packer *packer, const void *data, size_t length)
{
	size_t packed;
	int lz4;

	if (packer->compression == CR_COMPRESS_LZ4) {
		lz4 = LZ4_compress_fast_extState(packer->context, data,
						 packer->buffer, (int)length,
						 (int)packer->buffer_length, 1);
		return lz4 > 0 ? (size_t)lz4 : 0;
	}
	packed = ZSTD_compressCCtx(packer->context, packer->buffer,
				   packer->buffer_length, data, length,
				   ZSTD_LEVEL);
	return ZSTD_isError(packed) ? 0 : packed;
}

uint32_t cr_packer_pack(struct cr_packer *packer, const void *data,
			size_t length, const void **outp, size_t *out_length)
{
	size_t packed = 0;

	if (packer->compression != CR_COMPRESS_NONE)
		packed = pack(packer, data, length);
	if (packed == 0 || packed >= length) {
		*outp = data;
		*out_length = length;
		return CR_COMPRESS_NONE;
	}
	*outp = packer->buffer;
	*out_length = packed;
	return (uint32_t)packer->compression;
}

int cr_chunk_unpack(uint32_t compression, const void *data, size_t length,
		    void *raw, size_t raw_length)
{
	size_t got;
	int lz4;

	if (compression == CR_COMPRESS_LZ4) {
		lz4 = LZ4_decompress_safe(data, raw, (int)length,
					  (int)raw_length);
		return lz4 >= 0 && (size_t)lz4 == raw_length ? 0 : -EBADMSG;
	}
	got = ZSTD_decompress(raw, raw_length, data, length);
	return !ZSTD_isError(got) && got == raw_length ? 0 : -EBADMSG;
}

const struct cr_wire_chunk *cr_chunk_of(const void *header)
{
	return (const void *)((const uint8_t *)header +
			      sizeof(struct cr_wire_record));
}

const struct cr_wire_run *cr_chunk_runs(const void *header)
{
	return (const void *)((const uint8_t *)header + CR_CHUNK_HEADER_MIN);
}

static bool lengths_fit(const struct cr_wire_chunk *chunk)
{
	if (chunk->raw_length == 0 || chunk->raw_length % CR_WIRE_PAGE ||
	    chunk->raw_length > CR_WIRE_CHUNK_MAX || chunk->stored_length == 0)
		return false;
	if (chunk->compression == CR_COMPRESS_NONE)
		return chunk->stored_length == chunk->raw_length;
	return chunk->stored_length < chunk->raw_length;
}

int cr_chunk_check_sizes(const struct cr_wire_record *record,
			 const struct cr_wire_chunk *chunk,
			 struct cr_error *err)
{
	uint64_t end = CR_CHUNK_HEADER_MIN +
		       (uint64_t)chunk->nr_runs * sizeof(struct cr_wire_run);

	if (chunk->nr_runs == 0 || chunk->nr_runs > CR_CHUNK_RUNS_MAX)
		return cr_error_set(err, -EBADMSG, "chunk of %u runs",
				    chunk->nr_runs);
	if (chunk->compression > CR_COMPRESS_ZSTD)
		return cr_error_set(err, -EPROTONOSUPPORT,
				    "chunk of unknown compression %u",
				    chunk->compression);
	if (!lengths_fit(chunk))
		return cr_error_set(err, -EBADMSG,
				    "chunk with impossible lengths");
	if (chunk->data_offset < end ||
	    chunk->data_offset >= end + CR_WIRE_PAGE ||
	    chunk->data_offset % CR_WIRE_ALIGN)
		return cr_error_set(err, -EBADMSG,
				    "chunk with its data at a wrong place");
	if (record->length !=
	    chunk->data_offset - sizeof(*record) + chunk->stored_length)
		return cr_error_set(err, -EBADMSG,
				    "chunk with a wrong record length");
	return 0;
}

static int check_runs(const struct cr_wire_chunk *chunk,
		      const struct cr_wire_run *runs, struct cr_error *err)
{
	uint64_t sum = 0, end = 0;

	for (uint32_t i = 0; i < chunk->nr_runs; i++) {
		if (runs[i].address % CR_WIRE_PAGE || runs[i].address < end ||
		    runs[i].length % CR_WIRE_PAGE || runs[i].length == 0 ||
		    runs[i].length > chunk->raw_length - sum ||
		    runs[i].address > (uint64_t)INT64_MAX - runs[i].length)
			return cr_error_set(err, -EBADMSG,
					    "chunk with a wrong run at %#llx",
					    (unsigned long long)runs[i]
						    .address);
		sum += runs[i].length;
		end = runs[i].address + runs[i].length;
	}
	if (sum != chunk->raw_length)
		return cr_error_set(err, -EBADMSG,
				    "chunk whose runs do not add up");
	return 0;
}

int cr_chunk_check_header(const void *header, struct cr_error *err)
{
	const struct cr_wire_chunk *chunk = cr_chunk_of(header);
	const uint8_t *bytes = header;
	struct cr_wire_record record;
	uint32_t crc;

	memcpy(&record, header, sizeof(record));
	crc = record.crc;
	record.crc = 0;
	if (cr_crc32c(cr_crc32c(0, &record, sizeof(record)),
		      bytes + sizeof(record),
		      chunk->data_offset - sizeof(record)) != crc)
		return cr_error_set(err, -EBADMSG,
				    "chunk with a wrong checksum");
	return check_runs(chunk, cr_chunk_runs(header), err);
}
