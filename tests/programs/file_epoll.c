/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_epoll.c - epoll sets: data, events, edge and one-shot triggers that have
 * gone off, a set inside a set, a descriptor that was duplicated since
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "program.h"

static void add(int epoll, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

/* A set in which the end of a pair has gone off, and is off now: not even the
 * end of the other tells. */
static int add_off(const int pair[2])
{
	int set = NEED(epoll_create1(0));
	char byte;

	add(set, pair[0], EPOLLIN | EPOLLONESHOT, 10);
	NEED(write(pair[1], "x", 1));
	if (epoll_wait(set, &(struct epoll_event){ 0 }, 1, 0) != 1 ||
	    read(pair[0], &byte, 1) != 1)
		program_die(__FILE__, __LINE__, "off", 0);
	return set;
}

/* Data of the one event that is there, 0 if there is none. */
static uint64_t get(int epoll)
{
	struct epoll_event events[4];
	int nr = epoll_wait(epoll, events, 4, 0);

	CHECK(nr == 0 || nr == 1, "%d events", nr);
	return nr > 0 ? events[0].data.u64 : 0;
}

static void check_off(int set, const int pair[2])
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 11 };

	CHECK(get(set) == 0, "it was off");
	CHECK(close(pair[1]) == 0, "close");
	CHECK(get(set) == 0, "it was off, for errors too");
	CHECK(epoll_ctl(set, EPOLL_CTL_MOD, pair[0], &event) == 0, "on");
	CHECK(get(set) == 11, "it is on again");
}

int main(int argc, char **argv)
{
	int pipe_ends[2], socket_ends[2], pipe_set, socket_set;
	int level, edge, once, outer, inner, idle;
	int outer_set, inner_set, edge_set, once_set;

	program_start(argc, argv);
	level = NEED(eventfd(0, 0));
	edge = NEED(eventfd(0, 0));
	once = NEED(eventfd(1, 0));
	idle = NEED(eventfd(0, 0));
	outer_set = NEED(epoll_create1(EPOLL_CLOEXEC));
	inner_set = NEED(epoll_create1(0));
	edge_set = NEED(epoll_create1(0));
	once_set = NEED(epoll_create1(0));
	add(inner_set, level, EPOLLIN, 0x123456789abcdef0);
	add(inner_set, idle, EPOLLIN, 5);
	add(outer_set, inner_set, EPOLLIN, 7);
	add(edge_set, edge, EPOLLIN | EPOLLET, 8);
	add(once_set, once, EPOLLIN | EPOLLONESHOT, 9);
	if (get(once_set) != 9 || get(once_set) != 0)
		program_die(__FILE__, __LINE__, "one shot", 0);
	NEED(pipe(pipe_ends));
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, socket_ends));
	pipe_set = add_off(pipe_ends);
	socket_set = add_off(socket_ends);
	outer = NEED(dup(outer_set));
	inner = NEED(dup(inner_set));

	program_ready();

	CHECK(get(outer) == 0, "nothing has happened");
	CHECK(get(once_set) == 0, "one shot went off again");
	CHECK(eventfd_write(level, 1) == 0, "write");
	CHECK(get(inner) == 0x123456789abcdef0, "data of the inner set");
	CHECK(get(outer) == 7, "inner set in outer set");
	CHECK(get(edge_set) == 0, "edge without a write");
	CHECK(eventfd_write(edge, 1) == 0, "write");
	CHECK(get(edge_set) == 8, "edge");
	CHECK(get(edge_set) == 0, "edge twice");
	check_off(pipe_set, pipe_ends);
	check_off(socket_set, socket_ends);
	CHECK(fcntl(outer_set, F_GETFD) == FD_CLOEXEC, "close on exec");
	CHECK(epoll_ctl(inner_set, EPOLL_CTL_DEL, idle, NULL) == 0, "delete");
	return program_result();
}
