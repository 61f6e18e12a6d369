/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_many.c - 200 connections between four processes, all in use
 */
#include "tcp.h"

#define NR 200
#define CHILDREN 3

static struct tcp_server server;
static int ends[NR];

static void child(void *arg)
{
	const int self = (int)(intptr_t)arg;
	int clients[NR], i, number = -1;

	for (i = self; i < NR; i += CHILDREN) {
		clients[i] = tcp_connect(&server);
		NEED(write(clients[i], &i, sizeof(i)));
	}
	program_mark(self == 0 ? "child0" : self == 1 ? "child1" : "child2");
	program_await("check");
	for (i = self; i < NR; i += CHILDREN) {
		CHECK(tcp_read_all(clients[i], &number, sizeof(number)) ==
				      sizeof(number) &&
			      number == -i,
		      "connection %d: %d", i, number);
		CHECK(write(clients[i], &number, sizeof(number)) ==
			      sizeof(number),
		      "%s", strerror(errno));
	}
}

int main(int argc, char **argv)
{
	pid_t children[CHILDREN];
	int i, number, answer;

	program_start(argc, argv);
	server = tcp_listen(AF_INET, "127.0.0.1", NR);
	for (i = 0; i < CHILDREN; i++)
		children[i] = program_child(child, (void *)(intptr_t)i);
	for (i = 0; i < NR; i++)
		ends[i] = NEED(accept(server.fd, NULL, NULL));
	program_await("child0");
	program_await("child1");
	program_await("child2");

	program_ready();

	for (i = 0; i < NR; i++) {
		CHECK(tcp_read_all(ends[i], &number, sizeof(number)) ==
			      sizeof(number),
		      "%s", strerror(errno));
		answer = -number;
		CHECK(write(ends[i], &answer, sizeof(answer)) == sizeof(answer),
		      "%s", strerror(errno));
	}
	for (i = 0; i < NR; i++)
		CHECK(tcp_read_all(ends[i], &number, sizeof(number)) ==
			      sizeof(number),
		      "%s", strerror(errno));
	for (i = 0; i < CHILDREN; i++)
		program_join(children[i]);
	return program_result();
}
