/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_sigtimedwait.c - sigtimedwait(2) that times out
 */
#include "program.h"

int main(int argc, char **argv)
{
	struct timespec time = { CALL_MS / 1000, CALL_MS % 1000 * 1000000 };
	sigset_t set;
	int rc;
	uint64_t start;
	pid_t waker;

	program_start(argc, argv);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL));
	waker = program_waker(SYS_rt_sigtimedwait, CALL_READY_MS, NULL, NULL);
	start = program_now(CLOCK_MONOTONIC);

	rc = sigtimedwait(&set, NULL, &time);

	program_check_elapsed(start);
	CHECK(rc == -1 && errno == EAGAIN, "%d, %s", rc, strerror(errno));
	program_join(waker);
	return program_result();
}
