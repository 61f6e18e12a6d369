/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_read.c - read(2) on an empty pipe
 */
#include "program.h"

static int ends[2];

static void wake(void *arg)
{
	(void)arg;
	CHECK(write(ends[1], "abc", 3) == 3, "write");
}

int main(int argc, char **argv)
{
	char got[8];
	ssize_t nr;
	pid_t waker;

	program_start(argc, argv);
	NEED(pipe(ends));
	waker = program_waker(SYS_read, 20, wake, NULL);

	nr = read(ends[0], got, sizeof(got));

	CHECK(nr == 3 && memcmp(got, "abc", 3) == 0, "%zd, %s", nr,
	      strerror(errno));
	program_join(waker);
	return program_result();
}
