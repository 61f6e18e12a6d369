/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vma_list.c - pack mappings by what differs from the one before
 *
 * A byte tells which fields follow; a field that does not is as expected: the
 * mapping begins where the last one ended, goes on in the same file, has the
 * same protection, ...
 */
#include <errno.h>
#include <string.h>

#include "vma_list.h"

enum field {
	FIELD_GAP, /* in front of it, pages */
	FIELD_OFFSET, /* less what is expected */
	FIELD_PROT, /* these: bits that differ */
	FIELD_MAP_FLAGS,
	FIELD_KIND,
	FIELD_ADVICE,
	FIELD_FILE,
	FIELD_SPACE, /* as it is */
	NR_FIELDS
};

/* Small numbers of both signs are small numbers. */
static uint64_t fold(uint64_t difference)
{
	return difference << 1 ^ (0 - (difference >> 63));
}

static uint64_t unfold(uint64_t folded)
{
	return folded >> 1 ^ (0 - (folded & 1));
}

static uint64_t expected_offset(const struct cr_wire_vma *before, uint32_t file)
{
	if (!file || file != before->file)
		return 0;
	return before->offset + (before->end - before->start);
}

/* What the kind leaves room for. */
static uint32_t kind_bits(const struct cr_save_vma *vma)
{
	return vma->wire.kind << 2 | (vma->may_share ? 2u : 0) |
	       (vma->has_pages ? 1u : 0);
}

static int add_fields(struct cr_packed *packed, const uint64_t *fields,
		      uint64_t nr_pages)
{
	uint64_t mask = 0;
	int rc;

	for (int i = 0; i < NR_FIELDS; i++)
		mask |= (uint64_t)(fields[i] != 0) << i;
	rc = cr_packed_add_number(packed, mask);
	if (rc == 0)
		rc = cr_packed_add_number(packed, nr_pages);
	for (int i = 0; i < NR_FIELDS && rc == 0; i++)
		if (fields[i])
			rc = cr_packed_add_number(packed, fields[i]);
	return rc;
}

int cr_vma_writer_add(struct cr_vma_writer *writer,
		      const struct cr_save_vma *vma)
{
	const struct cr_wire_vma *wire = &vma->wire;
	struct cr_wire_vma *before = &writer->before;
	const uint64_t fields[NR_FIELDS] = {
		[FIELD_GAP] = (wire->start - before->end) / CR_WIRE_PAGE,
		[FIELD_OFFSET] = fold(wire->offset -
				      expected_offset(before, wire->file)),
		[FIELD_PROT] = wire->prot ^ before->prot,
		[FIELD_MAP_FLAGS] = wire->map_flags ^ before->map_flags,
		[FIELD_KIND] = kind_bits(vma) ^ before->kind,
		[FIELD_ADVICE] = wire->advice ^ before->advice,
		[FIELD_FILE] = fold((uint64_t)wire->file - before->file),
		[FIELD_SPACE] = wire->space,
	};
	int rc;

	rc = add_fields(&writer->list->packed, fields,
			(wire->end - wire->start) / CR_WIRE_PAGE);
	if (rc < 0)
		return rc;
	*before = *wire;
	before->kind = kind_bits(vma);
	writer->list->nr++;
	return 0;
}

int cr_vma_list_set_family(struct cr_vma_list *list, uint32_t index,
			   uint32_t space)
{
	int rc;

	rc = cr_packed_add_number(&list->families, index - list->last_family);
	if (rc == 0)
		rc = cr_packed_add_number(&list->families, space);
	list->last_family = index + 1;
	return rc;
}

void cr_vma_list_trim(struct cr_vma_list *list)
{
	cr_packed_trim(&list->packed);
}

void cr_vma_list_clear(struct cr_vma_list *list)
{
	cr_packed_clear(&list->packed);
	cr_packed_clear(&list->families);
	memset(list, 0, sizeof(*list));
}

static void find_next_family(struct cr_vma_cursor *cursor, uint32_t from)
{
	struct cr_packed_cursor *families = &cursor->families;

	cursor->next_family = UINT32_MAX;
	if (families->at < families->end)
		cursor->next_family =
			from + (uint32_t)cr_packed_take_number(families);
}

void cr_vma_begin(const struct cr_vma_list *list, struct cr_vma_cursor *cursor)
{
	memset(cursor, 0, sizeof(*cursor));
	cursor->nr_left = list->nr;
	cursor->index = UINT32_MAX;
	cursor->packed = cr_packed_begin(&list->packed);
	cursor->families = cr_packed_begin(&list->families);
	find_next_family(cursor, 0);
}

static void take_fields(struct cr_packed_cursor *packed, uint64_t *fields,
			uint64_t *nr_pages)
{
	uint64_t mask = cr_packed_take_number(packed);

	*nr_pages = cr_packed_take_number(packed);
	for (int i = 0; i < NR_FIELDS; i++)
		fields[i] = mask & 1u << i ? cr_packed_take_number(packed) : 0;
}

static void take_vma(struct cr_packed_cursor *packed, struct cr_save_vma *vma)
{
	struct cr_wire_vma *wire = &vma->wire;
	const struct cr_wire_vma before = *wire;
	uint64_t fields[NR_FIELDS], nr_pages;
	uint32_t kind = kind_bits(vma);

	take_fields(packed, fields, &nr_pages);
	wire->start = before.end + fields[FIELD_GAP] * CR_WIRE_PAGE;
	wire->end = wire->start + nr_pages * CR_WIRE_PAGE;
	wire->prot ^= (uint32_t)fields[FIELD_PROT];
	wire->map_flags ^= (uint32_t)fields[FIELD_MAP_FLAGS];
	wire->advice ^= (uint32_t)fields[FIELD_ADVICE];
	wire->file += (uint32_t)unfold(fields[FIELD_FILE]);
	wire->offset = expected_offset(&before, wire->file) +
		       unfold(fields[FIELD_OFFSET]);
	wire->space = (uint32_t)fields[FIELD_SPACE];
	kind ^= (uint32_t)fields[FIELD_KIND];
	wire->kind = kind >> 2;
	vma->may_share = (kind & 2) != 0;
	vma->has_pages = kind & 1;
	vma->is_scanned = 0;
}

int cr_vma_next(struct cr_vma_cursor *cursor)
{
	struct cr_save_vma *vma = &cursor->vma;

	if (!cursor->nr_left)
		return 0;
	cursor->nr_left--;
	cursor->index++;
	take_vma(&cursor->packed, vma);
	if (cursor->index == cursor->next_family) {
		vma->wire.space =
			(uint32_t)cr_packed_take_number(&cursor->families);
		vma->is_scanned = 1;
		find_next_family(cursor, cursor->index + 1);
	}
	return 1;
}
