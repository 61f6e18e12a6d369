/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_accept.c - accept(2) on a named Unix socket
 */
#include <sys/socket.h>
#include <sys/un.h>

#include "program.h"

static const struct sockaddr_un address = { AF_UNIX, "socket" };

static void wake(void *arg)
{
	int fd = NEED(socket(AF_UNIX, SOCK_STREAM, 0));

	(void)arg;
	CHECK(connect(fd, (const void *)&address, sizeof(address)) == 0, "%s",
	      strerror(errno));
	CHECK(write(fd, "c", 1) == 1, "write");
}

int main(int argc, char **argv)
{
	int listener, fd;
	char byte = 0;
	pid_t waker;

	program_start(argc, argv);
	listener = NEED(socket(AF_UNIX, SOCK_STREAM, 0));
	NEED(bind(listener, (const void *)&address, sizeof(address)));
	NEED(listen(listener, 5));
	waker = program_waker(SYS_accept, 20, wake, NULL);

	fd = accept(listener, NULL, NULL);

	CHECK(fd >= 0, "%s", strerror(errno));
	CHECK(read(fd, &byte, 1) == 1 && byte == 99, "read %d", byte);
	program_join(waker);
	return program_result();
}
