/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_tcp.c - a TCP connection to somebody outside is refused by name, and
 * goes on working
 */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "program.h"

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int listener, client, server;
	char byte = 0;

	program_start(argc, argv);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = NEED(socket(AF_INET, SOCK_STREAM, 0));
	NEED(bind(listener, (void *)&address, sizeof(address)));
	NEED(getsockname(listener, (void *)&address, &length));
	NEED(listen(listener, 1));
	client = NEED(socket(AF_INET, SOCK_STREAM, 0));
	NEED(connect(client, (void *)&address, sizeof(address)));
	server = NEED(accept(listener, NULL, NULL));
	close(listener);
	program_expect_refusal(client);

	program_ready();

	CHECK(write(client, "t", 1) == 1, "%s", strerror(errno));
	CHECK(read(server, &byte, 1) == 1 && byte == 't', "read %d", byte);
	return program_result();
}
