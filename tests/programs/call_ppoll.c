/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_ppoll.c - ppoll(2) with a timeout and a signal mask, undone after it
 */
#include <poll.h>

#include "program.h"

int main(int argc, char **argv)
{
	struct timespec time = { CALL_MS / 1000, CALL_MS % 1000 * 1000000 };
	struct pollfd poll_fd;
	int ends[2], rc;
	sigset_t set;
	uint64_t start;
	pid_t waker;

	program_start(argc, argv);
	NEED(pipe(ends));
	poll_fd = (struct pollfd){ ends[0], POLLIN, 0 };
	sigfillset(&set);
	waker = program_waker(SYS_ppoll, CALL_READY_MS, NULL, NULL);
	start = program_now(CLOCK_MONOTONIC);

	rc = ppoll(&poll_fd, 1, &time, &set);

	program_check_elapsed(start);
	CHECK(rc == 0, "%d, %s", rc, strerror(errno));
	sigprocmask(SIG_SETMASK, NULL, &set);
	CHECK(!sigismember(&set, SIGUSR1), "mask of the call has stayed");
	program_join(waker);
	return program_result();
}
