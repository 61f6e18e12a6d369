/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_flock.c - flock(2) that waits for the lock of another process
 */
#include <sys/file.h>

#include "program.h"

static void wake(void *arg)
{
	(void)arg;
	program_mark("unlock");
}

int main(int argc, char **argv)
{
	int fd, rc;
	pid_t holder;
	pid_t waker;

	program_start(argc, argv);
	program_mark("file");
	holder = NEED(fork());
	if (holder == 0) {
		fd = NEED(open("file", O_RDWR));
		NEED(flock(fd, LOCK_EX));
		program_mark("locked");
		program_await("unlock");
		program_nap(50);
		_exit(0);
	}
	program_await("locked");
	fd = NEED(open("file", O_RDWR));
	waker = program_waker(SYS_flock, 20, wake, NULL);

	rc = flock(fd, LOCK_EX);

	CHECK(rc == 0, "%s", strerror(errno));
	CHECK(access("unlock", F_OK) == 0, "got the lock too early");
	program_join(holder);
	program_join(waker);
	return program_result();
}
