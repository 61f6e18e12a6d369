// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_write_file.c - put records and chunks into an image's file
 *
 * A record's place is reserved under the file's lock.  A regular file is then
 * written outside the lock, by several threads at once; a stream within it.
 * Nothing is left as a hole: padding is written, so that an image overwrites
 * whatever a caller's descriptor held.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cr_fault.h"
#include "crc.h"
#include "image_chunk.h"
#include "image_writer.h"

static const uint8_t zeros[CR_WIRE_PAGE];

static size_t padding(uint64_t length, size_t align)
{
	return (size_t)(-length & (align - 1));
}

static void skip_written(struct iovec **iov, int *nr_iov, size_t done)
{
	while (*nr_iov && done >= (*iov)->iov_len) {
		done -= (*iov)->iov_len;
		++*iov;
		--*nr_iov;
	}
	if (*nr_iov) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + done;
		(*iov)->iov_len -= done;
	}
}

/* Write all of @iov, which is used up; @offset < 0: in one stream. */
static int write_all(int fd, struct iovec *iov, int nr_iov, int64_t offset,
		     struct cr_error *err)
{
	skip_written(&iov, &nr_iov, 0);
	while (nr_iov) {
		int part = nr_iov < IOV_MAX ? nr_iov : IOV_MAX;
		ssize_t done = cr_fault(CR_FAULT_IMAGE_WRITE) ? -1 :
			       offset < 0 ? writev(fd, iov, part) :
					    pwritev(fd, iov, part, offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return cr_error_errno(err, "write the image");
		if (offset >= 0)
			offset += done;
		skip_written(&iov, &nr_iov, (size_t)done);
	}
	return 0;
}

/* Write what @kmod holds. */
static int put_behind(struct cr_kmod *kmod, int fd, uint64_t offset,
		      struct cr_error *err)
{
	int rc = cr_kmod_put(kmod, fd, offset);

	return rc < 0 ? cr_error_set(err, rc, "write the image: %s",
				     strerror(-rc)) :
			0;
}

/*
 * Write @iov, and behind it what @kmod holds (NULL: nothing), all in all
 * @length bytes, a multiple of CR_WIRE_ALIGN, where @file->offset stands.  The
 * caller has taken the lock; it is released.
 */
static int write_here_and_unlock(struct cr_writer_file *file, struct iovec *iov,
				 int nr_iov, struct cr_kmod *kmod,
				 uint64_t length, struct cr_error *err)
{
	const uint64_t behind = kmod ? iov[0].iov_len : 0;
	int64_t offset = (int64_t)file->offset;
	struct cr_error own = { 0 };
	int rc;

	if (!file->error.code) {
		file->offset += length;
		file->nr_records++;
		if (file->is_regular)
			pthread_mutex_unlock(&file->lock);
		if (write_all(file->fd, iov, nr_iov,
			      file->is_regular ? offset : -1, &own) == 0 &&
		    kmod)
			put_behind(kmod, file->fd, (uint64_t)offset + behind,
				   &own);
		if (file->is_regular)
			pthread_mutex_lock(&file->lock);
		if (!file->error.code)
			file->error = own;
	}
	/* the first error of all, whoever tells it */
	rc = file->error.code;
	if (rc < 0)
		cr_error_set(err, rc, "%s", file->error.text);
	pthread_mutex_unlock(&file->lock);
	return rc;
}

static uint32_t crc_of_iov(const struct iovec *iov, int nr_iov)
{
	uint32_t crc = 0;

	for (int i = 0; i < nr_iov; i++)
		crc = cr_crc32c(crc, iov[i].iov_base, iov[i].iov_len);
	return crc;
}

static struct iovec zeros_of(size_t length)
{
	return (struct iovec){ (void *)(uintptr_t)zeros, length };
}

/*
 * Lay out @record, the parts @from, and padding behind each, in @to (room for
 * 2 * nr + 1).  The last padding is not part of the payload.  Returns the
 * length of all.
 */
static uint64_t lay_out(struct cr_wire_record *record, const struct iovec *from,
			int nr, struct iovec *to)
{
	uint64_t length = 0;

	*to++ = (struct iovec){ record, sizeof(*record) };
	for (int i = 0; i < nr; i++) {
		size_t pad = padding(from[i].iov_len, CR_WIRE_ALIGN);

		*to++ = from[i];
		*to++ = zeros_of(pad);
		length += from[i].iov_len + pad;
		record->length = length - pad;
	}
	return sizeof(*record) + length;
}

int cr_writer_append(struct cr_image_writer *writer, int type, uint32_t vpid,
		     const struct iovec *iov, int nr_iov, uint64_t *offset,
		     struct cr_error *err)
{
	struct cr_wire_record record = { .type = (uint16_t)type,
					 .flags = CR_RECORD_F_REQUIRED,
					 .vpid = vpid };
	int nr = 2 * nr_iov + 1, rc;
	struct iovec *parts;
	uint64_t length;

	parts = calloc((size_t)nr, sizeof(*parts));
	if (!parts)
		return cr_error_set(err, -ENOMEM, "no memory for a record");
	length = lay_out(&record, iov, nr_iov, parts);
	if (record.length > CR_WIRE_PAYLOAD_MAX) {
		rc = cr_error_set(err, -E2BIG,
				  "record of type %d is too large: %llu bytes",
				  type, (unsigned long long)record.length);
		goto out;
	}
	record.crc = crc_of_iov(parts, nr_iov ? nr - 1 : nr);
	pthread_mutex_lock(&writer->file.lock);
	*offset = writer->file.offset;
	rc = write_here_and_unlock(&writer->file, parts, nr, NULL, length, err);
out:
	free(parts);
	return rc;
}

/* Room in the list of chunks for one more; under the lock. */
static int note_chunk(struct cr_writer_file *file,
		      const struct cr_writer_packed *packed)
{
	const struct cr_wire_run *last = &packed->runs[packed->nr_runs - 1];
	size_t max = file->max_chunks ? 2 * file->max_chunks : 64;
	struct cr_writer_chunk *chunks = file->chunks;

	if (file->nr_chunks == file->max_chunks) {
		chunks = reallocarray(chunks, max, sizeof(*chunks));
		if (!chunks)
			return -ENOMEM;
		file->chunks = chunks;
		file->max_chunks = max;
	}
	chunks[file->nr_chunks++] = (struct cr_writer_chunk){
		.entry = { .offset = file->offset,
			   .space = packed->space,
			   .raw_length = packed->raw_length },
		.start = packed->runs[0].address,
		.end = last->address + last->length,
	};
	file->stored_bytes += packed->stored_length;
	if (packed->kmod)
		file->kernel_bytes += packed->stored_length;
	return 0;
}

/* Fill the header for a chunk at @offset; returns its length, so that the
 * data behind it is page aligned. */
static size_t build_header(const struct cr_writer_packed *packed,
			   uint64_t offset)
{
	struct cr_wire_record *record = packed->header;
	struct cr_wire_chunk *chunk = (void *)(record + 1);
	size_t runs_length = packed->nr_runs * sizeof(*packed->runs);
	size_t length = CR_CHUNK_HEADER_MIN + runs_length;
	size_t pad = padding(offset + length, CR_WIRE_PAGE);

	memset(packed->header, 0, CR_CHUNK_HEADER_MIN);
	memcpy(chunk + 1, packed->runs, runs_length);
	memset((uint8_t *)packed->header + length, 0, pad);
	length += pad;
	chunk->space = packed->space;
	chunk->compression = packed->compression;
	chunk->nr_runs = (uint32_t)packed->nr_runs;
	chunk->data_crc = packed->data_crc;
	chunk->raw_length = packed->raw_length;
	chunk->stored_length = packed->stored_length;
	chunk->data_offset = length;
	record->type = CR_RECORD_CHUNK;
	record->flags = CR_RECORD_F_REQUIRED;
	record->length = length - sizeof(*record) + packed->stored_length;
	record->crc = cr_crc32c(0, packed->header, length);
	return length;
}

int cr_writer_append_chunk(struct cr_image_writer *writer,
			   const struct cr_writer_packed *packed,
			   struct cr_error *err)
{
	struct cr_writer_file *file = &writer->file;
	size_t pad = padding(packed->stored_length, CR_WIRE_ALIGN);
	struct iovec iov[3];
	size_t length;

	pthread_mutex_lock(&file->lock);
	if (note_chunk(file, packed)) {
		pthread_mutex_unlock(&file->lock);
		return cr_error_set(err, -ENOMEM, "no memory for the index");
	}
	length = build_header(packed, file->offset);
	iov[0] = (struct iovec){ packed->header, length };
	iov[1] = (struct iovec){ (void *)(uintptr_t)packed->data,
				 packed->stored_length };
	iov[2] = zeros_of(pad);
	return write_here_and_unlock(file, iov, packed->kmod ? 1 : 3,
				     packed->kmod,
				     length + packed->stored_length + pad, err);
}

static int compare_chunks(const void *a, const void *b)
{
	const struct cr_writer_chunk *x = a, *y = b;

	if (x->entry.space != y->entry.space)
		return x->entry.space < y->entry.space ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

/* Two chunks with the same page would be read over each other. */
static int check_disjoint(const struct cr_writer_file *file,
			  struct cr_error *err)
{
	for (size_t i = 1; i < file->nr_chunks; i++) {
		const struct cr_writer_chunk *chunk = &file->chunks[i];

		if (chunk->entry.space == chunk[-1].entry.space &&
		    chunk->start < chunk[-1].end)
			return cr_error_set(err, -EINVAL,
					    "space %u: pages from %#llx on "
					    "were given twice",
					    chunk->entry.space,
					    (unsigned long long)chunk->start);
	}
	return 0;
}

static int append_index(struct cr_image_writer *writer, uint64_t *offset,
			struct cr_error *err)
{
	struct cr_writer_file *file = &writer->file;
	struct cr_wire_index index = { .nr_chunks = file->nr_chunks };
	struct cr_wire_index_entry *entries;
	struct iovec iov[2];
	int rc;

	entries = calloc(file->nr_chunks + 1, sizeof(*entries));
	if (!entries)
		return cr_error_set(err, -ENOMEM, "no memory for the index");
	for (size_t i = 0; i < file->nr_chunks; i++)
		entries[i] = file->chunks[i].entry;
	iov[0] = (struct iovec){ &index, sizeof(index) };
	iov[1] = (struct iovec){ entries, file->nr_chunks * sizeof(*entries) };
	rc = cr_writer_append(writer, CR_RECORD_INDEX, 0, iov, 2, offset, err);
	free(entries);
	return rc;
}

int cr_writer_append_end(struct cr_image_writer *writer, struct cr_error *err)
{
	struct cr_writer_file *file = &writer->file;
	struct cr_wire_tail tail = { .magic = CR_WIRE_TAIL_MAGIC };
	struct iovec iov = { &tail, sizeof(tail) };
	uint64_t offset;
	int rc;

	if (file->nr_chunks)
		qsort(file->chunks, file->nr_chunks, sizeof(*file->chunks),
		      compare_chunks);
	rc = check_disjoint(file, err);
	if (!rc)
		rc = append_index(writer, &tail.index_offset, err);
	if (rc)
		return rc;
	tail.nr_records = file->nr_records + 1;
	tail.length =
		file->offset + sizeof(struct cr_wire_record) + sizeof(tail);
	return cr_writer_append(writer, CR_RECORD_TAIL, 0, &iov, 1, &offset,
				err);
}
