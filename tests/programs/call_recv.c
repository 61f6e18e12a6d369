/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_recv.c - recvmsg(2) on a Unix datagram socket
 */
#include <sys/socket.h>

#include "program.h"

static int pair[2];

static void wake(void *arg)
{
	(void)arg;
	CHECK(send(pair[1], "dgram", 5, 0) == 5, "send");
}

int main(int argc, char **argv)
{
	char got[16];
	struct iovec piece = { got, sizeof(got) };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
	ssize_t nr;
	pid_t waker;

	program_start(argc, argv);
	NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	waker = program_waker(SYS_recvmsg, 20, wake, NULL);

	nr = recvmsg(pair[0], &message, 0);

	CHECK(nr == 5 && memcmp(got, "dgram", 5) == 0, "%zd, %s", nr,
	      strerror(errno));
	program_join(waker);
	return program_result();
}
