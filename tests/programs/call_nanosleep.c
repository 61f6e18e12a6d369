/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_nanosleep.c - nanosleep(3) goes on with the time that remained
 */
#include "program.h"

int main(int argc, char **argv)
{
	struct timespec time = { CALL_MS / 1000, CALL_MS % 1000 * 1000000 };
	int rc;
	uint64_t start;
	pid_t waker;

	program_start(argc, argv);
	waker = program_waker(SYS_clock_nanosleep, CALL_READY_MS, NULL, NULL);
	start = program_now(CLOCK_MONOTONIC);

	rc = nanosleep(&time, NULL);

	program_check_elapsed(start);
	CHECK(rc == 0, "%d, %s", rc, strerror(errno));
	program_join(waker);
	return program_result();
}
