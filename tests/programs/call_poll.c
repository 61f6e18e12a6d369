/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_poll.c - poll(2) with a timeout
 */
#include <poll.h>

#include "program.h"

int main(int argc, char **argv)
{
	struct pollfd poll_fd;
	int ends[2], rc;
	uint64_t start;
	pid_t waker;

	program_start(argc, argv);
	NEED(pipe(ends));
	poll_fd = (struct pollfd){ ends[0], POLLIN, 0 };
	waker = program_waker(SYS_poll, CALL_READY_MS, NULL, NULL);
	start = program_now(CLOCK_MONOTONIC);

	rc = poll(&poll_fd, 1, CALL_MS);

	program_check_elapsed(start);
	CHECK(rc == 0, "%d, %s", rc, strerror(errno));
	program_join(waker);
	return program_result();
}
