/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unix_dgram.c - datagram and seqpacket sockets keep their messages apart and
 * in order
 */
#include <sys/socket.h>

#include "program.h"

static void fill(const int *pair)
{
	NEED(send(pair[0], "one", 3, 0));
	NEED(send(pair[0], "two..", 5, 0));
	NEED(send(pair[1], "back", 4, 0));
}

static void check(const int *pair, const char *what)
{
	char got[32];

	CHECK(recv(pair[1], got, 32, 0) == 3 && !memcmp(got, "one", 3),
	      "%s: first", what);
	CHECK(recv(pair[1], got, 32, 0) == 5 && !memcmp(got, "two..", 5),
	      "%s: second", what);
	CHECK(recv(pair[0], got, 32, 0) == 4 && !memcmp(got, "back", 4),
	      "%s: the other way", what);
	CHECK(recv(pair[0], got, 32, MSG_DONTWAIT) < 0 && errno == EAGAIN,
	      "%s: more", what);
	CHECK(send(pair[0], "new", 3, 0) == 3 && recv(pair[1], got, 32, 0) == 3,
	      "%s: a new one", what);
}

int main(int argc, char **argv)
{
	int dgram[2], packet[2];

	program_start(argc, argv);
	NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, dgram));
	NEED(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packet));
	fill(dgram);
	fill(packet);

	program_ready();

	check(dgram, "dgram");
	check(packet, "seqpacket");
	return program_result();
}
