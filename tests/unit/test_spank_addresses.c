/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_addresses.c - which address takes the place of which, and how
 * other nodes are told
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "addresses.h"

#define NR(array) (sizeof(array) / sizeof(*(array)))

struct row {
	uint32_t node;
	const char *interface, *address;
	uint32_t prefix;
};

static size_t fill(const struct row *rows, size_t nr,
		   struct cr_manifest_address *addresses)
{
	size_t i;

	memset(addresses, 0, nr * sizeof(*addresses));
	for (i = 0; i < nr && rows[i].address; i++) {
		addresses[i].node = rows[i].node;
		addresses[i].prefix = rows[i].prefix;
		strcpy(addresses[i].interface, rows[i].interface);
		assert_int_equal(cr_tcp_scan(rows[i].address,
					     &addresses[i].address),
				 0);
	}
	return i;
}

static void the_best_address_takes_the_place(void **state)
{
	static const struct {
		const char *what;
		struct row was, now[3];
		const char *becomes; /* NULL: nothing */
	} cases[] = {
		{ "itself",
		  { 1, "a", "10.0.0.1:0", 24 },
		  { { 0, "a", "10.0.0.2:0", 24 }, { 0, "b", "10.0.0.1:0", 8 } },
		  "10.0.0.1:0" },
		{ "same network before same interface",
		  { 1, "a", "10.0.0.1:0", 24 },
		  { { 0, "a", "10.0.1.2:0", 24 },
		    { 0, "b", "10.0.0.2:0", 24 } },
		  "10.0.0.2:0" },
		{ "both before the first of the network",
		  { 1, "a", "10.0.0.1:0", 24 },
		  { { 0, "b", "10.0.0.3:0", 24 },
		    { 0, "a", "10.0.0.2:0", 24 } },
		  "10.0.0.2:0" },
		{ "the first of equals",
		  { 1, "a", "10.0.0.1:0", 24 },
		  { { 0, "a", "10.0.0.3:0", 24 },
		    { 0, "a", "10.0.0.2:0", 24 } },
		  "10.0.0.3:0" },
		{ "a network within a byte",
		  { 1, "a", "10.0.0.1:0", 26 },
		  { { 0, "b", "10.0.0.65:0", 26 },
		    { 0, "b", "10.0.0.62:0", 26 } },
		  "10.0.0.62:0" },
		{ "same interface",
		  { 1, "a", "10.0.0.1:0", 24 },
		  { { 0, "b", "10.0.1.2:0", 24 },
		    { 0, "a", "10.0.2.2:0", 24 } },
		  "10.0.2.2:0" },
		{ "the only one of its family",
		  { 1, "a", "10.0.0.1:0", 24 },
		  { { 0, "a", "[fd00::1]:0", 64 },
		    { 0, "b", "10.0.2.2:0", 24 } },
		  "10.0.2.2:0" },
		{ "not one of several",
		  { 1, "a", "10.0.0.1:0", 24 },
		  { { 0, "c", "10.0.1.2:0", 24 },
		    { 0, "b", "10.0.2.2:0", 24 } },
		  NULL },
		{ "no other family",
		  { 1, "a", "10.0.0.1:0", 24 },
		  { { 0, "a", "[fd00::1]:0", 64 } },
		  NULL },
		{ "IPv6",
		  { 1, "a", "[fd00::1]:0", 64 },
		  { { 0, "b", "[fd00:0:0:1::1]:0", 64 },
		    { 0, "b", "[fd00::2]:0", 64 } },
		  "[fd00::2]:0" },
		{ "another node's",
		  { 0, "a", "10.0.0.1:0", 24 },
		  { { 0, "a", "10.0.0.2:0", 24 } },
		  NULL },
	};
	char text[CR_TCP_ADDRESS_TEXT];

	(void)state;
	for (size_t i = 0; i < NR(cases); i++) {
		struct cr_manifest_address was, now[3];
		const struct cr_manifest manifest = {
			.addresses = &was,
			.nr_addresses = fill(&cases[i].was, 1, &was),
		};
		size_t nr_now = fill(cases[i].now, 3, now), nr = 99;
		struct cr_address_move *moves;

		assert_int_equal(cr_addresses_move(&manifest, 1, now, nr_now,
						   &moves, &nr, NULL),
				 0);
		if (nr != (size_t) !!cases[i].becomes ||
		    (nr && strcmp(cr_tcp_print(&moves[0].move.to, text),
				  cases[i].becomes) != 0))
			fail_msg("%s: %zu, %s", cases[i].what, nr,
				 nr ? text : "");
		free(moves);
	}
}

static void only_addresses_of_connections_are_used(void **state)
{
	struct cr_manifest_end end = { .node = 0 };
	const struct cr_manifest manifest = { .ends = &end, .nr_ends = 1 };
	struct cr_address_move of_0 = { .node = 0 }, of_1 = { .node = 1 };

	(void)state;
	cr_tcp_scan("10.0.0.1:40", &end.end.local);
	cr_tcp_scan("10.0.0.2:50", &end.end.remote);
	cr_tcp_scan("10.0.0.1:0", &of_0.move.from);
	of_1.move = of_0.move;
	assert_true(cr_addresses_is_used(&manifest, &of_0));
	assert_false(cr_addresses_is_used(&manifest, &of_1));
	cr_tcp_scan("10.0.0.2:0", &of_0.move.from);
	of_1.move = of_0.move;
	assert_false(cr_addresses_is_used(&manifest, &of_0));
	assert_true(cr_addresses_is_used(&manifest, &of_1));
	cr_tcp_scan("10.0.0.3:0", &of_0.move.from);
	assert_false(cr_addresses_is_used(&manifest, &of_0));
}

static void a_node_is_told_where_its_ends_lead_to_and_nothing_else(void **state)
{
	static const struct {
		uint32_t node;
		const char *remote;
	} ends[] = {
		{ 2, "10.0.0.1:40" }, { 1, "10.0.0.2:50" },
		{ 1, "10.0.0.2:51" }, { 1, "10.0.0.9:50" },
		{ 0, "10.0.0.3:50" }, { 1, "10.0.0.3:60" },
	};
	/* two nodes had 10.0.0.3 */
	static const char *const from[] = { "10.0.0.3:0", "10.0.0.2:0",
					    "10.0.0.1:0", "10.0.0.3:0" };
	static const struct {
		uint32_t node;
		size_t move;
	} expected[] = { { 0, 0 }, { 0, 3 }, { 1, 0 },
			 { 1, 1 }, { 1, 3 }, { 2, 2 } };
	struct cr_manifest_end all[NR(ends)] = { 0 };
	const struct cr_manifest manifest = { .ends = all,
					      .nr_ends = NR(ends) };
	struct cr_address_move moves[NR(from)] = { 0 };
	struct cr_address_route *routes;
	size_t nr;

	(void)state;
	for (size_t i = 0; i < NR(ends); i++) {
		all[i].node = ends[i].node;
		cr_tcp_scan(ends[i].remote, &all[i].end.remote);
	}
	for (size_t i = 0; i < NR(from); i++)
		cr_tcp_scan(from[i], &moves[i].move.from);
	assert_int_equal(cr_addresses_route(&manifest, moves, NR(moves),
					    &routes, &nr, NULL),
			 0);
	assert_int_equal(nr, NR(expected));
	for (size_t i = 0; i < nr; i++) {
		assert_int_equal(routes[i].node, expected[i].node);
		assert_ptr_equal(routes[i].move, &moves[expected[i].move]);
	}
	free(routes);
	assert_int_equal(cr_addresses_route(&manifest, NULL, 0, &routes, &nr,
					    NULL),
			 0);
	assert_int_equal(nr, 0);
	free(routes);
}

static void moves_are_told_in_as_many_texts_as_it_takes(void **state)
{
	struct cr_address_move moves[100], again[100];
	size_t next = 0, nr = 0, texts = 0;
	char text[512], address[32];

	(void)state;
	for (size_t i = 0; i < NR(moves); i++) {
		snprintf(address, sizeof(address), "[fd00::%zx]:0", i);
		moves[i].node = (uint32_t)(i * 600);
		cr_tcp_scan(address, &moves[i].move.from);
		snprintf(address, sizeof(address), "10.0.0.%zu:0", i);
		cr_tcp_scan(address, &moves[i].move.to);
	}
	while (cr_addresses_print(moves, NR(moves), &next, text,
				  sizeof(text))) {
		assert_in_range(strlen(text), 1, sizeof(text) - 1);
		assert_int_equal(cr_addresses_scan(text, again, &nr, NR(again)),
				 0);
		texts++;
	}
	assert_in_range(texts, 2, 20);
	assert_int_equal(nr, NR(moves));
	assert_memory_equal(again, moves, sizeof(moves));
}

static void a_text_that_is_none_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"1/10.0.0.1:0",
		"1/10.0.0.1:0>",
		"1/>10.0.0.1:0",
		"/10.0.0.1:0>10.0.0.2:0",
		"10.0.0.1:0>10.0.0.2:0",
		"1 /10.0.0.1:0>10.0.0.2:0",
		"-1/10.0.0.1:0>10.0.0.2:0",
		"4294967297/10.0.0.1:0>10.0.0.2:0",
		"1/10.0.0.1:0>10.0.0.2:0 ",
		"1/10.0.0.1:0>10.0.0.2:0>10.0.0.3:0",
		"1/10.0.0.1:0,10.0.0.2:0",
	};
	struct cr_address_move moves[2];
	char longest[600];
	size_t nr = 0;

	(void)state;
	for (size_t i = 0; i < NR(bad); i++) {
		assert_int_equal(cr_addresses_scan(bad[i], moves, &nr, 2),
				 -EBADMSG);
		assert_int_equal(nr, 0);
	}
	memset(longest, '1', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(cr_addresses_scan(longest, moves, &nr, 2), -EBADMSG);
	assert_int_equal(cr_addresses_scan("1/10.0.0.1:0>10.0.0.2:0 "
					   "2/10.0.0.1:0>10.0.0.2:0 "
					   "3/10.0.0.1:0>10.0.0.2:0",
					   moves, &nr, 2),
			 -E2BIG);
	assert_int_equal(nr, 0);
}

static void what_is_listed_can_be_meant_by_others(void **state)
{
	struct cr_manifest_address *addresses;
	char text[CR_TCP_ADDRESS_TEXT];
	size_t nr;

	(void)state;
	assert_int_equal(cr_addresses_list(7, &addresses, &nr, NULL), 0);
	for (size_t i = 0; i < nr; i++) {
		cr_tcp_print(&addresses[i].address, text);
		assert_int_equal(addresses[i].node, 7);
		assert_false(cr_tcp_is_loopback(&addresses[i].address));
		assert_null(strstr(text, "[fe80:"));
		assert_in_range(addresses[i].prefix, 1, 128);
		assert_int_not_equal(addresses[i].interface[0], 0);
	}
	free(addresses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_address_takes_the_place),
		cmocka_unit_test(only_addresses_of_connections_are_used),
		cmocka_unit_test(
			a_node_is_told_where_its_ends_lead_to_and_nothing_else),
		cmocka_unit_test(moves_are_told_in_as_many_texts_as_it_takes),
		cmocka_unit_test(a_text_that_is_none_is_refused),
		cmocka_unit_test(what_is_listed_can_be_meant_by_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
