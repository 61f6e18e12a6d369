/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_lease_break.c - a lease that somebody wants to break, and who waits
 * for that: refused, and both go on
 */
#include "program.h"

static void breaker(void *arg)
{
	int fd = open("file", O_WRONLY);

	(void)arg;
	CHECK(fd >= 0, "open: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	pid_t pid;
	int fd;

	program_start(argc, argv);
	signal(SIGIO, SIG_IGN);
	fd = NEED(open("file", O_RDWR | O_CREAT, 0600));
	NEED(fcntl(fd, F_SETLEASE, F_WRLCK));
	pid = program_child(breaker, NULL);
	program_await_blocked(pid, SYS_openat);
	program_expect_refusal(fd);

	program_ready();

	NEED(fcntl(fd, F_SETLEASE, F_UNLCK));
	program_join(pid);
	return program_result();
}
