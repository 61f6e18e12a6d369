/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_passed_fd.c - a descriptor that is on the way through a Unix socket
 * (SCM_RIGHTS) is refused, and arrives
 */
#include <sys/socket.h>

#include "program.h"

int main(int argc, char **argv)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 'b';
	struct iovec piece = { &byte, 1 };
	struct msghdr message = { .msg_iov = &piece,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int pair[2], ends[2], got;

	program_start(argc, argv);
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	NEED(pipe(ends));
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &ends[1], sizeof(int));
	NEED(sendmsg(pair[0], &message, 0));
	program_expect_refusal(pair[1]);

	program_ready();

	CHECK(recvmsg(pair[1], &message, 0) == 1, "%s", strerror(errno));
	memcpy(&got, CMSG_DATA(&control.header), sizeof(int));
	CHECK(program_same_file(getpid(), got, getpid(), ends[1]),
	      "another file came");
	return program_result();
}
