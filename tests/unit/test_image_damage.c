// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_image_damage.c - damaged images are refused
 *
 * Damage is what checksums find: every length and every byte is tried.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "image_test.h"

/* The small image of two pages per heap; *@length is its length. */
static int damage_image(int compression, uint8_t **bytes, size_t *length)
{
	struct cr_image_write_options options = { .compression = compression,
						  .nr_workers = 1 };
	struct cr_image_write_stats stats;
	struct small_image small;
	int fd;

	small_image_init(&small);
	small.heap_pages = 2;
	fd = write_image(&small, &options, &stats);
	*length = stats.file_bytes;
	*bytes = malloc(*length);
	assert_int_equal(pread(fd, *bytes, *length, 0), *length);
	assert_int_equal(read_all(fd, 2, NULL), 0);
	return fd;
}

static void every_truncation_is_refused(void **state)
{
	struct cr_error err = { 0 };
	uint8_t *bytes;
	size_t length;
	int fd = damage_image(CR_COMPRESS_NONE, &bytes, &length);

	(void)state;
	for (size_t cut = length; cut-- > 0;) {
		assert_int_equal(ftruncate(fd, (off_t)cut), 0);
		if (read_all(fd, 2, &err) != -ENODATA)
			fail_msg("%zu of %zu bytes: %d %s", cut, length,
				 err.code, err.text);
	}
	close(fd);
	free(bytes);
}

static void every_truncated_stream_is_refused(void **state)
{
	struct cr_error err = { 0 };
	struct cr_image *image;
	struct cr_saved *saved;
	uint8_t *bytes;
	size_t length;
	int fds[2], rc, fd = damage_image(CR_COMPRESS_LZ4, &bytes, &length);

	(void)state;
	for (size_t cut = 0; cut < length; cut += cut % 7 + 1) {
		assert_int_equal(pipe(fds), 0);
		assert_true(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20) > 0);
		assert_int_equal(write(fds[1], bytes, cut), cut);
		close(fds[1]);
		rc = cr_image_open_fd(fds[0], &image, &err);
		if (rc) {
			close(fds[0]);
		} else {
			rc = cr_saved_load(image, &saved, &err);
			cr_image_close(image);
		}
		assert_int_equal(rc, -ENODATA);
	}
	close(fd);
	free(bytes);
}

static int is_refusal(int rc)
{
	return rc == -EBADMSG || rc == -ENODATA || rc == -EPROTONOSUPPORT;
}

static void flip_every_byte(int compression)
{
	struct cr_error err = { 0 };
	uint8_t *bytes, wrong;
	size_t length;
	int fd = damage_image(compression, &bytes, &length);

	for (size_t i = 0; i < length; i++) {
		wrong = bytes[i] ^ (uint8_t)(1u << i % 8);
		assert_int_equal(pwrite(fd, &wrong, 1, (off_t)i), 1);
		if (!is_refusal(read_all(fd, 2, &err)))
			fail_msg("byte %zu of %zu: %d %s", i, length, err.code,
				 err.text);
		assert_int_equal(pwrite(fd, &bytes[i], 1, (off_t)i), 1);
	}
	assert_int_equal(read_all(fd, 2, NULL), 0);
	close(fd);
	free(bytes);
}

static void every_flipped_byte_is_refused(void **state)
{
	(void)state;
	flip_every_byte(CR_COMPRESS_NONE);
	flip_every_byte(CR_COMPRESS_ZSTD);
}

static void what_follows_the_tail_is_refused(void **state)
{
	uint8_t *bytes;
	size_t length;
	int fd = damage_image(CR_COMPRESS_NONE, &bytes, &length);

	(void)state;
	assert_int_equal(pwrite(fd, "", 1, (off_t)length), 1);
	assert_int_equal(read_all(fd, 2, NULL), -EBADMSG);
	close(fd);
	free(bytes);
}

static void other_files_are_refused(void **state)
{
	struct cr_error err = { 0 };
	struct cr_image *image;
	int fd = open("/proc/self/exe", O_RDONLY);

	(void)state;
	assert_int_equal(cr_image_open_fd(fd, &image, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "not a checkpoint image"));
	close(fd);
	fd = open("/dev/null", O_RDONLY);
	assert_int_equal(cr_image_open_fd(fd, &image, &err), -ENODATA);
	close(fd);
	assert_int_equal(cr_image_open(AT_FDCWD, "/proc/self/exe", &image,
				       &err),
			 -ELOOP);
	assert_int_equal(cr_image_open(AT_FDCWD, "/nonexistent", &image, &err),
			 -ENOENT);
	assert_int_equal(cr_image_open(AT_FDCWD, "/", &image, &err), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_truncated_stream_is_refused),
		cmocka_unit_test(every_flipped_byte_is_refused),
		cmocka_unit_test(what_follows_the_tail_is_refused),
		cmocka_unit_test(other_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
