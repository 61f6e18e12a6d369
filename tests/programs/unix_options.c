/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unix_options.c - options of a Unix socket: buffer sizes, timeouts,
 * SO_PASSCRED
 */
#include <sys/socket.h>
#include <sys/time.h>

#include "program.h"

static int get(int fd, int option)
{
	socklen_t length = sizeof(int);
	int value = -1;

	getsockopt(fd, SOL_SOCKET, option, &value, &length);
	return value;
}

int main(int argc, char **argv)
{
	static const int options[] = { SO_SNDBUF, SO_RCVBUF, SO_PASSCRED,
				       SO_TYPE, SO_KEEPALIVE };
	struct timeval time = { 3, 500000 }, now = { 0 };
	socklen_t length = sizeof(now);
	int pair[2], before[5], size = 50000, on = 1, i;

	program_start(argc, argv);
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	NEED(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	NEED(setsockopt(pair[0], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
	NEED(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	NEED(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)));
	for (i = 0; i < 5; i++)
		before[i] = get(pair[0], options[i]);

	program_ready();

	for (i = 0; i < 5; i++)
		CHECK(get(pair[0], options[i]) == before[i],
		      "option %d is %d was %d", options[i],
		      get(pair[0], options[i]), before[i]);
	CHECK(get(pair[1], SO_PASSCRED) == 0, "SO_PASSCRED of the peer");
	CHECK(getsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &now, &length) ==
			      0 &&
		      now.tv_sec == 3 && now.tv_usec == 500000,
	      "timeout %ld s", (long)now.tv_sec);
	return program_result();
}
