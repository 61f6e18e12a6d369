/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_epoll_wait.c - epoll_wait(2) with a timeout
 */
#include <sys/epoll.h>

#include "program.h"

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ends[2], epoll, rc;
	uint64_t start;
	pid_t waker;

	program_start(argc, argv);
	NEED(pipe(ends));
	epoll = NEED(epoll_create1(0));
	NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event));
	waker = program_waker(SYS_epoll_wait, CALL_READY_MS, NULL, NULL);
	start = program_now(CLOCK_MONOTONIC);

	rc = epoll_wait(epoll, &event, 1, CALL_MS);

	program_check_elapsed(start);
	CHECK(rc == 0, "%d, %s", rc, strerror(errno));
	program_join(waker);
	return program_result();
}
