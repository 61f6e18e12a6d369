/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_listen.c - sockets without a connection: listening (also two at a port,
 * also for IPv6 alone), with a name only, with nothing at all; one of them
 * with buffers of its own sizes, dup'ed and in a child
 */
#include "tcp.h"

static struct tcp_server v4, v6;
static int shared[2], named, bare, only6;
static uint16_t port;

static void bind_shared(int fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int one = 1;

	NEED(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	NEED(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
	address.sin_port = port;
	NEED(bind(fd, (void *)&address, sizeof(address)));
	NEED(getsockname(fd, (void *)&address, &length));
	port = address.sin_port;
	NEED(listen(fd, 7));
}

/* At the same port as an IPv4 socket, so not for mapped addresses. */
static void bind_only6(void)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6,
					.sin6_addr = in6addr_any,
					.sin6_port = v4.address.in.sin_port };
	int one = 1;

	only6 = NEED(socket(AF_INET6, SOCK_STREAM, 0));
	NEED(setsockopt(only6, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)));
	NEED(bind(only6, (void *)&address, sizeof(address)));
	NEED(listen(only6, 3));
}

static void child(void *arg)
{
	int fd;

	(void)arg;
	program_await("check");
	fd = tcp_connect(&v4);
	CHECK(write(fd, "c", 1) == 1, "%s", strerror(errno));
}

/* The kernel doubles them, and a restart may not do so once more. */
static void set_buffers(int fd)
{
	int size = 40000;

	NEED(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	size = 50000;
	NEED(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
}

static int size_of(int fd, int option)
{
	int size = 0;
	socklen_t length = sizeof(size);

	NEED(getsockopt(fd, SOL_SOCKET, option, &size, &length));
	return size;
}

static void check_buffers(int fd)
{
	const int sent = size_of(fd, SO_SNDBUF), read = size_of(fd, SO_RCVBUF);

	CHECK(sent == 80000 && read == 100000, "buffers of %d and %d bytes",
	      sent, read);
}

static void check_names(void)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(getsockname(named, (void *)&address, &length) == 0 &&
		      address.sin_port != 0,
	      "port %u", ntohs(address.sin_port));
	CHECK(bind(fd, (void *)&address, sizeof(address)) < 0 &&
		      errno == EADDRINUSE,
	      "the name is free: %s", strerror(errno));
	CHECK(listen(named, 1) == 0, "%s", strerror(errno));
	CHECK(getsockname(shared[1], (void *)&address, &length) == 0 &&
		      address.sin_port == port,
	      "port %u", ntohs(address.sin_port));
	CHECK(connect(bare, (void *)&address, sizeof(address)) == 0, "%s",
	      strerror(errno));
}

int main(int argc, char **argv)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	struct tcp_info info;
	socklen_t length = sizeof(info);
	char byte = 0;
	int copy, fd;
	pid_t pid;

	program_start(argc, argv);
	v4 = tcp_listen(AF_INET, "127.0.0.1", 5);
	set_buffers(v4.fd);
	bind_only6();
	v6 = tcp_listen(AF_INET6, "::1", 0);
	shared[0] = NEED(socket(AF_INET, SOCK_STREAM, 0));
	bind_shared(shared[0]);
	shared[1] = NEED(socket(AF_INET, SOCK_STREAM, 0));
	bind_shared(shared[1]);
	named = NEED(socket(AF_INET, SOCK_STREAM, 0));
	NEED(bind(named, (void *)&any, sizeof(any)));
	bare = NEED(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	NEED(fcntl(bare, F_SETFL, 0));
	copy = NEED(dup(v4.fd));
	pid = program_child(child, NULL);

	program_ready();

	check_buffers(v4.fd);
	fd = accept(copy, NULL, NULL);
	CHECK(read(fd, &byte, 1) == 1 && byte == 'c', "read %d", byte);
	program_join(pid);
	NEED(getsockopt(v4.fd, IPPROTO_TCP, TCP_INFO, &info, &length));
	CHECK(info.tcpi_sacked == 5, "backlog %u", info.tcpi_sacked);
	close(tcp_connect(&v6));
	fd = accept(v6.fd, NULL, NULL);
	CHECK(fd >= 0, "%s", strerror(errno));
	check_names();
	return program_result();
}
