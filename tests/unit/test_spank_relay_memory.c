/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_relay_memory.c - without memory the relay closes what it was
 * given, and nothing else
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "relay.h"

#define ALLOCATIONS_MAX 16

/* Which allocation is to fail, from 1; and how many there have been. */
static unsigned int to_fail, nr_asked;

static int fails(void)
{
	return ++nr_asked == to_fail;
}

void *__real_calloc(size_t nr, size_t size);
void *__wrap_calloc(size_t nr, size_t size);
struct evbuffer *__real_evbuffer_new(void);
struct evbuffer *__wrap_evbuffer_new(void);
struct event *__real_event_new(struct event_base *base, evutil_socket_t fd,
			       short what, event_callback_fn callback,
			       void *arg);
struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd,
			       short what, event_callback_fn callback,
			       void *arg);

void *__wrap_calloc(size_t nr, size_t size)
{
	return fails() ? NULL : __real_calloc(nr, size);
}

struct evbuffer *__wrap_evbuffer_new(void)
{
	return fails() ? NULL : __real_evbuffer_new();
}

struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd,
			       short what, event_callback_fn callback,
			       void *arg)
{
	return fails() ? NULL : __real_event_new(base, fd, what, callback, arg);
}

static int is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int accept_one(struct relay *relay, int first, int second)
{
	close(second); /* it takes one only */
	return relay_connection_accept(relay, first) ? 0 : -ENOMEM;
}

static int open_pmi(struct relay *relay, int first, int second)
{
	return relay_pmi_open(relay, 0, 1, first, second);
}

/* Each allocation of @open fails once, until none does. */
static void check(int (*open)(struct relay *relay, int first, int second))
{
	/* what they still have is not freed, but known */
	static struct relay relays[2 * ALLOCATIONS_MAX], *relay = relays;
	int fds[2], rc;

	to_fail = 0;
	do {
		assert_true(to_fail < ALLOCATIONS_MAX);
		*relay = (struct relay){ .control = -1, .session = -1 };
		relay->base = event_base_new();
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		nr_asked = 0;
		to_fail++;
		rc = open(relay++, fds[0], fds[1]);
		assert_int_equal(rc, nr_asked < to_fail ? 0 : -ENOMEM);
		assert_true(is_open(0));
		assert_int_equal(is_open(fds[0]), !rc);
		if (rc)
			assert_false(is_open(fds[1]));
	} while (rc);
	assert_true(to_fail > 5);
}

static void a_connection_without_memory_is_closed(void **state)
{
	(void)state;
	check(accept_one);
}

static void a_pmi_client_without_memory_is_closed(void **state)
{
	(void)state;
	check(open_pmi);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_without_memory_is_closed),
		cmocka_unit_test(a_pmi_client_without_memory_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
