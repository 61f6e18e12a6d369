/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * packed.h - structures in little memory, to be read once, in order
 *
 * Private to lib/.  What is known of a task fills some 12 KiB, most of which
 * is zero; with thousands of tasks that counts.  Packed, it is about one.
 * Bytes never come from elsewhere: nothing here checks them.
 */
#ifndef PACKED_H
#define PACKED_H

#include <stddef.h>
#include <stdint.h>

struct cr_packed {
	uint8_t *bytes; /* owned */
	uint32_t length, room;
};

/* Append a number: the fewer bits, the fewer bytes.  0 or -ENOMEM. */
int cr_packed_add_number(struct cr_packed *packed, uint64_t number);

/* Append @length bytes at @data, less their zeros.  0 or -ENOMEM. */
int cr_packed_add_bytes(struct cr_packed *packed, const void *data,
			size_t length);

/* Append what is packed in @other.  0 or -ENOMEM. */
int cr_packed_append(struct cr_packed *packed, const struct cr_packed *other);

/* Give back the memory that is not used; nothing will be appended. */
void cr_packed_trim(struct cr_packed *packed);

/* Empty again, and without memory. */
void cr_packed_clear(struct cr_packed *packed);

struct cr_packed_cursor {
	const uint8_t *at, *end;
};

struct cr_packed_cursor cr_packed_begin(const struct cr_packed *packed);

/* What was appended, in the same order, by the same functions; but parts whose
 * length is a multiple of 8 may be taken together with what follows. */
uint64_t cr_packed_take_number(struct cr_packed_cursor *cursor);
void cr_packed_take_bytes(struct cr_packed_cursor *cursor, void *data,
			  size_t length);

#endif /* PACKED_H */
