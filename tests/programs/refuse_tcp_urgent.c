/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_tcp_urgent.c - urgent data that nobody has read is refused by name,
 * and is still there
 */
#include "tcp.h"

int main(int argc, char **argv)
{
	struct pollfd poll_fd = { .events = POLLPRI };
	struct tcp_server server;
	char got[8] = "";
	int pair[2];

	program_start(argc, argv);
	server = tcp_listen(AF_INET, "127.0.0.1", 5);
	tcp_pair(&server, pair);
	NEED(write(pair[0], "before", 6));
	NEED(send(pair[0], "u", 1, MSG_OOB));
	NEED(write(pair[0], "after", 5));
	poll_fd.fd = pair[1];
	NEED(poll(&poll_fd, 1, 5000));
	program_expect_refusal(pair[1]);

	program_ready();

	CHECK(recv(pair[1], got, 8, MSG_OOB) == 1 && got[0] == 'u', "%s",
	      strerror(errno));
	CHECK(tcp_read_all(pair[1], got, 6) == 6 && !memcmp(got, "before", 6),
	      "read `%s'", got);
	CHECK(tcp_read_all(pair[1], got, 5) == 5 && !memcmp(got, "after", 5),
	      "read `%s'", got);
	return program_result();
}
