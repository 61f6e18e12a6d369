/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_spank_retry.c - how often a restart has failed, see retry.h */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "retry.h"

static char folder[32];
static int dirfd;

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/cr-retry-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	dirfd = open(folder, O_RDONLY | O_DIRECTORY);
	return dirfd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	cr_retry_clear(dirfd);
	close(dirfd);
	return rmdir(folder);
}

static void runs_are_counted_once_each(void **state)
{
	struct cr_error err = { 0 };

	(void)state;
	assert_int_equal(cr_retry_count(dirfd), 0);
	for (uint32_t run = 5; run < 8; run++) {
		assert_int_equal(cr_retry_note(dirfd, run, &err), 0);
		assert_int_equal(cr_retry_note(dirfd, run, &err), 0);
		assert_int_equal(cr_retry_count(dirfd), run - 4);
		assert_true(cr_retry_is_noted(dirfd, run));
		assert_false(cr_retry_is_noted(dirfd, run - 1));
	}
	cr_retry_clear(dirfd);
	assert_int_equal(cr_retry_count(dirfd), 0);
	assert_false(cr_retry_is_noted(dirfd, 7));
	assert_false(cr_retry_is_noted(dirfd, 0));
}

static void what_is_no_count_is_none(void **state)
{
	static const char *const texts[] = { "", "x", "-1", "3", "1 x" };
	struct cr_error err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		int fd = openat(dirfd, "retries", O_WRONLY | O_CREAT | O_TRUNC,
				0600);

		assert_int_equal(write(fd, texts[i], strlen(texts[i])),
				 strlen(texts[i]));
		close(fd);
		assert_int_equal(cr_retry_count(dirfd), 0);
	}
	assert_int_equal(cr_retry_note(dirfd, 1, &err), 0);
	assert_int_equal(cr_retry_count(dirfd), 1);
}

static void a_link_is_not_followed(void **state)
{
	(void)state;
	assert_int_equal(symlinkat("/etc/hostname", dirfd, "retries"), 0);
	assert_int_equal(cr_retry_count(dirfd), 0);
}

static void a_count_that_cannot_be_kept_is_an_error(void **state)
{
	struct cr_error err = { 0 };

	(void)state;
	assert_int_equal(cr_retry_note(-1, 1, &err), -EBADF);
	assert_string_not_equal(err.text, "");
}

static void damage_does_not_pass(void **state)
{
	static const int stays[] = { EBADMSG,	      ENODATA, EPERM,	 ESTALE,
				     EPROTONOSUPPORT, EINVAL,  ECANCELED };
	static const int passes[] = { ECONNRESET, ETIMEDOUT, EADDRINUSE,
				      ENOSPC,	  ENOMEM,    ENOEXEC };

	(void)state;
	for (size_t i = 0; i < sizeof(stays) / sizeof(*stays); i++)
		assert_false(cr_retry_may_pass(-stays[i]));
	for (size_t i = 0; i < sizeof(passes) / sizeof(*passes); i++)
		assert_true(cr_retry_may_pass(-passes[i]));
	assert_false(cr_retry_may_pass(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(runs_are_counted_once_each,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_count_is_none, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_link_is_not_followed, setup,
						teardown),
		cmocka_unit_test(a_count_that_cannot_be_kept_is_an_error),
		cmocka_unit_test(damage_does_not_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
