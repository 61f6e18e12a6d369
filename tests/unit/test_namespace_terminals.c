/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_namespace_terminals.c - what a tree's namespaces are of their own
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cr_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Number of the first terminal that is made in there; -1. */
static int first_terminal(int init_fd)
{
	unsigned int number = 99;
	int status, fd;
	pid_t pid = fork();

	if (pid == 0) {
		if (cr_namespace_enter(init_fd, NULL))
			_exit(99);
		fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);
		if (fd < 0 || ioctl(fd, TIOCGPTN, &number) < 0)
			_exit(99);
		_exit((int)number);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) != 99 ?
		       WEXITSTATUS(status) :
		       -1;
}

static void own_terminals_begin_at_0_whatever_the_node_has(void **state)
{
	struct cr_namespace ns = CR_NAMESPACE_NONE;
	struct cr_error err = { 0 };
	int fds[2];

	(void)state;
	if (geteuid() != 0)
		skip();
	for (int i = 0; i < 2; i++) { /* so one of them is not 0 */
		fds[i] = open("/dev/ptmx", O_RDWR | O_NOCTTY);
		assert_true(fds[i] >= 0);
	}
	assert_int_equal(cr_namespace_create(CR_NAMESPACE_DIES_WITH_CALLER |
						     CR_NAMESPACE_OWN_TERMINALS,
					     0, 0, &ns, &err),
			 0);
	assert_int_equal(first_terminal(ns.init_fd), 0);
	cr_namespace_destroy(&ns);
	for (int i = 0; i < 2; i++)
		close(fds[i]);
}

static void without_them_there_are_those_of_the_node(void **state)
{
	struct cr_namespace ns = CR_NAMESPACE_NONE;
	struct cr_error err = { 0 };
	int fds[2];

	(void)state;
	if (geteuid() != 0)
		skip();
	for (int i = 0; i < 2; i++)
		fds[i] = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	assert_int_equal(cr_namespace_create(CR_NAMESPACE_DIES_WITH_CALLER, 0,
					     0, &ns, &err),
			 0);
	assert_true(first_terminal(ns.init_fd) > 0);
	cr_namespace_destroy(&ns);
	for (int i = 0; i < 2; i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			own_terminals_begin_at_0_whatever_the_node_has),
		cmocka_unit_test(without_them_there_are_those_of_the_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
