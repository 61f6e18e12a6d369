/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_v6.c - connections by IPv6, and by IPv4 to a socket of IPv6
 */
#include "tcp.h"

int main(int argc, char **argv)
{
	struct tcp_server server, mapped, v4;
	int pair[2], mixed[2];
	char names[4][128], text[128], got[16] = "";

	program_start(argc, argv);
	server = tcp_listen(AF_INET6, "::1", 5);
	tcp_pair(&server, pair);
	mapped = tcp_listen(AF_INET6, "::", 5);
	v4.address.in = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = mapped.address.in6.sin6_port,
	};
	v4.length = sizeof(v4.address.in);
	mixed[0] = tcp_connect(&v4);
	mixed[1] = NEED(accept(mapped.fd, NULL, NULL));
	tcp_names(pair[0], names[0]);
	tcp_names(pair[1], names[1]);
	tcp_names(mixed[0], names[2]);
	tcp_names(mixed[1], names[3]);
	NEED(write(pair[0], "six", 3));
	NEED(write(mixed[1], "four", 4));

	program_ready();

	CHECK(!strcmp(tcp_names(pair[0], text), names[0]), "%s", text);
	CHECK(!strcmp(tcp_names(pair[1], text), names[1]), "%s", text);
	CHECK(!strcmp(tcp_names(mixed[0], text), names[2]), "%s", text);
	CHECK(!strcmp(tcp_names(mixed[1], text), names[3]), "%s", text);
	CHECK(read(pair[1], got, 16) == 3 && !strcmp(got, "six"), "%s", got);
	CHECK(read(mixed[0], got, 16) == 4 && !strcmp(got, "four"), "%s", got);
	tcp_check_talk(pair[0], pair[1]);
	tcp_check_talk(mixed[0], mixed[1]);
	tcp_pair(&server, pair);
	tcp_check_talk(pair[0], pair[1]);
	return program_result();
}
