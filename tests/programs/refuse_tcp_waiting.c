/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_tcp_waiting.c - data on a TCP connection that nobody has accepted yet
 * cannot be read: refused by name, and goes on working
 */
#include "tcp.h"

int main(int argc, char **argv)
{
	struct tcp_server server;
	int client, fd, unsent = -1;
	char byte = 0;

	program_start(argc, argv);
	server = tcp_listen(AF_INET, "127.0.0.1", 5);
	client = tcp_connect(&server);
	NEED(write(client, "w", 1));
	while (unsent) {
		program_nap(1);
		NEED(ioctl(client, TIOCOUTQ, &unsent));
	}
	program_expect_refusal(client);

	program_ready();

	fd = accept(server.fd, NULL, NULL);
	CHECK(fd >= 0, "%s", strerror(errno));
	CHECK(read(fd, &byte, 1) == 1 && byte == 'w', "read %d", byte);
	tcp_check_talk(client, fd);
	return program_result();
}
