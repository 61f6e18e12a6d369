/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_packed.c - what is packed comes back, and takes little memory
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "random.h"
#include "runs.h"
#include "vma_list.h"

#define NR 2000
#define LENGTH_MAX 5000u

static void numbers_come_back(void **state)
{
	static const uint64_t numbers[] = {
		0,	1,	    0x7f,	0x80,	   0x3fff,
		0x4000, 1ull << 62, 1ull << 63, UINT64_MAX
	};
	const size_t nr = sizeof(numbers) / sizeof(numbers[0]);
	struct cr_packed packed = { 0 };
	struct cr_packed_cursor cursor;

	(void)state;
	for (size_t i = 0; i < nr; i++)
		assert_int_equal(cr_packed_add_number(&packed, numbers[i]), 0);
	cr_packed_trim(&packed);
	cursor = cr_packed_begin(&packed);
	for (size_t i = 0; i < nr; i++)
		assert_true(cr_packed_take_number(&cursor) == numbers[i]);
	assert_ptr_equal(cursor.at, cursor.end);
	cr_packed_clear(&packed);
}

/* Zeros in runs of every kind, other bytes between. */
static size_t make_bytes(uint8_t *bytes)
{
	size_t length = random_below(LENGTH_MAX);
	uint32_t density = random_below(20);

	memset(bytes, 0, LENGTH_MAX);
	for (size_t i = 0; i < length; i++)
		if (random_below(20) < density)
			bytes[i] = (uint8_t)random_below(256);
	if (length && density < 10)
		memset(bytes, 0, random_below((uint32_t)length));
	return length;
}

static void bytes_of_any_length_come_back(void **state)
{
	static uint8_t bytes[LENGTH_MAX], back[LENGTH_MAX];

	(void)state;
	for (int i = 0; i < NR; i++) {
		struct cr_packed packed = { 0 };
		struct cr_packed_cursor cursor;
		size_t length = make_bytes(bytes);

		assert_int_equal(cr_packed_add_bytes(&packed, bytes, length),
				 0);
		assert_int_equal(cr_packed_add_number(&packed, length), 0);
		cursor = cr_packed_begin(&packed);
		cr_packed_take_bytes(&cursor, back, length);
		assert_memory_equal(back, bytes, length);
		assert_true(cr_packed_take_number(&cursor) == length);
		assert_ptr_equal(cursor.at, cursor.end);
		cr_packed_clear(&packed);
	}
}

static void whole_words_may_be_taken_with_what_follows(void **state)
{
	const uint64_t words[] = { 0, 0, 5, 0 };
	struct cr_packed packed = { 0 }, other = { 0 };
	struct cr_packed_cursor cursor;
	uint8_t back[2 * sizeof(words) + 3];

	(void)state;
	assert_int_equal(cr_packed_add_bytes(&other, words, sizeof(words)), 0);
	assert_int_equal(cr_packed_append(&packed, &other), 0);
	cr_packed_clear(&other);
	assert_int_equal(cr_packed_append(&packed, &other), 0); /* empty */
	assert_int_equal(cr_packed_add_bytes(&packed, words, sizeof(words)), 0);
	assert_int_equal(cr_packed_add_bytes(&packed, "abc", 3), 0);
	cursor = cr_packed_begin(&packed);
	cr_packed_take_bytes(&cursor, back, sizeof(back));
	assert_memory_equal(back, words, sizeof(words));
	assert_memory_equal(back + sizeof(words), words, sizeof(words));
	assert_memory_equal(back + 2 * sizeof(words), "abc", 3);
	assert_ptr_equal(cursor.at, cursor.end);
	cr_packed_clear(&packed);
}

static void zeros_take_no_memory(void **state)
{
	static const uint8_t zeros[1u << 16];
	struct cr_packed packed = { 0 };

	(void)state;
	assert_int_equal(cr_packed_add_bytes(&packed, zeros, sizeof(zeros)), 0);
	assert_in_range(packed.length, 1, 64);
	cr_packed_clear(&packed);
}

static struct cr_save_vma make_vma(uint64_t from)
{
	struct cr_save_vma vma = { 0 };
	struct cr_wire_vma *wire = &vma.wire;

	wire->start = from + random_below(2) * random_below(1u << 20) *
				     (uint64_t)CR_WIRE_PAGE;
	wire->end = wire->start +
		    (1 + random_below(1u << 20)) * (uint64_t)CR_WIRE_PAGE;
	wire->prot = random_below(8);
	wire->map_flags = random_below(2) ? MAP_PRIVATE :
					    MAP_SHARED | MAP_HUGETLB |
						    21u << MAP_HUGE_SHIFT;
	wire->kind = 1 + random_below(CR_VMA_VVAR);
	wire->advice = random_below(2) ? 0 : random_below(1u << 10);
	wire->file = random_below(3);
	wire->offset =
		random_below(4) ? 0 : (uint64_t)random_below(99999) << 12;
	wire->space = wire->kind == CR_VMA_SHMEM ? 1 + random_below(900) : 0;
	vma.may_share = (int)random_below(2);
	vma.has_pages = (int)random_below(2);
	return vma;
}

static void mappings_come_back(void **state)
{
	static struct cr_save_vma vmas[NR];
	struct cr_vma_list list = { 0 };
	struct cr_vma_writer writer = { .list = &list };
	struct cr_vma_cursor cursor;
	uint64_t from = 0x400000;

	(void)state;
	for (uint32_t i = 0; i < NR; i++) {
		vmas[i] = make_vma(from);
		from = vmas[i].wire.end;
		assert_int_equal(cr_vma_writer_add(&writer, &vmas[i]), 0);
	}
	cr_vma_list_trim(&list);
	for (uint32_t i = 0; i < NR; i++) {
		if (random_below(3))
			continue;
		vmas[i].wire.space = 1 + random_below(100000);
		vmas[i].is_scanned = 1;
		assert_int_equal(cr_vma_list_set_family(&list, i,
							vmas[i].wire.space),
				 0);
	}
	cr_vma_begin(&list, &cursor);
	for (uint32_t i = 0; i < NR; i++) {
		assert_int_equal(cr_vma_next(&cursor), 1);
		assert_int_equal(cursor.index, i);
		assert_memory_equal(&cursor.vma, &vmas[i], sizeof(vmas[i]));
	}
	assert_int_equal(cr_vma_next(&cursor), 0);
	cr_vma_list_clear(&list);
	cr_vma_begin(&list, &cursor);
	assert_int_equal(cr_vma_next(&cursor), 0);
}

static void runs_come_back_joined(void **state)
{
	struct cr_run_list list = { 0 };
	struct cr_runs all = { 0 }, back = { 0 };
	uint64_t address = 0;

	(void)state;
	for (int i = 0; i < NR; i++) {
		uint64_t length = (1 + random_below(9)) * CR_WIRE_PAGE;

		address += random_below(2) * random_below(1u << 20) *
			   (uint64_t)CR_WIRE_PAGE;
		assert_int_equal(cr_runs_add(&all, address, length), 0);
		assert_int_equal(cr_run_list_add(&list, address, length), 0);
		address += length;
	}
	assert_int_equal(cr_run_list_get(&list, &back), 0);
	assert_int_equal(back.nr, all.nr);
	assert_memory_equal(back.runs, all.runs, all.nr * sizeof(*all.runs));
	assert_true(list.packed.length < all.nr * 6);
	cr_run_list_clear(&list);
	cr_runs_clear(&all);
	cr_runs_clear(&back);
	assert_int_equal(cr_run_list_get(&list, &back), 0);
	assert_int_equal(back.nr, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_come_back),
		cmocka_unit_test(bytes_of_any_length_come_back),
		cmocka_unit_test(whole_words_may_be_taken_with_what_follows),
		cmocka_unit_test(zeros_take_no_memory),
		cmocka_unit_test(mappings_come_back),
		cmocka_unit_test(runs_come_back_joined),
	};

	random_state = 4711;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
