/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_restart.c - the restart protocol with real processes
 *
 * Trees of made images are restarted in fresh namespaces, and things go wrong
 * at every point: no failure may leave a process or take for ever.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "cr_image.h"
#include "cr_namespace.h"
#include "cr_restart.h"
#include "made_image.h"

#define TIMEOUT_MS 2000 /* for restarts that are to fail by it */
#define HOLD_MS 500 /* for others to come to the gate */

struct fixture {
	char path[64];
	unsigned int timeout_ms; /* of restarts with a fault */
};

/* What a restart in a child of ours came to. */
struct outcome {
	int rc;
	int status; /* of the first root, if rc is 0 */
	char text[CR_ERROR_TEXT_MAX];
};

typedef void (*fault_fn)(void *arg, size_t index);

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->path, sizeof(f->path), "/tmp/test_restart.%d.img",
		 getpid());
	f->timeout_ms = TIMEOUT_MS;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	free(f);
	return 0;
}

static void restart_here(const struct fixture *f, fault_fn fault,
			 struct outcome *outcome)
{
	const struct cr_restart_root root = { .stream = { -1, -1, -1 } };
	struct cr_restart_options options = {
		.roots = &root,
		.nr_roots = 1,
		.timeout_ms = fault ? f->timeout_ms : 0,
		.fault = fault,
	};
	struct cr_namespace ns = CR_NAMESPACE_NONE;
	struct cr_restart_result result = { 0 };
	struct cr_image *image = NULL;
	struct cr_error err = { 0 };

	outcome->rc = cr_image_open(AT_FDCWD, f->path, &image, &err);
	if (!outcome->rc)
		outcome->rc = cr_namespace_create(CR_NAMESPACE_DIES_WITH_CALLER,
						  0, 0, &ns, &err);
	options.namespace_fd = ns.init_fd;
	if (!outcome->rc)
		outcome->rc = cr_restart(image, &options, &result, &err);
	if (!outcome->rc)
		waitpid(result.roots[0].pid, &outcome->status, 0);
	else if (waitpid(-1, NULL, WNOHANG) != 0)
		snprintf(err.text, sizeof(err.text), "a stray child is left");
	memcpy(outcome->text, err.text, sizeof(err.text));
	cr_namespace_destroy(&ns);
	cr_image_close(image);
}

/* Restart @tasks in a child, so that this process keeps its namespaces. */
static struct outcome try(struct fixture *f, const struct made_task *tasks,
			  uint32_t nr, fault_fn fault)
{
	struct cr_error err = { 0 };
	struct outcome outcome;
	int fds[2], rc;
	pid_t pid;

	rc = made_image(f->path, tasks, nr, &err);
	if (rc < 0)
		fail_msg("%s", err.text);
	assert_return_code(pipe(fds), errno);
	pid = fork();
	if (pid == 0) {
		memset(&outcome, 0, sizeof(outcome));
		restart_here(f, fault, &outcome);
		_exit(write(fds[1], &outcome, sizeof(outcome)) < 0);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &outcome, sizeof(outcome)),
			 sizeof(outcome));
	close(fds[0]);
	waitpid(pid, NULL, 0);
	return outcome;
}

static void assert_exits(const struct outcome *outcome, int code)
{
	if (outcome->rc)
		fail_msg("restart failed: %s", outcome->text);
	assert_true(WIFEXITED(outcome->status));
	assert_int_equal(WEXITSTATUS(outcome->status), code);
}

static void assert_fails(const struct outcome *outcome, int code)
{
	if (outcome->rc != code)
		fail_msg("restart gave %d: %s", outcome->rc, outcome->text);
	assert_string_not_equal(outcome->text, "");
	assert_string_not_equal(outcome->text, "a stray child is left");
}

static void one_task_goes_on(void **state)
{
	const struct made_task tasks[] = { { .vpid = 77, .exit_code = 42 } };
	struct outcome outcome = try(*state, tasks, 1, NULL);

	assert_exits(&outcome, 42);
}

static void threads_are_made_with_their_numbers(void **state)
{
	const struct made_task tasks[] = {
		{ .vpid = 7, .exit_code = 43, .nr_threads = 50 }
	};
	struct outcome outcome = try(*state, tasks, 1, NULL);

	assert_exits(&outcome, 43);
}

static void a_child_is_its_parents(void **state)
{
	const struct made_task tasks[] = {
		{ .vpid = 10, .wait_for = 12 },
		{ .vpid = 12, .parent = 10, .exit_code = 44 },
	};
	struct outcome outcome = try(*state, tasks, 2, NULL);

	assert_exits(&outcome, 44);
}

static void a_zombie_keeps_its_status(void **state)
{
	struct made_task tasks[] = {
		{ .vpid = 10, .wait_for = 12 },
		{ .vpid = 12, .parent = 10, .flags = CR_LINK_F_ZOMBIE },
	};
	struct outcome outcome;

	tasks[1].exit_status = 45 << 8;
	outcome = try(*state, tasks, 2, NULL);
	assert_exits(&outcome, 45);
	tasks[1].exit_status = SIGKILL;
	outcome = try(*state, tasks, 2, NULL);
	assert_exits(&outcome, SIGKILL);
}

static void a_chain_of_tasks_ends_in_order(void **state)
{
	struct made_task tasks[100];
	struct outcome outcome;

	memset(tasks, 0, sizeof(tasks));
	for (uint32_t i = 0; i < 100; i++) {
		tasks[i].vpid = 2 + i;
		tasks[i].parent = i ? 1 + i : 0;
		tasks[i].wait_for = i < 99 ? 3 + i : 0;
	}
	tasks[99].exit_code = 46;
	outcome = try(*state, tasks, 100, NULL);
	assert_exits(&outcome, 46);
}

static const struct made_task family[] = {
	{ .vpid = 10, .wait_for = 11 },
	{ .vpid = 11, .parent = 10, .wait_for = 12 },
	{ .vpid = 12, .parent = 11, .exit_code = 47 },
};

static void dies_first(void *arg, size_t index)
{
	(void)arg;
	if (index == 0)
		kill(getpid(), SIGKILL);
}

static void dies_last(void *arg, size_t index)
{
	(void)arg;
	if (index == 2)
		kill(getpid(), SIGKILL);
}

static void never_joins(void *arg, size_t index)
{
	(void)arg;
	if (index == 2)
		for (;;)
			pause();
}

static void leaves_as_another(void *arg, size_t index)
{
	(void)arg;
	if (index == 1)
		_exit(0);
}

static void any_death_before_joining_ends_all(void **state)
{
	const fault_fn faults[] = { dies_first, dies_last, leaves_as_another };

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct outcome outcome = try(*state, family, 3, faults[i]);

		assert_fails(&outcome, -ECANCELED);
	}
}

static void a_task_that_never_joins_is_not_waited_for(void **state)
{
	struct outcome outcome = try(*state, family, 3, never_joins);

	assert_fails(&outcome, -ETIMEDOUT);
}

static void helper_takes_its_time(void *arg, size_t index)
{
	(void)arg;
	if (index == SIZE_MAX)
		usleep(HOLD_MS * 1000);
}

/* All others are at the gate when the helper that made an orphan ends: then
 * nobody says anything any more. */
static void a_helper_that_ends_last_delays_nobody(void **state)
{
	const struct made_task tasks[] = {
		{ .vpid = 10,
		  .flags = CR_LINK_F_ZOMBIE | CR_LINK_F_SESSION_OUTSIDE,
		  .exit_status = 3 << 8 },
		{ .vpid = 52,
		  .parent = 1,
		  .pgid = 52,
		  .flags = CR_LINK_F_SESSION_OUTSIDE,
		  .sleeps = 1 },
	};
	struct fixture *f = *state;
	time_t begin = time(NULL);
	struct outcome outcome;

	f->timeout_ms = 60000;
	outcome = try(f, tasks, 2, helper_takes_its_time);
	f->timeout_ms = TIMEOUT_MS;
	assert_exits(&outcome, 3);
	assert_in_range(time(NULL) - begin, 0, 30);
}

static void a_truncated_image_is_refused(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome;

	outcome = try(f, family, 3, NULL);
	assert_exits(&outcome, 47);
	assert_return_code(truncate(f->path, 6000), errno);
	memset(&outcome, 0, sizeof(outcome));
	restart_here(f, NULL, &outcome);
	assert_fails(&outcome, -ENODATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_task_goes_on),
		cmocka_unit_test(threads_are_made_with_their_numbers),
		cmocka_unit_test(a_child_is_its_parents),
		cmocka_unit_test(a_zombie_keeps_its_status),
		cmocka_unit_test(a_chain_of_tasks_ends_in_order),
		cmocka_unit_test(any_death_before_joining_ends_all),
		cmocka_unit_test(a_task_that_never_joins_is_not_waited_for),
		cmocka_unit_test(a_helper_that_ends_last_delays_nobody),
		cmocka_unit_test(a_truncated_image_is_refused),
	};

	if (geteuid() != 0) {
		printf("skipped: needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
