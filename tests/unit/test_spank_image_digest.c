/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_image_digest.c - the digest of a file is that of the document, and
 * another one for whatever is changed
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "image_digest.h"

#define NR(array) (sizeof(array) / sizeof(*(array)))
#define PIECE ((off_t)CR_DIGEST_PIECE)

static int make_file(off_t size)
{
	char path[] = "/tmp/test_digest.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(fd, size), 0);
	return fd;
}

static void put(int fd, off_t at, char byte)
{
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static void digest(int fd, off_t size, char text[CR_DIGEST_SIZE])
{
	struct cr_error err = { 0 };

	if (cr_digest_file(fd, (uint64_t)size, NULL, text, &err))
		fail_msg("%s", err.text);
	assert_true(cr_digest_is_valid(text));
}

/*
 * Made by Python, of a file whose byte I is I modulo 251:
 *	of = lambda data: hashlib.sha256(data).digest()
 *	of(struct.pack("<Q", n) + b"".join(of(data[i:i + (4 << 20)])
 *		for i in range(0, n, 4 << 20)))
 */
static const struct {
	size_t size;
	const char *digest;
} known[] = {
	{ 0, "sha256-4m:af5570f5a1810b7af78caf4bc70a660f0df51e42"
	     "baf91d4de5b2328de0e83dfc" },
	{ 1, "sha256-4m:7d163dadb0177c3de0d38ebda29e0da9b66ec127"
	     "b21b5a445e65ed0be6f60bfa" },
	{ 4194304, "sha256-4m:0b1fc6ef9e3e56f6728f7e80abed118562040b4f"
		   "fd329d0bc0605b8ea8635329" },
	{ 4194305, "sha256-4m:c5434ad8ce4ed407bf661ccec2ddd146158ac835"
		   "683f39b59c8608073a95804e" },
	{ 12582917, "sha256-4m:e304939b5be38bac7c4221f7980f2f657efe6b20"
		    "1a5c93c7e6c821b54395e4a2" },
};

static void it_is_that_of_the_document(void **state)
{
	char text[CR_DIGEST_SIZE];

	(void)state;
	for (size_t i = 0; i < NR(known); i++) {
		int fd = make_file(0);
		char *bytes = malloc(known[i].size + 1);

		for (size_t j = 0; j < known[i].size; j++)
			bytes[j] = (char)(j % 251);
		assert_int_equal(write(fd, bytes, known[i].size),
				 known[i].size);
		digest(fd, (off_t)known[i].size, text);
		assert_string_equal(text, known[i].digest);
		free(bytes);
		close(fd);
	}
}

static void each_piece_counts(void **state)
{
	const off_t size = 9 * PIECE + 77;
	const off_t places[] = { 0,	    PIECE - 1,	   PIECE,
				 4 * PIECE, 9 * PIECE - 1, 9 * PIECE,
				 size - 1 };
	char before[CR_DIGEST_SIZE], after[CR_DIGEST_SIZE];
	int fd = make_file(size);

	(void)state;
	digest(fd, size, before);
	for (size_t i = 0; i < NR(places); i++) {
		put(fd, places[i], 1);
		digest(fd, size, after);
		assert_string_not_equal(before, after);
		put(fd, places[i], 0);
	}
	digest(fd, size, after);
	assert_string_equal(before, after);
	close(fd);
}

static void pieces_that_change_places_are_noticed(void **state)
{
	char before[CR_DIGEST_SIZE], after[CR_DIGEST_SIZE];
	int fd = make_file(3 * PIECE);

	(void)state;
	put(fd, 0, 1);
	digest(fd, 3 * PIECE, before);
	put(fd, 0, 0);
	put(fd, PIECE, 1);
	digest(fd, 3 * PIECE, after);
	assert_string_not_equal(before, after);
	close(fd);
}

static void the_length_counts(void **state)
{
	char text[2][CR_DIGEST_SIZE];
	int fd = make_file(2 * PIECE);

	(void)state;
	digest(fd, PIECE, text[0]);
	digest(fd, PIECE - 1, text[1]);
	assert_string_not_equal(text[0], text[1]);
	close(fd);
}

static void a_file_that_is_shorter_is_refused(void **state)
{
	char text[CR_DIGEST_SIZE] = "";
	int fd = make_file(2 * PIECE);
	struct cr_error err;

	(void)state;
	assert_int_equal(cr_digest_file(fd, 2 * PIECE + 1, NULL, text, &err),
			 -ENODATA);
	assert_string_equal(text, "");
	close(fd);
	assert_int_equal(cr_digest_file(fd, 1, NULL, text, &err), -EBADF);
}

static int calls;

static int after_two(void)
{
	return ++calls > 2;
}

static void it_can_be_given_up(void **state)
{
	char text[CR_DIGEST_SIZE] = "";
	int fd = make_file(64 * PIECE);
	struct cr_error err;

	(void)state;
	assert_int_equal(cr_digest_file(fd, 64 * PIECE, after_two, text, &err),
			 -ECANCELED);
	assert_int_equal(calls, 3);
	close(fd);
}

static void only_what_is_written_as_one_is_one(void **state)
{
	char text[CR_DIGEST_SIZE + 1];

	(void)state;
	snprintf(text, sizeof(text), "%s%064d", CR_DIGEST_NAME, 0);
	assert_true(cr_digest_is_valid(text));
	text[CR_DIGEST_SIZE - 2] = 'g';
	assert_false(cr_digest_is_valid(text));
	text[CR_DIGEST_SIZE - 2] = 'A';
	assert_false(cr_digest_is_valid(text));
	text[CR_DIGEST_SIZE - 2] = '\0';
	assert_false(cr_digest_is_valid(text));
	assert_false(cr_digest_is_valid(""));
	assert_false(cr_digest_is_valid("sha256-4m:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_that_of_the_document),
		cmocka_unit_test(each_piece_counts),
		cmocka_unit_test(pieces_that_change_places_are_noticed),
		cmocka_unit_test(the_length_counts),
		cmocka_unit_test(a_file_that_is_shorter_is_refused),
		cmocka_unit_test(it_can_be_given_up),
		cmocka_unit_test(only_what_is_written_as_one_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
