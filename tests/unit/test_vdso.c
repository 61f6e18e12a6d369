/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_vdso.c - a saved vdso leads to this kernel's, or to system calls
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "vdso.h"

#define LENGTH 8192u /* of the vdso: two pages in all kernels since 3.15 */

typedef int (*clock_fn)(clockid_t clock, struct timespec *now);

/* A copy of our vdso that may be written and run; skips without one. */
static uint8_t *copy_of_own(void)
{
	const void *own = (void *)getauxval(AT_SYSINFO_EHDR);
	uint8_t *copy;

	if (!own)
		skip();
	copy = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(copy, MAP_FAILED);
	memcpy(copy, own, LENGTH);
	return copy;
}

/* Where the patch begins: the only place that a jump was written to for the
 * clock is found by comparing with an unpatched copy. */
static size_t first_difference(const uint8_t *a, const uint8_t *b)
{
	for (size_t i = 0; i < LENGTH; i++)
		if (a[i] != b[i])
			return i;
	return LENGTH;
}

static void functions_jump_to_our_own_vdso(void **state)
{
	const uint8_t *own = (void *)getauxval(AT_SYSINFO_EHDR);
	uint8_t *copy = copy_of_own();
	struct cr_error err = { 0 };
	uint64_t target;
	size_t at;

	(void)state;
	assert_return_code(cr_vdso_patch(copy, LENGTH, own, LENGTH,
					 (uint64_t)own, &err),
			   0);
	at = first_difference(copy, own);
	assert_in_range(at, 1, LENGTH - 12);
	/* movabs may begin with bytes that were there: find it around */
	while (at > 0 && !(copy[at] == 0x48 && copy[at + 1] == 0xb8))
		at--;
	memcpy(&target, copy + at + 2, sizeof(target));
	assert_int_equal(target, (uint64_t)own + at);
	assert_int_equal(copy[at + 10], 0xff);
	assert_int_equal(copy[at + 11], 0xe0);
	munmap(copy, LENGTH);
}

static void functions_become_system_calls_without_a_vdso(void **state)
{
	const uint8_t *own = (void *)getauxval(AT_SYSINFO_EHDR);
	uint8_t *copy = copy_of_own();
	struct cr_error err = { 0 };
	struct timespec before, now = { 0 };
	int found = 0;

	(void)state;
	assert_return_code(cr_vdso_patch(copy, LENGTH, NULL, 0, 0, &err), 0);
	clock_gettime(CLOCK_MONOTONIC, &before);
	for (size_t i = 0; i < LENGTH - 8; i++) {
		/* mov $228, %eax; syscall; ret: clock_gettime */
		static const uint8_t call[] = { 0xb8, 228,  0,	  0,
						0,    0x0f, 0x05, 0xc3 };

		if (memcmp(copy + i, call, sizeof(call)) != 0 ||
		    !memcmp(own + i, call, sizeof(call)))
			continue;
		found = 1;
		assert_int_equal(((clock_fn)(void *)(copy + i))(CLOCK_MONOTONIC,
								&now),
				 0);
	}
	assert_true(found);
	assert_true(now.tv_sec >= before.tv_sec);
	munmap(copy, LENGTH);
}

static void anything_else_is_refused_or_harmless(void **state)
{
	uint8_t *copy = copy_of_own(), *damaged = malloc(LENGTH);
	struct cr_error err = { 0 };

	(void)state;
	assert_non_null(damaged);
	memset(damaged, 0, LENGTH);
	assert_int_equal(cr_vdso_patch(damaged, LENGTH, NULL, 0, 0, &err),
			 -EBADMSG);
	assert_int_equal(cr_vdso_patch(damaged, 0, NULL, 0, 0, &err), -EBADMSG);
	/* any flipped byte: the sanitizers watch that nothing else is read */
	for (size_t i = 0; i < LENGTH; i++) {
		memcpy(damaged, copy, LENGTH);
		damaged[i] ^= 0xff;
		cr_vdso_patch(damaged, LENGTH, copy, LENGTH, 4096, &err);
	}
	for (size_t length = 0; length < LENGTH; length += 7) {
		uint8_t *cut = malloc(length + 1);

		assert_non_null(cut);
		memcpy(cut, copy, length);
		cr_vdso_patch(cut, length, NULL, 0, 0, &err);
		free(cut);
	}
	free(damaged);
	munmap(copy, LENGTH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_jump_to_our_own_vdso),
		cmocka_unit_test(functions_become_system_calls_without_a_vdso),
		cmocka_unit_test(anything_else_is_refused_or_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
