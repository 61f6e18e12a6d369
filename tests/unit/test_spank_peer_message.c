/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_peer_message.c - messages between agents: what is written is
 * read, and everything else is refused
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "peer_message.h"
#include "step_fsm.h"

#define FIXED 106 /* bytes before the text */

static const struct cr_peer_message sample = {
	.type = CR_PEER_FAILED,
	.job = 12,
	.step = 0xfffffffau,
	.from = 3,
	.to = 0,
	.nonce = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255 },
	.session = 0x1122334455667788ull,
	.sequence = 7,
	.round = 2,
	.generation = 4,
	.barrier = CR_BARRIER_SAVED,
	.flags = CR_PEER_FINAL,
	.value = -28,
	.count = 1ull << 40,
	.bytes_done = 5,
	.bytes_total = 1ull << 63,
	.text = "No space left on device",
};

static void what_is_written_is_read(void **state)
{
	uint8_t bytes[CR_PEER_BYTES_MAX];
	struct cr_peer_message m;
	size_t length = cr_peer_encode(&sample, bytes);

	(void)state;
	assert_int_equal(length, FIXED + strlen(sample.text));
	assert_int_equal(cr_peer_decode(bytes, length, &m, NULL), 0);
	assert_memory_equal(&m, &sample, sizeof(m));
}

static void the_longest_fits(void **state)
{
	uint8_t bytes[CR_PEER_BYTES_MAX];
	struct cr_peer_message m = sample;
	size_t length;

	(void)state;
	memset(m.text, 'x', sizeof(m.text)); /* not even ended */
	length = cr_peer_encode(&m, bytes);
	assert_true(length <= CR_PEER_BYTES_MAX);
	assert_int_equal(cr_peer_decode(bytes, length, &m, NULL), 0);
	assert_int_equal(strlen(m.text), sizeof(m.text) - 1);
}

static void every_other_length_is_refused(void **state)
{
	uint8_t bytes[CR_PEER_BYTES_MAX + 8] = { 0 };
	struct cr_peer_message m, zero = { 0 };
	size_t length = cr_peer_encode(&sample, bytes);

	(void)state;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		if (n == length)
			continue;
		assert_int_equal(cr_peer_decode(bytes, n, &m, NULL), -EBADMSG);
		assert_memory_equal(&m, &zero, sizeof(m));
	}
}

/* Any change of any byte is read as something valid, or refused. */
static void no_byte_leads_astray(void **state)
{
	uint8_t bytes[CR_PEER_BYTES_MAX], again[CR_PEER_BYTES_MAX];
	size_t length = cr_peer_encode(&sample, bytes);
	struct cr_peer_message m;

	(void)state;
	for (size_t i = 0; i < length; i++)
		for (int change = 1; change < 256; change++) {
			bytes[i] ^= (uint8_t)change;
			if (!cr_peer_decode(bytes, length, &m, NULL)) {
				assert_int_equal(cr_peer_encode(&m, again),
						 length);
				assert_memory_equal(again, bytes, length);
			}
			bytes[i] ^= (uint8_t)change;
		}
}

static void senseless_fields_are_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} cases[] = {
		{ 0, 'X' }, /* magic */
		{ 4, 2 }, /* version */
		{ 8, 0 }, /* type */
		{ 8, CR_NR_PEER_TYPES },
		{ 68, CR_NR_BARRIERS },
		{ 72, 4 }, /* flags */
		{ 103, 0 }, /* less in all than done */
		{ FIXED, '\n' },
		{ FIXED, 0 },
		{ FIXED + 1, 127 },
	};
	uint8_t bytes[CR_PEER_BYTES_MAX];
	struct cr_peer_message m;
	struct cr_error err;
	size_t length;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		length = cr_peer_encode(&sample, bytes);
		bytes[cases[i].at] = cases[i].value;
		if (cr_peer_decode(bytes, length, &m, &err) != -EBADMSG)
			fail_msg("case %zu is taken", i);
		assert_true(strlen(err.text) > 10);
	}
}

static void text_is_made_printable(void **state)
{
	uint8_t bytes[CR_PEER_BYTES_MAX];
	struct cr_peer_message m = sample;

	(void)state;
	strcpy(m.text, "a\nb\033[2J");
	assert_int_equal(cr_peer_decode(bytes, cr_peer_encode(&m, bytes), &m,
					NULL),
			 0);
	assert_string_equal(m.text, "a?b?[2J");
}

/* --- who may say it --- */

static const struct cr_peer_expect expected = {
	.job = 12,
	.step = 0xfffffffau,
	.from = 3,
	.to = 0,
	.nr_nodes = 4,
	.nonce = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255 },
	.session = 0x1122334455667788ull,
	.last_sequence = 6,
};

static void the_next_one_of_the_peer_is_taken(void **state)
{
	struct cr_peer_expect expect = expected;

	(void)state;
	assert_int_equal(cr_peer_check(&expect, &sample, NULL), 0);
	assert_int_equal(expect.last_sequence, 7);
}

static void what_was_heard_before_is_refused(void **state)
{
	struct cr_peer_expect expect = expected;
	struct cr_peer_message m = sample;

	(void)state;
	assert_int_equal(cr_peer_check(&expect, &m, NULL), 0);
	assert_int_equal(cr_peer_check(&expect, &m, NULL), -EALREADY);
	m.sequence = 3;
	assert_int_equal(cr_peer_check(&expect, &m, NULL), -EALREADY);
	/* one that was dropped in between is no reason to refuse the next */
	m.sequence = 9;
	assert_int_equal(cr_peer_check(&expect, &m, NULL), 0);
}

static void what_is_foreign_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		struct cr_peer_expect expect = expected;
		struct cr_peer_message m = sample;

		m.job += i == 0;
		m.step += i == 1;
		m.from -= i == 2; /* another node's, over this connection */
		m.to += i == 3; /* for another node, sent on */
		m.nonce[15] ^= i == 4; /* of an earlier run */
		m.session ^= i == 5; /* of an earlier connection */
		m.from = i == 6 ? 0 : m.from; /* our own, sent back */
		m.session = i == 7 ? 0 : m.session;
		assert_int_equal(cr_peer_check(&expect, &m, NULL), -EPERM);
		assert_int_equal(expect.last_sequence, 6);
	}
}

static void a_hello_may_come_from_any_other_node(void **state)
{
	(void)state;
	for (uint32_t from = 0; from < 6; from++) {
		struct cr_peer_expect expect = expected;
		struct cr_peer_message m = sample;

		expect.any_from = 1;
		expect.session = 0;
		m.from = from;
		assert_int_equal(cr_peer_check(&expect, &m, NULL),
				 from >= 1 && from < 4 ? 0 : -EPERM);
	}
}

static void all_types_have_names(void **state)
{
	(void)state;
	for (uint32_t type = 1; type < CR_NR_PEER_TYPES; type++)
		assert_string_not_equal(cr_peer_type_name(type), "?");
	assert_string_equal(cr_peer_type_name(CR_NR_PEER_TYPES), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(the_longest_fits),
		cmocka_unit_test(every_other_length_is_refused),
		cmocka_unit_test(no_byte_leads_astray),
		cmocka_unit_test(senseless_fields_are_refused),
		cmocka_unit_test(text_is_made_printable),
		cmocka_unit_test(the_next_one_of_the_peer_is_taken),
		cmocka_unit_test(what_was_heard_before_is_refused),
		cmocka_unit_test(what_is_foreign_is_refused),
		cmocka_unit_test(a_hello_may_come_from_any_other_node),
		cmocka_unit_test(all_types_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
