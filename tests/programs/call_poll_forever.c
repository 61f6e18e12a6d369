/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_poll_forever.c - poll(2) without a timeout until something can be read
 */
#include <poll.h>

#include "program.h"

static int ends[2];

static void wake(void *arg)
{
	(void)arg;
	CHECK(write(ends[1], "x", 1) == 1, "write");
}

int main(int argc, char **argv)
{
	struct pollfd poll_fd;
	int rc;
	pid_t waker;

	program_start(argc, argv);
	NEED(pipe(ends));
	poll_fd = (struct pollfd){ ends[0], POLLIN, 0 };
	waker = program_waker(SYS_poll, 20, wake, NULL);

	rc = poll(&poll_fd, 1, -1);

	CHECK(rc == 1 && poll_fd.revents == POLLIN, "%d, events %#x, %s", rc,
	      poll_fd.revents, strerror(errno));
	program_join(waker);
	return program_result();
}
