/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_recv_timeout.c - recv(2) on a socket with SO_RCVTIMEO ends with EAGAIN,
 * not earlier than it should.  (Its time begins again: the kernel does not tell
 * how much of it is left, and the call has no argument for it.)
 */
#include <sys/socket.h>
#include <sys/time.h>

#include "program.h"

int main(int argc, char **argv)
{
	struct timeval time = { CALL_MS / 1000, CALL_MS % 1000 * 1000 };
	int pair[2];
	ssize_t rc;
	char byte;
	uint64_t start;
	pid_t waker;

	program_start(argc, argv);
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	NEED(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
	waker = program_waker(SYS_recvfrom, CALL_READY_MS, NULL, NULL);
	start = program_now(CLOCK_MONOTONIC);

	rc = recv(pair[0], &byte, 1, 0);

	start = (program_now(CLOCK_MONOTONIC) - start) / 1000000;
	CHECK(start + 10 >= CALL_MS, "took %llu ms", (unsigned long long)start);
	CHECK(rc == -1 && errno == EAGAIN, "%zd, %s", rc, strerror(errno));
	program_join(waker);
	return program_result();
}
