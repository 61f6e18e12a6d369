/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_epoll.c - an epoll set of a listener and connections, one of them ready
 */
#include <sys/epoll.h>

#include "tcp.h"

static int wait_for(int epoll, int timeout_ms)
{
	struct epoll_event event = { .data.u32 = 99 };
	int nr = epoll_wait(epoll, &event, 1, timeout_ms);

	return nr == 1 ? (int)event.data.u32 : -nr;
}

static void add(int epoll, int fd, uint32_t events, uint32_t data)
{
	struct epoll_event event = { .events = events, .data.u32 = data };

	NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

int main(int argc, char **argv)
{
	int ready[2], idle[2], epoll, client;
	struct tcp_server server;
	char byte;

	program_start(argc, argv);
	server = tcp_listen(AF_INET, "127.0.0.1", 5);
	tcp_pair(&server, ready);
	tcp_pair(&server, idle);
	epoll = NEED(epoll_create1(0));
	add(epoll, server.fd, EPOLLIN, 1);
	add(epoll, ready[1], EPOLLIN | EPOLLRDHUP, 2);
	add(epoll, idle[1], EPOLLIN | EPOLLRDHUP, 3);
	NEED(write(ready[0], "r", 1));

	program_ready();

	CHECK(wait_for(epoll, 0) == 2, "ready");
	CHECK(read(ready[1], &byte, 1) == 1 && byte == 'r', "read");
	CHECK(wait_for(epoll, 0) == 0, "nobody");
	CHECK(write(idle[0], "i", 1) == 1, "%s", strerror(errno));
	CHECK(wait_for(epoll, 1000) == 3, "idle");
	CHECK(read(idle[1], &byte, 1) == 1 && byte == 'i', "read");
	client = tcp_connect(&server);
	CHECK(wait_for(epoll, 1000) == 1, "listener");
	close(accept(server.fd, NULL, NULL));
	close(client);
	close(ready[0]);
	CHECK(wait_for(epoll, 1000) == 2, "closed");
	return program_result();
}
