/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unix_empty.c - an empty datagram between two others.  (Only once: a kernel
 * that was asked to peek at it does not show it to the next one who peeks, the
 * second checkpoint of the same process, though it is received in the end.)
 */
#include <sys/socket.h>

#include "program.h"

int main(int argc, char **argv)
{
	char got[8];
	int pair[2];

	program_start(argc, argv);
	NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	NEED(send(pair[0], "one", 3, 0));
	NEED(send(pair[0], "", 0, 0));
	NEED(send(pair[0], "three", 5, 0));

	program_ready();

	CHECK(recv(pair[1], got, 8, MSG_DONTWAIT) == 3, "first");
	CHECK(recv(pair[1], got, 8, MSG_DONTWAIT) == 0, "the empty one");
	CHECK(recv(pair[1], got, 8, MSG_DONTWAIT) == 5, "third");
	CHECK(recv(pair[1], got, 8, MSG_DONTWAIT) < 0, "more");
	return program_result();
}
