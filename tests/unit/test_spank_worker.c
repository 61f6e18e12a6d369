/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_worker.c - a worker reports, is killed when it takes too long,
 * and is not left alone
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent.h"

static struct cr_step step = { .nr_local_ranks = 1 };
static struct agent agent = { .step = &step };
static struct agent_result last;
static int nr_done;
static int alive[2]; /* a worker holds the second end as long as it lives */
static int pidfd_failure; /* errno of pidfd_open(2) */

long __real_syscall(long number, long a, long b, long c, long d, long e,
		    long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e,
		    long f);

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if (number != SYS_pidfd_open || !pidfd_failure)
		return __real_syscall(number, a, b, c, d, e, f);
	errno = pidfd_failure;
	return -1;
}

static int setup(void **state)
{
	(void)state;
	/* as the agent has it */
	signal(SIGCHLD, SIG_IGN);
	agent.base = event_base_new();
	memset(&last, 0, sizeof(last));
	nr_done = pidfd_failure = 0;
	return !agent.base || pipe2(alive, O_CLOEXEC) < 0;
}

static int teardown(void **state)
{
	(void)state;
	event_base_free(agent.base);
	close(alive[0]);
	if (alive[1] >= 0)
		close(alive[1]);
	return 0;
}

static void done(struct agent *of, const struct agent_result *result)
{
	assert_ptr_equal(of, &agent);
	last = *result;
	nr_done++;
}

static void report(struct agent *of, struct agent_result *result)
{
	(void)of;
	result->generation = 7;
}

static void hang(struct agent *of, struct agent_result *result)
{
	(void)of;
	(void)result;
	pause();
}

static void die(struct agent *of, struct agent_result *result)
{
	(void)of;
	(void)result;
	_exit(3);
}

static struct agent_worker *start(agent_work_fn work, unsigned int ms,
				  struct cr_error *err)
{
	struct agent_worker *worker =
		agent_worker_start(&agent, "cr-test", work, done, ms, &alive[1],
				   1, err);

	close(alive[1]);
	alive[1] = -1;
	return worker;
}

static void await_done(void)
{
	while (!nr_done)
		event_base_loop(agent.base, EVLOOP_ONCE);
	assert_int_equal(nr_done, 1);
}

static void assert_dead(void)
{
	struct pollfd pollfd = { .fd = alive[0] };

	assert_int_equal(poll(&pollfd, 1, 5000), 1);
	assert_true(pollfd.revents & POLLHUP);
}

static void what_a_worker_reports_is_heard(void **state)
{
	(void)state;
	assert_non_null(start(report, 60000, NULL));
	await_done();
	assert_int_equal(last.err.code, 0);
	assert_int_equal(last.generation, 7);
}

static void one_that_dies_is_an_error(void **state)
{
	(void)state;
	assert_non_null(start(die, 60000, NULL));
	await_done();
	assert_int_equal(last.err.code, -ECANCELED);
}

static void one_that_takes_too_long_is_killed(void **state)
{
	(void)state;
	assert_non_null(start(hang, 50, NULL));
	await_done();
	assert_int_equal(last.err.code, -ETIMEDOUT);
	assert_dead();
}

static void get_on(struct agent *of, struct agent_result *result)
{
	(void)of;
	for (int i = 0; i < 40; i++) {
		usleep(50000);
		agent_worker_get_on();
	}
	result->generation = 7;
}

/* Four times as long as it may stand still. */
static void one_that_gets_on_is_waited_for(void **state)
{
	(void)state;
	assert_non_null(start(get_on, 500, NULL));
	await_done();
	assert_int_equal(last.err.code, 0);
	assert_int_equal(last.generation, 7);
}

static void stop_short(struct agent *of, struct agent_result *result)
{
	(void)of;
	(void)result;
	agent_worker_get_on();
	pause();
}

static void one_that_gets_on_no_more_is_killed(void **state)
{
	(void)state;
	assert_non_null(start(stop_short, 50, NULL));
	await_done();
	assert_int_equal(last.err.code, -ETIMEDOUT);
	assert_dead();
}

static void one_that_could_not_be_killed_is_not_begun(void **state)
{
	static const int errors[] = { ENFILE, EMFILE, ENOMEM };
	struct cr_error err = { 0 };

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		pidfd_failure = errors[i];
		assert_null(start(hang, 50, &err));
		assert_int_equal(err.code, -errors[i]);
		assert_non_null(strstr(err.text, "cr-test"));
		assert_dead();
		teardown(state);
		assert_int_equal(setup(state), 0);
	}
	assert_int_equal(nr_done, 0);
}

/* It has reported before anybody could look. */
static void one_that_is_over_at_once_is_heard(void **state)
{
	(void)state;
	pidfd_failure = ESRCH;
	assert_non_null(start(report, 60000, NULL));
	await_done();
	assert_int_equal(last.generation, 7);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_a_worker_reports_is_heard),
		TEST(one_that_dies_is_an_error),
		TEST(one_that_takes_too_long_is_killed),
		TEST(one_that_gets_on_is_waited_for),
		TEST(one_that_gets_on_no_more_is_killed),
		TEST(one_that_could_not_be_killed_is_not_begun),
		TEST(one_that_is_over_at_once_is_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
