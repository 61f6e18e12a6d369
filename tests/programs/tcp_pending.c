/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_pending.c - connections that nobody has accepted yet, one of them shut
 * down by its client, and a connect under way that nobody waits for
 */
#include "tcp.h"

int main(int argc, char **argv)
{
	struct tcp_server server, full;
	struct pollfd poll_fd = { .events = POLLOUT };
	int client[3], under_way, fd, i, error = -1, nr_ended = 0;
	socklen_t length = sizeof(error);
	char byte = 0;

	program_start(argc, argv);
	server = tcp_listen(AF_INET, "127.0.0.1", 5);
	for (i = 0; i < 3; i++)
		client[i] = tcp_connect(&server);
	NEED(shutdown(client[2], SHUT_WR));
	tcp_await_state(client[2], TCP_FIN_WAIT2);
	full = tcp_listen(AF_INET, "127.0.0.1", 1);
	for (i = 0; i < 2; i++)
		tcp_connect(&full);
	under_way = NEED(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	if (connect(under_way, &full.address.any, full.length) == 0)
		program_die(__FILE__, __LINE__, "connected at once", EAGAIN);

	program_ready();

	for (i = 0; i < 3; i++) {
		fd = accept(server.fd, NULL, NULL);
		CHECK(fd >= 0, "%s", strerror(errno));
		if (recv(fd, &byte, 1, MSG_DONTWAIT) == 0) {
			nr_ended++;
			CHECK(write(fd, "z", 1) == 1, "%s", strerror(errno));
			CHECK(read(client[2], &byte, 1) == 1 && byte == 'z',
			      "read %d", byte);
		}
	}
	CHECK(nr_ended == 1, "%d are shut down", nr_ended);
	CHECK(write(client[0], "0", 1) == 1, "%s", strerror(errno));
	for (i = 0; i < 2; i++)
		CHECK(accept(full.fd, NULL, NULL) >= 0, "%s", strerror(errno));
	poll_fd.fd = under_way;
	CHECK(poll(&poll_fd, 1, 20000) == 1 && poll_fd.revents == POLLOUT,
	      "%#x", poll_fd.revents);
	NEED(getsockopt(under_way, SOL_SOCKET, SO_ERROR, &error, &length));
	CHECK(error == 0, "%s", strerror(error));
	fd = accept(full.fd, NULL, NULL);
	fcntl(under_way, F_SETFL, 0);
	tcp_check_talk(under_way, fd);
	return program_result();
}
