/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_restart_descriptors.c - a restart that lacks a descriptor fails
 *
 * It is not to go on with /dev/null, or without namespaces.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "cr_image.h"
#include "cr_namespace.h"
#include "cr_restart.h"
#include "made_image.h"

#define RANK 4

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);

/* In the coordinator: which duplicate is to fail, from 1; and how many it has
 * asked for. */
static unsigned int to_fail, nr_asked;
static pid_t coordinator;

int __wrap_fcntl(int fd, int command, ...)
{
	va_list args;
	long argument;

	va_start(args, command);
	argument = va_arg(args, long);
	va_end(args);
	if (command == F_DUPFD_CLOEXEC && getpid() == coordinator &&
	    ++nr_asked == to_fail) {
		errno = EMFILE;
		return -1;
	}
	return __real_fcntl(fd, command, argument);
}

struct outcome {
	int rc, input_is_open, has_failed;
	char text[CR_ERROR_TEXT_MAX];
};

/* Restart @path in fresh namespaces while duplicate @nr fails. */
static void restart_here(const char *path, unsigned int nr,
			 struct outcome *outcome)
{
	const struct cr_restart_root roots[] = {
		{ .rank = RANK, .stream = { 0, 1, 2 } },
		{ .rank = RANK + 1, .stream = { 0, 1, 2 } },
	};
	struct cr_restart_options options = { .roots = roots, .nr_roots = 2 };
	struct cr_namespace ns = CR_NAMESPACE_NONE;
	struct cr_restart_result result = { 0 };
	struct cr_image *image = NULL;
	struct cr_error err = { 0 };

	outcome->rc = cr_image_open(AT_FDCWD, path, &image, &err);
	if (!outcome->rc)
		outcome->rc = cr_namespace_create(CR_NAMESPACE_DIES_WITH_CALLER,
						  0, 0, &ns, &err);
	options.namespace_fd = ns.init_fd;
	coordinator = getpid();
	to_fail = nr;
	if (!outcome->rc)
		outcome->rc = cr_restart(image, &options, &result, &err);
	if (!outcome->rc)
		waitpid(result.roots[0].pid, NULL, 0);
	outcome->has_failed = nr_asked >= nr;
	outcome->input_is_open = __real_fcntl(0, F_GETFD) >= 0;
	memcpy(outcome->text, err.text, sizeof(err.text));
	cr_namespace_destroy(&ns);
	cr_image_close(image);
}

static struct outcome try(const char *path, unsigned int nr)
{
	struct outcome outcome = { 0 };
	int fds[2];
	pid_t pid;

	assert_return_code(pipe(fds), errno);
	pid = fork();
	if (pid == 0) {
		restart_here(path, nr, &outcome);
		_exit(write(fds[1], &outcome, sizeof(outcome)) < 0);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &outcome, sizeof(outcome)),
			 sizeof(outcome));
	close(fds[0]);
	waitpid(pid, NULL, 0);
	return outcome;
}

static void any_descriptor_that_is_missing_ends_the_restart(void **state)
{
	const struct made_task tasks[] = { { .vpid = 77, .exit_code = 42 } };
	unsigned int nr = 1, nr_streams = 0;
	struct outcome outcome;
	struct cr_error err = { 0 };
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/tmp/test_restart_descriptors.%d.img",
		 getpid());
	if (made_image(path, tasks, 1, &err))
		fail_msg("%s", err.text);
	while ((outcome = try(path, nr)).has_failed) {
		if (outcome.rc != -EMFILE)
			fail_msg("without duplicate %u: %d, %s", nr, outcome.rc,
				 outcome.text);
		assert_string_not_equal(outcome.text, "");
		assert_true(outcome.input_is_open);
		nr_streams += strstr(outcome.text, " of rank ") != NULL;
		nr++;
	}
	unlink(path);
	assert_int_equal(outcome.rc, 0);
	assert_int_equal(nr_streams, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			any_descriptor_that_is_missing_ends_the_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
