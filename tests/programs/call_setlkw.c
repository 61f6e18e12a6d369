/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_setlkw.c - fcntl(2) F_SETLKW that waits for the lock of another process
 */
#include "program.h"

static void wake(void *arg)
{
	(void)arg;
	program_mark("unlock");
}

int main(int argc, char **argv)
{
	struct flock lock = { .l_type = F_WRLCK };
	int fd, rc;
	pid_t holder;
	pid_t waker;

	program_start(argc, argv);
	program_mark("file");
	fd = NEED(open("file", O_RDWR));
	holder = NEED(fork());
	if (holder == 0) {
		NEED(fcntl(fd, F_SETLK, &lock));
		program_mark("locked");
		program_await("unlock");
		program_nap(50);
		_exit(0);
	}
	program_await("locked");
	waker = program_waker(SYS_fcntl, 20, wake, NULL);

	rc = fcntl(fd, F_SETLKW, &lock);

	CHECK(rc == 0, "%s", strerror(errno));
	CHECK(access("unlock", F_OK) == 0, "got the lock too early");
	program_join(holder);
	program_join(waker);
	return program_result();
}
