/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_error.c - errors are one line, whatever they tell of
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cr_error.h"

#define NAME "a\n12.0: restarted \033[2J\177"
#define SHOWN "a?12.0: restarted ?[2J?"

static void names_make_no_lines_of_their_own(void **state)
{
	struct cr_error err = { 0 };

	(void)state;
	assert_int_equal(cr_error_set(&err, -ESTALE, "%s", NAME), -ESTALE);
	assert_string_equal(err.text, SHOWN);
	errno = ENOENT;
	assert_int_equal(cr_error_errno(&err, "%s", NAME), -ENOENT);
	assert_string_equal(err.text, SHOWN ": No such file or directory");
	cr_error_set(&err, -ESTALE, "gone");
	assert_int_equal(cr_error_prefix(&err, "%s", NAME), -ESTALE);
	assert_string_equal(err.text, SHOWN ": gone");
}

static void letters_of_all_languages_stay(void **state)
{
	struct cr_error err = { 0 };

	(void)state;
	cr_error_set(&err, -ESTALE, "%s", "Größe 大");
	assert_string_equal(err.text, "Größe 大");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_make_no_lines_of_their_own),
		cmocka_unit_test(letters_of_all_languages_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
