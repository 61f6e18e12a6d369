// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_read_index.c - find the chunks of a space by the index
 */
#include <errno.h>
#include <stdlib.h>

#include "image_chunk.h"
#include "image_reader.h"

size_t cr_image_first_entry(const struct cr_image *image, uint64_t space)
{
	size_t low = 0, high = image->nr_entries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (image->entries[middle].space < space)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int cr_image_read_header(const struct cr_image *image, size_t i,
			 uint8_t *header, struct cr_error *err)
{
	const struct cr_wire_index_entry *entry = &image->entries[i];
	const struct cr_wire_record *record = (const void *)header;
	const struct cr_wire_chunk *chunk = cr_chunk_of(header);
	size_t got = CR_WIRE_PAGE; /* mostly all; there is data behind it */
	int rc = cr_image_pread(image, entry->offset, header, got, err);

	if (!rc &&
	    (record->type != CR_RECORD_CHUNK || chunk->space != entry->space ||
	     chunk->raw_length != entry->raw_length))
		rc = cr_error_set(err, -EBADMSG, "index is wrong");
	if (!rc)
		rc = cr_chunk_check_sizes(record, chunk, err);
	if (!rc && chunk->data_offset > got)
		rc = cr_image_pread(image, entry->offset + got, header + got,
				    (size_t)chunk->data_offset - got, err);
	if (!rc)
		rc = cr_chunk_check_header(header, err);
	if (rc && err)
		cr_error_prefix(err, "chunk at byte %llu",
				(unsigned long long)entry->offset);
	return rc;
}

uint64_t cr_image_space_bytes(const struct cr_image *image, uint32_t space)
{
	size_t end = cr_image_first_entry(image, (uint64_t)space + 1);
	uint64_t sum = 0;

	for (size_t i = cr_image_first_entry(image, space); i < end; i++)
		sum += image->entries[i].raw_length;
	return sum;
}

/* Add @nr_more runs behind the @*nr sorted ones, joining neighbours. */
static int add_runs(struct cr_wire_run **runs, size_t *nr,
		    const struct cr_wire_run *more, size_t nr_more)
{
	struct cr_wire_run *grown =
		reallocarray(*runs, *nr + nr_more, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	*runs = grown;
	for (size_t i = 0; i < nr_more; i++) {
		struct cr_wire_run *last = *nr ? &grown[*nr - 1] : NULL;

		if (last && last->address + last->length == more[i].address)
			last->length += more[i].length;
		else
			grown[(*nr)++] = more[i];
	}
	return 0;
}

int cr_image_space_runs(struct cr_image *image, uint32_t space,
			struct cr_wire_run **runsp, size_t *nr_runsp,
			struct cr_error *err)
{
	size_t end = cr_image_first_entry(image, (uint64_t)space + 1), nr = 0;
	uint8_t *header = malloc(CR_CHUNK_HEADER_MAX);
	struct cr_wire_run *runs = NULL;
	int rc = header ? 0 : -ENOMEM;

	for (size_t i = cr_image_first_entry(image, space); !rc && i < end;
	     i++) {
		rc = cr_image_read_header(image, i, header, err);
		if (!rc)
			rc = add_runs(&runs, &nr, cr_chunk_runs(header),
				      cr_chunk_of(header)->nr_runs);
	}
	free(header);
	if (rc) {
		free(runs);
		return rc == -ENOMEM ?
			       cr_error_set(err, rc, "no memory for runs") :
			       rc;
	}
	*runsp = runs;
	*nr_runsp = nr;
	return 0;
}
