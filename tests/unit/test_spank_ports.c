/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_ports.c - the ports at which we listen
 */
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "ports.h"

static int bind_one(int family, int *portp)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	*portp = family == AF_INET6 ?
			 cr_ports_bind(fd, (struct sockaddr *)&in6,
				       sizeof(in6)) :
			 cr_ports_bind(fd, (struct sockaddr *)&in, sizeof(in));
	return fd;
}

static int bound_port(int fd)
{
	struct sockaddr_in6 address;
	socklen_t length = sizeof(address);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length),
			 0);
	return ntohs(address.sin6_port);
}

static void it_is_not_of_the_kernels(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		int port, fd = bind_one(families[i], &port);

		assert_in_range(port, CR_PORT_FIRST,
				CR_PORT_FIRST + CR_NR_PORTS - 1);
		assert_int_equal(bound_port(fd), port);
		close(fd);
	}
}

/* 4500 descriptors, in a network of its own. */
static void take_all(int *fds)
{
	const struct rlimit limit = { 8192, 8192 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (unsigned int i = 0; i < CR_NR_PORTS; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		in.sin_port = htons((uint16_t)(CR_PORT_FIRST + i));
		assert_int_equal(bind(fds[i], (struct sockaddr *)&in,
				      sizeof(in)),
				 0);
	}
}

static void it_is_if_none_is_left(void **state)
{
	static int fds[CR_NR_PORTS];
	int port, fd;

	(void)state;
	if (unshare(CLONE_NEWNET))
		skip(); /* not root */
	take_all(fds);
	fd = bind_one(AF_INET, &port);
	assert_true(port > 0 && port < (int)CR_PORT_FIRST);
	assert_int_equal(bound_port(fd), port);
	close(fd);
	for (unsigned int i = 0; i < CR_NR_PORTS; i++)
		close(fds[i]);
}

static void what_cannot_be_bound_is_told(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	(void)state;
	assert_true(cr_ports_bind(-1, (struct sockaddr *)&in, sizeof(in)) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_not_of_the_kernels),
		cmocka_unit_test(what_cannot_be_bound_is_told),
		cmocka_unit_test(it_is_if_none_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
