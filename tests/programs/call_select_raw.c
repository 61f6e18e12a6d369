/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_select_raw.c - the raw select(2), which stores the time that remains
 */
#include <sys/select.h>

#include "program.h"

int main(int argc, char **argv)
{
	struct timeval time = { CALL_MS / 1000, CALL_MS % 1000 * 1000 };
	int rc;
	uint64_t start;
	pid_t waker;

	program_start(argc, argv);
	waker = program_waker(SYS_select, CALL_READY_MS, NULL, NULL);
	start = program_now(CLOCK_MONOTONIC);

	rc = (int)syscall(SYS_select, 0, NULL, NULL, NULL, &time);

	program_check_elapsed(start);
	CHECK(rc == 0, "%d, %s", rc, strerror(errno));
	CHECK(time.tv_sec == 0 && time.tv_usec == 0, "%ld s %ld us remain",
	      (long)time.tv_sec, (long)time.tv_usec);
	program_join(waker);
	return program_result();
}
