/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_select.c - select(3), which is pselect6(2), with a timeout
 */
#include <sys/select.h>

#include "program.h"

int main(int argc, char **argv)
{
	struct timeval time = { CALL_MS / 1000, CALL_MS % 1000 * 1000 };
	int ends[2], rc;
	fd_set set;
	uint64_t start;
	pid_t waker;

	program_start(argc, argv);
	NEED(pipe(ends));
	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	waker = program_waker(SYS_pselect6, CALL_READY_MS, NULL, NULL);
	start = program_now(CLOCK_MONOTONIC);

	rc = select(ends[0] + 1, &set, NULL, NULL, &time);

	program_check_elapsed(start);
	CHECK(rc == 0, "%d, %s", rc, strerror(errno));
	program_join(waker);
	return program_result();
}
