/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_wait.c - wait4(2) for a child that runs
 */
#include "program.h"

static void wake(void *arg)
{
	(void)arg;
	program_mark("end");
}

int main(int argc, char **argv)
{
	int status = -1;
	pid_t pid, got;
	pid_t waker;

	program_start(argc, argv);
	pid = NEED(fork());
	if (pid == 0) {
		program_await("end");
		_exit(5);
	}
	waker = program_waker(SYS_wait4, 20, wake, NULL);

	got = waitpid(pid, &status, 0);

	CHECK(got == pid && status == 5 << 8, "%d, status %#x, %s", got, status,
	      strerror(errno));
	program_join(waker);
	return program_result();
}
