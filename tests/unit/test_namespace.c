/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_namespace.c - namespaces end with whoever wanted them, at any moment
 *
 * The makers of a namespace are traced, so that one of them can be killed at
 * the very moment when the next is born.  Who is left then comes to us, as
 * subreaper, and must end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "cr_namespace.h"

#define PATIENCE_S 20 /* until a process counts as left over */

/* Makes a namespace, ends it, and exits with 0 if all was well. */
static void __attribute__((noreturn)) be_caller(int start_fd)
{
	struct cr_namespace ns = CR_NAMESPACE_NONE;
	struct cr_error err = { 0 };
	char byte;

	if (read(start_fd, &byte, 1) != 1)
		_exit(90);
	if (cr_namespace_create(CR_NAMESPACE_DIES_WITH_CALLER, 0, 0, &ns,
				&err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		_exit(1);
	}
	if (ns.init <= 0 || kill(ns.init, 0) < 0)
		_exit(2);
	cr_namespace_destroy(&ns);
	_exit(waitpid(-1, NULL, __WALL) < 0 && errno == ECHILD ? 0 : 3);
}

static pid_t start_caller(void)
{
	const long options =
		PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEVFORK;
	int fds[2];
	pid_t pid;

	assert_return_code(pipe(fds), errno);
	pid = fork();
	if (pid == 0)
		be_caller(fds[0]);
	assert_return_code(ptrace(PTRACE_SEIZE, pid, 0, options), errno);
	assert_int_equal(write(fds[1], "x", 1), 1);
	close(fds[0]);
	close(fds[1]);
	return pid;
}

static int wait_stop(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, __WALL), pid);
	assert_true(WIFSTOPPED(status));
	return status >> 16;
}

/* The next child of @parent; both are stopped. */
static pid_t next_born(pid_t parent)
{
	unsigned long child;
	int event = wait_stop(parent);

	assert_in_range(event, PTRACE_EVENT_FORK, PTRACE_EVENT_CLONE);
	assert_return_code(ptrace(PTRACE_GETEVENTMSG, parent, 0, &child),
			   errno);
	wait_stop((pid_t)child);
	return (pid_t)child;
}

static void let_go(pid_t pid)
{
	assert_return_code(ptrace(PTRACE_DETACH, pid, 0, 0), errno);
}

static void end(pid_t pid)
{
	int status;

	assert_return_code(kill(pid, SIGKILL), errno);
	assert_int_equal(waitpid(pid, &status, __WALL), pid);
	assert_true(WIFSIGNALED(status));
}

/* All that are ours now end by themselves. */
static void everybody_ends(void)
{
	const time_t until = time(NULL) + PATIENCE_S;
	pid_t pid;

	while ((pid = waitpid(-1, NULL, __WALL | WNOHANG)) >= 0) {
		if (time(NULL) > until)
			fail_msg("somebody is left: ps --ppid %d", getpid());
		if (!pid)
			usleep(1000);
	}
	assert_int_equal(errno, ECHILD);
}

static void caller_killed_when_the_maker_is_born_leaves_nobody(void **state)
{
	pid_t caller = start_caller(), maker = next_born(caller);

	(void)state;
	end(caller);
	let_go(maker);
	everybody_ends();
}

/* The caller runs on, init and its maker do not. */
static pid_t init_at_birth(pid_t *callerp, pid_t *makerp)
{
	*callerp = start_caller();
	*makerp = next_born(*callerp);
	let_go(*callerp);
	assert_return_code(ptrace(PTRACE_CONT, *makerp, 0, 0), errno);
	return next_born(*makerp);
}

static void caller_killed_when_init_is_born_leaves_nobody(void **state)
{
	pid_t caller, maker, init = init_at_birth(&caller, &maker);

	(void)state;
	end(caller);
	let_go(maker);
	let_go(init);
	everybody_ends();
}

/* The maker has done its work by then. */
static void maker_killed_when_init_is_born_does_no_harm(void **state)
{
	pid_t caller, maker, init = init_at_birth(&caller, &maker);
	int status;

	(void)state;
	end(maker);
	let_go(init);
	assert_int_equal(waitpid(caller, &status, 0), caller);
	assert_int_equal(status, 0);
	everybody_ends();
}

static void init_killed_at_birth_is_an_error(void **state)
{
	pid_t caller, maker, init = init_at_birth(&caller, &maker);
	int status;

	(void)state;
	end(init);
	let_go(maker);
	assert_int_equal(waitpid(caller, &status, 0), caller);
	assert_int_equal(WEXITSTATUS(status), 1);
	everybody_ends();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			caller_killed_when_the_maker_is_born_leaves_nobody),
		cmocka_unit_test(caller_killed_when_init_is_born_leaves_nobody),
		cmocka_unit_test(maker_killed_when_init_is_born_does_no_harm),
		cmocka_unit_test(init_killed_at_birth_is_an_error),
	};

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
