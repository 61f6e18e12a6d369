/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_nanosleep_until.c - clock_nanosleep(2) up to an absolute time
 */
#include "program.h"

int main(int argc, char **argv)
{
	struct timespec until;
	int rc;
	uint64_t start;
	pid_t waker;

	program_start(argc, argv);
	start = program_now(CLOCK_MONOTONIC);
	NEED(clock_gettime(CLOCK_MONOTONIC, &until));
	until.tv_sec += CALL_MS / 1000;
	until.tv_nsec += CALL_MS % 1000 * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	waker = program_waker(SYS_clock_nanosleep, CALL_READY_MS, NULL, NULL);

	rc = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);

	program_check_elapsed(start);
	CHECK(rc == 0, "%s", strerror(rc));
	program_join(waker);
	return program_result();
}
