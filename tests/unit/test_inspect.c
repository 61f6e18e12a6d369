// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_inspect.c - cr inspect, called as a function
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>

#include "image_test.h"
#include "tools/command.h"
#include "tools/inspect.h"

static char image_name[] = "/tmp/test_inspect.XXXXXX";
static char message[CR_ERROR_TEXT_MAX];

/* What main.c has for the real command. */
int cr_command_fail(const struct cr_error *err)
{
	snprintf(message, sizeof(message), "%s", err->text);
	return err->code == -EBADMSG || err->code == -ENODATA ? CR_EXIT_IMAGE :
								CR_EXIT_FAILED;
}

void cr_command_progress(void *arg, uint64_t bytes_done, uint64_t bytes_total)
{
	assert_string_equal(arg, "checking");
	assert_true(bytes_done <= bytes_total);
}

static void write_file(const char *path_of_log)
{
	const struct cr_image_write_options options = { .nr_workers = 1 };
	struct cr_image_writer *writer;
	struct small_image small;

	small_image_init(&small);
	small.head.job = 42;
	small.paths[2] = path_of_log;
	assert_int_equal(cr_image_writer_create(AT_FDCWD, image_name, &options,
						&writer, NULL),
			 0);
	assert_int_equal(small_image_write(&small, writer), 0);
	assert_int_equal(cr_image_writer_commit(writer, NULL, NULL), 0);
}

/* Run it with @option; what it printed is the caller's to free. */
static char *inspect(const char *option, int code)
{
	char *argv[] = { (char *)"inspect", image_name, (char *)option, NULL };
	int out = dup(STDOUT_FILENO), fd = memfd_create("stdout", 0);
	off_t length;
	char *text;

	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	assert_int_equal(cmd_inspect(option ? 3 : 2, argv), code);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	length = lseek(fd, 0, SEEK_END);
	text = calloc(1, (size_t)length + 1);
	assert_int_equal(pread(fd, text, (size_t)length, 0), length);
	close(fd);
	return text;
}

static int make_image(void **state)
{
	int fd = mkstemp(image_name);

	(void)state;
	close(fd);
	write_file("/home/user/log");
	return fd < 0;
}

static int remove_image(void **state)
{
	(void)state;
	return unlink(image_name);
}

static void text_shows_tasks_memory_and_files(void **state)
{
	char *text = inspect(NULL, CR_EXIT_OK);

	(void)state;
	assert_non_null(strstr(text, "job       42 step 0"));
	assert_non_null(strstr(text, "3, 3 threads"));
	assert_non_null(strstr(text, "    task2 (status 0x300)"));
	assert_non_null(strstr(text, "/home/user/log"));
	assert_non_null(strstr(text, "1:3 5:3"));
	assert_non_null(strstr(text, "56.0 KiB"));
	assert_null(strstr(text, "Maps of"));
	free(text);
}

static void maps_are_shown_if_asked(void **state)
{
	char *text = inspect("--maps", CR_EXIT_OK);

	(void)state;
	assert_non_null(strstr(text, "Maps of 11"));
	assert_non_null(strstr(text, "20000000-000020004000 rw-s"));
	free(text);
}

static long long integer(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		fail_msg("no number %s", key);
	return json_integer_value(value);
}

static void json_has_the_whole_tree(void **state)
{
	char *text = inspect("--json", CR_EXIT_OK);
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	json_t *tasks = json_object_get(root, "tasks");
	json_t *task = json_array_get(tasks, 0);

	(void)state;
	assert_non_null(root);
	assert_int_equal(integer(root, "job"), 42);
	assert_int_equal(json_array_size(tasks), 3);
	assert_int_equal(integer(task, "vpid"), SMALL_ROOT);
	assert_int_equal(integer(task, "memory_bytes"), 14 * CR_WIRE_PAGE);
	assert_int_equal(json_array_size(json_object_get(task, "threads")), 2);
	assert_int_equal(json_array_size(json_object_get(task, "fds")), 2);
	assert_int_equal(json_array_size(json_object_get(task, "vmas")), 2);
	assert_int_equal(integer(json_array_get(tasks, 2), "exit_status"),
			 3 << 8);
	assert_int_equal(json_array_size(json_object_get(root, "files")), 3);
	assert_int_equal(json_array_size(json_object_get(root, "spaces")), 3);
	json_decref(root);
	free(text);
}

static void damage_is_found_by_verify_only(void **state)
{
	int fd = open(image_name, O_RDWR);
	uint64_t word;

	(void)state;
	/* The first chunk's data is the first page that is aligned so. */
	for (off_t at = CR_WIRE_PAGE;; at += CR_WIRE_PAGE) {
		assert_int_equal(pread(fd, &word, 8, at), 8);
		if (word == small_word(SMALL_HEAP, 0)) {
			word ^= 1;
			assert_int_equal(pwrite(fd, &word, 8, at), 8);
			break;
		}
	}
	close(fd);
	free(inspect(NULL, CR_EXIT_OK));
	free(inspect("--verify", CR_EXIT_IMAGE));
	assert_non_null(strstr(message, "wrong checksum"));
	write_file("/home/user/log");
	free(inspect("--verify", CR_EXIT_OK));
}

static void short_image_is_refused(void **state)
{
	(void)state;
	assert_int_equal(truncate(image_name, 5000), 0);
	free(inspect(NULL, CR_EXIT_IMAGE));
	assert_non_null(strstr(message, "cut short"));
	assert_non_null(strstr(message, image_name));
	write_file("/home/user/log");
}

static void names_cannot_speak_to_the_terminal(void **state)
{
	char *text;

	(void)state;
	write_file("/a\033[2Jb\nc\xc2\x9b/\xc3\xa9\xff");
	text = inspect(NULL, CR_EXIT_OK);
	assert_non_null(strstr(text, "/a\\x1b[2Jb\\x0ac\\xc2\\x9b/\xc3\xa9"
				     "\\xff"));
	free(text);
	text = inspect("--json", CR_EXIT_OK);
	assert_non_null(strstr(text, "/a\\\\x1b[2Jb"));
	free(text);
	write_file("/home/user/log");
}

static void long_names_are_cut(void **state)
{
	char text[16];

	(void)state;
	assert_string_equal(cr_inspect_printable("0123456789abcdefgh", text,
						 sizeof(text)),
			    "0123456789ab");
	assert_string_equal(cr_inspect_printable("", text, sizeof(text)), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_shows_tasks_memory_and_files),
		cmocka_unit_test(maps_are_shown_if_asked),
		cmocka_unit_test(json_has_the_whole_tree),
		cmocka_unit_test(damage_is_found_by_verify_only),
		cmocka_unit_test(short_image_is_refused),
		cmocka_unit_test(names_cannot_speak_to_the_terminal),
		cmocka_unit_test(long_names_are_cut),
	};

	return cmocka_run_group_tests(tests, make_image, remove_image);
}
