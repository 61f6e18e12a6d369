/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_epoll_forever.c - epoll_pwait(2) without a timeout on an eventfd
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "program.h"

static int event_fd;

static void wake(void *arg)
{
	(void)arg;
	CHECK(eventfd_write(event_fd, 3) == 0, "write");
}

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll, rc;
	sigset_t set;
	pid_t waker;

	program_start(argc, argv);
	event_fd = NEED(eventfd(0, 0));
	epoll = NEED(epoll_create1(0));
	event.data.u64 = 77;
	NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, event_fd, &event));
	sigfillset(&set);
	waker = program_waker(SYS_epoll_pwait, 20, wake, NULL);

	rc = epoll_pwait(epoll, &event, 1, -1, &set);

	CHECK(rc == 1 && event.data.u64 == 77, "%d, %s", rc, strerror(errno));
	program_join(waker);
	return program_result();
}
