/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unix_named.c - a listening socket with a path, one with an abstract name, a
 * connection to it between two processes, a datagram socket with a path
 */
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "program.h"

static const struct sockaddr_un path = { AF_UNIX, "socket" };
static const struct sockaddr_un datagram = { AF_UNIX, "datagram" };
static struct sockaddr_un abstract = { AF_UNIX, "\0cr-test-abstract" };

static int make(int type, const struct sockaddr_un *address)
{
	int fd = NEED(socket(AF_UNIX, type, 0));

	NEED(bind(fd, (const void *)address, sizeof(*address)));
	if (type != SOCK_DGRAM)
		NEED(listen(fd, 8));
	return fd;
}

static int call(int type, const struct sockaddr_un *address)
{
	int fd = NEED(socket(AF_UNIX, type, 0));

	NEED(connect(fd, (const void *)address, sizeof(*address)));
	return fd;
}

static void client(void *arg)
{
	int fd = call(SOCK_STREAM, &path);
	char got[8] = "";

	(void)arg;
	NEED(write(fd, "c1", 2));
	program_await("check");
	CHECK(read(fd, got, 2) == 2 && strcmp(got, "s1") == 0, "read `%s'",
	      got);
	CHECK(write(fd, "c2", 2) == 2, "%s", strerror(errno));
}

static void check_anew(int listener, const struct sockaddr_un *address)
{
	int fd = call(SOCK_STREAM, address), accepted;
	char byte = 0;

	accepted = accept(listener, NULL, NULL);
	CHECK(accepted >= 0, "%s", strerror(errno));
	CHECK(write(fd, "n", 1) == 1 && read(accepted, &byte, 1) == 1 &&
		      byte == 'n',
	      "new connection");
	close(fd);
	close(accepted);
}

int main(int argc, char **argv)
{
	int listener, abstract_listener, receiver, server, sender;
	struct sockaddr_un name = { 0 };
	socklen_t length = sizeof(name);
	char got[8] = "";
	pid_t pid;

	program_start(argc, argv);
	/* abstract names are the network namespace's: tests run in parallel */
	NEED(getrandom(abstract.sun_path + 32, 16, 0));
	listener = make(SOCK_STREAM, &path);
	abstract_listener = make(SOCK_STREAM, &abstract);
	receiver = make(SOCK_DGRAM, &datagram);
	sender = call(SOCK_DGRAM, &datagram);
	NEED(send(sender, "d1", 2, 0));
	pid = program_child(client, NULL);
	server = NEED(accept(listener, NULL, NULL));

	program_ready();

	CHECK(write(server, "s1", 2) == 2, "%s", strerror(errno));
	program_join(pid);
	CHECK(read(server, got, 4) == 4 && memcmp(got, "c1c2", 4) == 0,
	      "read `%s'", got);
	CHECK(getsockname(listener, (void *)&name, &length) == 0 &&
		      strcmp(name.sun_path, "socket") == 0,
	      "name `%s'", name.sun_path);
	check_anew(listener, &path);
	check_anew(abstract_listener, &abstract);
	CHECK(recv(receiver, got, 8, 0) == 2 && memcmp(got, "d1", 2) == 0,
	      "datagram");
	CHECK(send(sender, "d2", 2, 0) == 2 && recv(receiver, got, 8, 0) == 2,
	      "%s", strerror(errno));
	return program_result();
}
