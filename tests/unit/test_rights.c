/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_rights.c - which credentials are more than a user's own
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/securebits.h>
#include <cmocka.h>

#include "rights.h"

#define USER 1000u
#define GROUP 100u
#define OTHER 5u

static struct cr_wire_creds plain(void)
{
	return (struct cr_wire_creds){
		.ruid = USER,
		.euid = USER,
		.suid = USER,
		.fsuid = USER,
		.rgid = GROUP,
		.egid = GROUP,
		.sgid = GROUP,
		.fsgid = GROUP,
	};
}

static int exceeds(const struct cr_wire_creds *creds)
{
	char text[64];

	return cr_rights_exceed(creds, USER, text, sizeof(text));
}

static void a_user_has_their_own_rights(void **state)
{
	struct cr_wire_creds creds = plain();

	(void)state;
	assert_false(exceeds(&creds));
	/* what may come back by exec(2) only */
	creds.cap_bounding = ~0ull;
	assert_false(exceeds(&creds));
	/* that of a program which has given its setgid rights up */
	creds.sgid = OTHER;
	assert_false(exceeds(&creds));
	/* newgrp(1) */
	creds.rgid = creds.egid = creds.sgid = creds.fsgid = OTHER;
	assert_false(exceeds(&creds));
}

static void any_other_uid_is_more(void **state)
{
	struct cr_wire_creds creds[4] = { plain(), plain(), plain(), plain() };

	(void)state;
	creds[0].ruid = creds[1].euid = creds[2].suid = creds[3].fsuid = 0;
	for (int i = 0; i < 4; i++)
		assert_true(exceeds(&creds[i]));
}

static void a_setgid_program_has_more(void **state)
{
	struct cr_wire_creds creds = plain();

	(void)state;
	creds.egid = creds.fsgid = creds.sgid = OTHER;
	assert_true(exceeds(&creds));
	creds = plain();
	creds.fsgid = OTHER;
	assert_true(exceeds(&creds));
}

static void a_capability_is_more(void **state)
{
	struct cr_wire_creds creds = plain();

	(void)state;
	creds.cap_permitted = 1ull << 13;
	assert_true(exceeds(&creds));
}

/* A setuid program that cannot give up its rights is dangerous; and these are
 * what a process tells of itself, in which another of its user may meddle. */
static void securebits_are_more(void **state)
{
	struct cr_wire_creds creds = plain();

	(void)state;
	creds.securebits = SECBIT_KEEP_CAPS;
	assert_false(exceeds(&creds));
	creds.securebits = SECBIT_NO_SETUID_FIXUP;
	assert_true(exceeds(&creds));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_has_their_own_rights),
		cmocka_unit_test(any_other_uid_is_more),
		cmocka_unit_test(a_setgid_program_has_more),
		cmocka_unit_test(a_capability_is_more),
		cmocka_unit_test(securebits_are_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
