/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_mpirun.c - orders between the nodes of an mpirun, and their ports
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "mpirun.h"

#include <errno.h>
#include <string.h>

static const struct mpirun_order order = { .kind = MPIRUN_RUN,
					   .step = "12.3",
					   .command = "orted -x 'a b'" };

static void an_order_is_read_as_it_was_written(void **state)
{
	struct mpirun_order seen;
	char bytes[64];
	size_t n = mpirun_order_write(&order, bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(n, 1 + 5 + 15);
	assert_int_equal(mpirun_order_read(bytes, n, &seen), 0);
	assert_int_equal(seen.kind, MPIRUN_RUN);
	assert_string_equal(seen.step, order.step);
	assert_string_equal(seen.command, order.command);
}

static void an_order_does_not_fit_into_less_than_it_needs(void **state)
{
	char bytes[64];

	(void)state;
	for (size_t size = 0; size < 1 + 5 + 15; size++)
		assert_int_equal(mpirun_order_write(&order, bytes, size), 0);
}

static void every_truncation_is_refused(void **state)
{
	char bytes[64], *exact;
	size_t n = mpirun_order_write(&order, bytes, sizeof(bytes));
	struct mpirun_order seen;

	(void)state;
	for (size_t length = 0; length < n; length++) {
		exact = malloc(length + !length);
		memcpy(exact, bytes, length);
		assert_int_equal(mpirun_order_read(exact, length, &seen),
				 -EBADMSG);
		free(exact);
	}
}

static void what_is_no_order_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} cases[] = {
		{ "X12.3\0ls", 9 }, /* no such kind */
		{ "R12.3", 6 }, /* no command */
		{ "R12.3\0ls\0more", 14 }, /* something after it */
		{ "R0123456789012345678901234567890.12\0ls", 39 }, /* step */
	};
	struct mpirun_order seen;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(mpirun_order_read(cases[i].bytes,
						   cases[i].length, &seen),
				 -EBADMSG);
}

static void the_ports_of_a_step_differ_and_are_not_the_kernels(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < MPIRUN_NR_PORTS; i++) {
		assert_true(mpirun_port("12.3", i) >= 61000);
		for (unsigned int j = 0; j < i; j++)
			assert_int_not_equal(mpirun_port("12.3", i),
					     mpirun_port("12.3", j));
	}
}

/* A packet comes in pieces of any size. */
static void a_packet_is_put_together_byte_by_byte(void **state)
{
	static const char packet[] = "\5\0\0\0munge";
	struct mpirun_connection *connection = calloc(1, sizeof(*connection));
	int pair[2];

	(void)state;
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), errno);
	connection->fd = pair[0];
	for (int i = 0; i < 9; i++) {
		assert_int_equal(mpirun_connection_read(connection), 0);
		assert_int_equal(write(pair[1], packet + i, 1), 1);
	}
	assert_int_equal(mpirun_connection_read(connection), 1);
	assert_string_equal(connection->text, "munge");
	assert_int_equal(mpirun_connection_read(connection), 0);
	close(pair[1]);
	assert_int_equal(mpirun_connection_read(connection), -ECONNRESET);
	mpirun_connection_close(connection);
}

static void a_packet_of_a_bad_length_ends_the_connection(void **state)
{
	static const char *const lengths[] = { "\0\0\0\0", "\0\0\0\x7f" };
	struct mpirun_connection *connection;
	int pair[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		connection = calloc(1, sizeof(*connection));
		assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, pair),
				   errno);
		connection->fd = pair[0];
		assert_int_equal(write(pair[1], lengths[i], 4), 4);
		assert_int_equal(mpirun_connection_read(connection), -EBADMSG);
		mpirun_connection_close(connection);
		close(pair[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_order_is_read_as_it_was_written),
		cmocka_unit_test(an_order_does_not_fit_into_less_than_it_needs),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(what_is_no_order_is_refused),
		cmocka_unit_test(
			the_ports_of_a_step_differ_and_are_not_the_kernels),
		cmocka_unit_test(a_packet_is_put_together_byte_by_byte),
		cmocka_unit_test(a_packet_of_a_bad_length_ends_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
