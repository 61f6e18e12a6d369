// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_write_file.c - put records and chunks into an image's file
 *
 * A record's place is reserved under the file's lock.  A regular file is then
 * written outside the lock, by several threads at once; a stream within it.
 * While the module appends chunks, it is the module that reserves their places.
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

/* With the lock: while the module appends, nobody else does. */
static void wait_until_back(struct cr_writer_file *file)
{
	while (file->nr_lent)
		pthread_cond_wait(&file->is_back, &file->lock);
}

/* With the lock: the first error of all, whoever tells it. */
static int first_error(const struct cr_writer_file *file, struct cr_error *err)
{
	if (!file->error.code)
		return 0;
	return cr_error_set(err, file->error.code, "%s", file->error.text);
}

/*
 * Write @iov, all in all @length bytes, a multiple of CR_WIRE_ALIGN, where
 * @file->offset stands.  The caller has taken the lock; it is released.
 */
static int write_here_and_unlock(struct cr_writer_file *file, struct iovec *iov,
				 int nr_iov, uint64_t length,
				 struct cr_error *err)
{
	int64_t offset = (int64_t)file->offset;
	struct cr_error own = { 0 };
	int rc;

	if (!file->error.code) {
		file->offset += length;
		file->nr_records++;
		if (file->is_regular)
			pthread_mutex_unlock(&file->lock);
		write_all(file->fd, iov, nr_iov, file->is_regular ? offset : -1,
			  &own);
		if (file->is_regular)
			pthread_mutex_lock(&file->lock);
		if (!file->error.code)
			file->error = own;
	}
	rc = first_error(file, err);
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
	wait_until_back(&writer->file);
	*offset = writer->file.offset;
	rc = write_here_and_unlock(&writer->file, parts, nr, length, err);
out:
	free(parts);
	return rc;
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
	struct cr_wire_index_entry entry = { .space = packed->space,
					     .raw_length = packed->raw_length };
	struct cr_writer_file *file = &writer->file;
	size_t pad = padding(packed->stored_length, CR_WIRE_ALIGN);
	struct iovec iov[3];
	size_t length;

	pthread_mutex_lock(&file->lock);
	wait_until_back(file);
	entry.offset = file->offset;
	if (cr_writer_note_chunk(file, &entry, packed->runs, packed->nr_runs,
				 packed->stored_length)) {
		pthread_mutex_unlock(&file->lock);
		return cr_error_set(err, -ENOMEM, "no memory for the index");
	}
	length = build_header(packed, file->offset);
	iov[0] = (struct iovec){ packed->header, length };
	iov[1] = (struct iovec){ (void *)(uintptr_t)packed->data,
				 packed->stored_length };
	iov[2] = zeros_of(pad);
	return write_here_and_unlock(file, iov, 3,
				     length + packed->stored_length + pad, err);
}

/*
 * The module finds the places of chunks by the file's own offset, which has to
 * be ours for that.
 */
static int lend(struct cr_writer_file *file, struct cr_error *err)
{
	int rc;

	pthread_mutex_lock(&file->lock);
	if (!file->nr_lent && !file->error.code &&
	    lseek(file->fd, (off_t)file->offset, SEEK_SET) < 0)
		cr_error_errno(&file->error, "place the image's end");
	rc = first_error(file, err);
	if (rc == 0)
		file->nr_lent++;
	pthread_mutex_unlock(&file->lock);
	return rc;
}

/* With the lock.  A caller's descriptor stays where it was. */
static int take_back(struct cr_writer_file *file)
{
	off_t offset;

	if (--file->nr_lent)
		return 0;
	pthread_cond_broadcast(&file->is_back);
	offset = lseek(file->fd, 0, SEEK_CUR);
	if (offset < 0 || lseek(file->fd, 0, SEEK_SET) < 0)
		return -errno;
	file->offset = (uint64_t)offset;
	return 0;
}

/* With the lock. */
static int note_chunks(struct cr_writer_file *file,
		       const struct cr_kmod_chunk *chunks, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const struct cr_kmod_chunk *chunk = &chunks[i];
		const struct cr_wire_index_entry entry = {
			.offset = chunk->offset,
			.space = chunk->space,
			.raw_length = chunk->length,
		};

		if (!chunk->length)
			continue;
		if (cr_writer_note_chunk(file, &entry, chunk->runs,
					 chunk->nr_runs, chunk->length))
			return -ENOMEM;
		file->nr_records++;
		file->kernel_bytes += chunk->length;
	}
	return 0;
}

int cr_writer_append_by_kernel(struct cr_image_writer *writer,
			       struct cr_kmod *kmod,
			       struct cr_kmod_chunk *chunks, size_t nr,
			       size_t *nr_done, int *code, struct cr_error *err)
{
	struct cr_writer_file *file = &writer->file;
	int rc = lend(file, err), noted, back;

	*nr_done = 0;
	*code = 0;
	if (rc < 0)
		return rc;
	rc = cr_kmod_checkpoint(kmod, file->fd, chunks, nr, nr_done, code);
	pthread_mutex_lock(&file->lock);
	noted = note_chunks(file, chunks, *nr_done);
	back = take_back(file);
	rc = rc ? rc : noted ? noted : back;
	if (rc < 0 && !file->error.code)
		cr_error_set(&file->error, rc, "write the image: %s",
			     strerror(-rc));
	rc = first_error(file, err);
	pthread_mutex_unlock(&file->lock);
	return rc;
}
