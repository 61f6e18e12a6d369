/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * packed.c - the bytes of packed.h
 *
 * A number goes seven bits a byte, the lowest first; the top bit says that more
 * follow.  Structures go by words of 8 bytes: a byte that tells which of the
 * word's bytes are not zero, and these; for words of zero a 0 and how many more
 * there are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "packed.h"

#define ROOM_MIN 64u
#define WORD sizeof(uint64_t)
#define NUMBER_MAX 10u /* bytes */

static int reserve(struct cr_packed *packed, size_t more)
{
	size_t room = packed->room ? packed->room : ROOM_MIN;
	uint8_t *bytes;

	if (more > UINT32_MAX / 4 - packed->length)
		return -ENOMEM;
	while (room < packed->length + more)
		room *= 2;
	if (room == packed->room)
		return 0;
	bytes = realloc(packed->bytes, room);
	if (!bytes)
		return -ENOMEM;
	packed->bytes = bytes;
	packed->room = (uint32_t)room;
	return 0;
}

int cr_packed_add_number(struct cr_packed *packed, uint64_t number)
{
	if (reserve(packed, NUMBER_MAX) < 0)
		return -ENOMEM;
	for (; number > 0x7f; number >>= 7)
		packed->bytes[packed->length++] = (uint8_t)(number | 0x80);
	packed->bytes[packed->length++] = (uint8_t)number;
	return 0;
}

/* The word at @at of @length bytes; what lies behind them is zero. */
static uint64_t word_at(const uint8_t *data, size_t length, size_t at)
{
	size_t left = length - at;
	uint64_t word = 0;

	memcpy(&word, data + at, left < WORD ? left : WORD);
	return word;
}

static void add_word(struct cr_packed *packed, uint64_t word)
{
	uint8_t *mask = &packed->bytes[packed->length++];

	*mask = 0;
	for (unsigned int i = 0; i < WORD; i++, word >>= 8) {
		if (!(word & 0xff))
			continue;
		*mask |= (uint8_t)(1u << i);
		packed->bytes[packed->length++] = (uint8_t)word;
	}
}

int cr_packed_add_bytes(struct cr_packed *packed, const void *data,
			size_t length)
{
	uint8_t *zeros = NULL; /* the count of those just before */

	/* a word of 8 is 9 at the most; one of zero alone is 2 */
	if (reserve(packed, (length / WORD + 1) * (WORD + 1)) < 0)
		return -ENOMEM;
	for (size_t at = 0; at < length; at += WORD) {
		uint64_t word = word_at(data, length, at);

		if (word) {
			add_word(packed, word);
			zeros = NULL;
		} else if (zeros && *zeros < UINT8_MAX) {
			++*zeros;
		} else {
			packed->bytes[packed->length++] = 0;
			zeros = &packed->bytes[packed->length++];
			*zeros = 0;
		}
	}
	return 0;
}

int cr_packed_append(struct cr_packed *packed, const struct cr_packed *other)
{
	if (reserve(packed, other->length) < 0)
		return -ENOMEM;
	if (other->length)
		memcpy(packed->bytes + packed->length, other->bytes,
		       other->length);
	packed->length += other->length;
	return 0;
}

void cr_packed_trim(struct cr_packed *packed)
{
	uint8_t *bytes = realloc(packed->bytes, packed->length + 1u);

	if (!bytes)
		return;
	packed->bytes = bytes;
	packed->room = packed->length + 1;
}

void cr_packed_clear(struct cr_packed *packed)
{
	free(packed->bytes);
	memset(packed, 0, sizeof(*packed));
}

struct cr_packed_cursor cr_packed_begin(const struct cr_packed *packed)
{
	return (struct cr_packed_cursor){ packed->bytes,
					  packed->bytes + packed->length };
}

uint64_t cr_packed_take_number(struct cr_packed_cursor *cursor)
{
	uint64_t number = 0;
	unsigned int shift = 0;

	while (*cursor->at & 0x80) {
		number |= (uint64_t)(*cursor->at++ & 0x7f) << shift;
		shift += 7;
	}
	return number | (uint64_t)*cursor->at++ << shift;
}

static uint64_t take_word(struct cr_packed_cursor *cursor, uint8_t mask)
{
	uint64_t word = 0;

	for (unsigned int i = 0; i < WORD; i++)
		if (mask & 1u << i)
			word |= (uint64_t)*cursor->at++ << 8 * i;
	return word;
}

void cr_packed_take_bytes(struct cr_packed_cursor *cursor, void *data,
			  size_t length)
{
	unsigned int nr_zeros = 0;

	for (size_t at = 0; at < length; at += WORD) {
		size_t left = length - at;
		uint64_t word = 0;
		uint8_t mask = 0;

		if (nr_zeros)
			nr_zeros--;
		else if ((mask = *cursor->at++) != 0)
			word = take_word(cursor, mask);
		else
			nr_zeros = *cursor->at++;
		memcpy((uint8_t *)data + at, &word, left < WORD ? left : WORD);
	}
}
