/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_output.c - what a step had written survives its script's ">file"
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "identity.h"
#include "output.h"

struct fixture {
	char folder[64], path[80], aside[96];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->folder, "/tmp/test_output.XXXXXX");
	*state = f;
	if (!mkdtemp(f->folder))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/out", f->folder);
	snprintf(f->aside, sizeof(f->aside), "%s/.out.spank_cr-7", f->folder);
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int flag,
			struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	nftw(f->folder, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

/* Opened as a shell does for ">" or ">>", with @text written. */
static int redirect(const struct fixture *f, int flag, const char *text)
{
	int fd = open(f->path, O_WRONLY | O_CREAT | flag, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

/* A first run wrote "first " to ">", and its output was kept. */
static void keep_first(const struct fixture *f)
{
	char path[CR_OUTPUT_PATH_MAX];
	int fd = redirect(f, O_TRUNC, "first ");
	dev_t device;
	ino_t inode;

	assert_int_equal(cr_output_find(getpid(), fd, path, &device, &inode),
			 1);
	assert_string_equal(path, f->path);
	assert_int_equal(cr_output_keep(path, device, inode, 7, NULL), 0);
	close(fd);
}

static void assert_file(const struct fixture *f, const char *want)
{
	char text[64] = "";
	int fd = open(f->path, O_RDONLY);

	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	assert_string_equal(text, want);
	close(fd);
}

static void what_was_cut_off_is_put_in_front(void **state)
{
	const struct fixture *f = *state;
	int fd;

	keep_first(f);
	fd = redirect(f, O_TRUNC, "");
	assert_int_equal(cr_output_put_back(fd, 7, NULL), 1);
	assert_int_equal(write(fd, "second", 6), 6);
	close(fd);
	assert_file(f, "first second");
	assert_int_not_equal(access(f->aside, F_OK), 0);
}

static void it_is_put_back_once(void **state)
{
	const struct fixture *f = *state;
	int fd;

	keep_first(f);
	fd = redirect(f, O_TRUNC, "");
	assert_int_equal(cr_output_put_back(fd, 7, NULL), 1);
	assert_int_equal(cr_output_put_back(fd, 7, NULL), 0);
	close(fd);
	assert_file(f, "first ");
}

static void another_job_does_not_get_it(void **state)
{
	const struct fixture *f = *state;
	int fd;

	keep_first(f);
	fd = redirect(f, O_TRUNC, "");
	assert_int_equal(cr_output_put_back(fd, 8, NULL), 0);
	close(fd);
	assert_file(f, "");
}

static void what_is_appended_to_is_left_alone(void **state)
{
	const struct fixture *f = *state;
	char path[CR_OUTPUT_PATH_MAX];
	dev_t device;
	ino_t inode;
	int fd;

	keep_first(f);
	fd = redirect(f, O_APPEND, "");
	assert_int_equal(cr_output_find(getpid(), fd, path, &device, &inode),
			 0);
	assert_int_equal(cr_output_put_back(fd, 7, NULL), 0);
	close(fd);
	assert_file(f, "first ");
}

static void what_is_not_empty_is_left_alone(void **state)
{
	const struct fixture *f = *state;
	int fd;

	keep_first(f);
	fd = redirect(f, O_TRUNC, "new");
	assert_int_equal(cr_output_put_back(fd, 7, NULL), 0);
	close(fd);
	assert_file(f, "new");
}

static void a_file_that_was_replaced_is_not_kept(void **state)
{
	const struct fixture *f = *state;

	keep_first(f);
	assert_int_equal(cr_output_keep(f->path, 0, 1, 7, NULL), -ESTALE);
}

static void a_link_aside_is_not_followed(void **state)
{
	const struct fixture *f = *state;
	int fd;

	assert_int_equal(symlink("/etc/passwd", f->aside), 0);
	fd = redirect(f, O_TRUNC, "");
	assert_int_equal(cr_output_put_back(fd, 7, NULL), 0);
	close(fd);
	assert_file(f, "");
}

static void an_identity_has_a_place_and_an_environment(void **state)
{
	char one[CR_IDENTITY_SIZE], two[CR_IDENTITY_SIZE];

	(void)state;
	cr_identity_make(one);
	assert_true(cr_identity_is_valid(one));
	setenv("SLURM_RESTART_COUNT", "1", 1);
	cr_identity_make(two);
	assert_string_equal(one, two);
	setenv("TEST_SPANK_OUTPUT", "x", 1);
	cr_identity_make(two);
	assert_string_not_equal(one, two);
	assert_true(cr_identity_same_place(one, two));
	assert_int_equal(chdir("/"), 0);
	cr_identity_make(two);
	assert_false(cr_identity_same_place(one, two));
	assert_false(cr_identity_same_place("", ""));
	assert_false(cr_identity_is_valid("x"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_was_cut_off_is_put_in_front),
		TEST(it_is_put_back_once),
		TEST(another_job_does_not_get_it),
		TEST(what_is_appended_to_is_left_alone),
		TEST(what_is_not_empty_is_left_alone),
		TEST(a_file_that_was_replaced_is_not_kept),
		TEST(a_link_aside_is_not_followed),
		cmocka_unit_test(an_identity_has_a_place_and_an_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
