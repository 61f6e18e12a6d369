/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_failures.c - which failed checkpoints the user is told of
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "failures.h"

static const struct cr_error full = { -ENOSPC, "no space" };
static const struct cr_error device = { -EOPNOTSUPP, "a device" };
static const struct cr_error passing = { -EAGAIN, "not all have begun" };

static void the_same_reason_is_told_once(void **state)
{
	struct cr_failures failures = { 0 };

	(void)state;
	assert_true(cr_failures_tell(&failures, &full, 0));
	assert_false(cr_failures_tell(&failures, &full, 0));
	assert_true(cr_failures_tell(&failures, &device, 0));
	assert_true(cr_failures_tell(&failures, &full, 0));
	cr_failures_forget(&failures);
	assert_true(cr_failures_tell(&failures, &full, 0));
}

static void a_final_one_is_always_told(void **state)
{
	struct cr_failures failures = { 0 };

	(void)state;
	assert_true(cr_failures_tell(&failures, &full, 0));
	assert_true(cr_failures_tell(&failures, &full, 1));
	assert_true(cr_failures_tell(&failures, &passing, 1));
}

static void what_passes_is_told_when_it_does_not(void **state)
{
	struct cr_failures failures = { 0 };

	(void)state;
	assert_false(cr_failures_tell(&failures, &passing, 0));
	assert_true(cr_failures_tell(&failures, &passing, 0));
	assert_false(cr_failures_tell(&failures, &passing, 0));
	cr_failures_forget(&failures);
	assert_false(cr_failures_tell(&failures, &passing, 0));
	assert_true(cr_failures_tell(&failures, &full, 0));
	assert_false(cr_failures_tell(&failures, &passing, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_reason_is_told_once),
		cmocka_unit_test(a_final_one_is_always_told),
		cmocka_unit_test(what_passes_is_told_when_it_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
