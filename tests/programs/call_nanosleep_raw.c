/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_nanosleep_raw.c - the raw nanosleep(2), with a place for what remains
 */
#include "program.h"

int main(int argc, char **argv)
{
	struct timespec time = { CALL_MS / 1000, CALL_MS % 1000 * 1000000 };
	struct timespec remaining = { 7, 7 };
	int rc;
	uint64_t start;
	pid_t waker;

	program_start(argc, argv);
	waker = program_waker(SYS_nanosleep, CALL_READY_MS, NULL, NULL);
	start = program_now(CLOCK_MONOTONIC);

	rc = (int)syscall(SYS_nanosleep, &time, &remaining);

	program_check_elapsed(start);
	CHECK(rc == 0, "%d, %s", rc, strerror(errno));
	program_join(waker);
	return program_result();
}
