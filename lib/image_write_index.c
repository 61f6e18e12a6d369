// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_write_index.c - the list of an image's chunks, and its end
 */
#include <errno.h>
#include <stdlib.h>

#include "image_writer.h"

int cr_writer_note_chunk(struct cr_writer_file *file,
			 const struct cr_wire_index_entry *entry,
			 const struct cr_wire_run *runs, size_t nr_runs,
			 uint64_t stored_length)
{
	const struct cr_wire_run *last = &runs[nr_runs - 1];
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
		.entry = *entry,
		.start = runs[0].address,
		.end = last->address + last->length,
	};
	file->stored_bytes += stored_length;
	return 0;
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
