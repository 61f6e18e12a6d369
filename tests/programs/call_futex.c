/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_futex.c - futex(2) FUTEX_WAIT with a relative timeout
 */
#include <linux/futex.h>

#include "program.h"

int main(int argc, char **argv)
{
	struct timespec time = { CALL_MS / 1000, CALL_MS % 1000 * 1000000 };
	uint32_t word = 1;
	long rc;
	uint64_t start;
	pid_t waker;

	program_start(argc, argv);
	waker = program_waker(SYS_futex, CALL_READY_MS, NULL, NULL);
	start = program_now(CLOCK_MONOTONIC);

	rc = syscall(SYS_futex, &word, FUTEX_WAIT, 1, &time, NULL, 0);

	program_check_elapsed(start);
	CHECK(rc == -1 && errno == ETIMEDOUT, "%ld, %s", rc, strerror(errno));
	program_join(waker);
	return program_result();
}
