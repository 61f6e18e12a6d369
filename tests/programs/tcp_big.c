/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_big.c - both queues of a connection full, MiB of them, both ways
 */
#include "tcp.h"

#define LENGTH (16u << 20)

static size_t fill(int fd, const char *content)
{
	size_t done = 0;
	ssize_t nr;
	int idle = 0;

	/* until nothing has fitted for a while */
	while (done < LENGTH && idle < 50) {
		nr = send(fd, content + done, LENGTH - done, MSG_DONTWAIT);
		if (nr > 0) {
			done += (size_t)nr;
			idle = 0;
		} else {
			program_nap(2);
			idle++;
		}
	}
	return done;
}

static void check(int fd, const char *content, size_t length)
{
	char *got = malloc(LENGTH);

	CHECK(tcp_read_all(fd, got, length) == (ssize_t)length, "%s",
	      strerror(errno));
	CHECK(!memcmp(got, content, length), "contents");
	CHECK(recv(fd, got, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "more");
	free(got);
}

int main(int argc, char **argv)
{
	int size = 4 << 20, pair[2];
	struct tcp_server server;
	size_t sent[2];
	char *content;

	program_start(argc, argv);
	content = malloc(LENGTH);
	program_fill(content, LENGTH, 9);
	server = tcp_listen(AF_INET, "127.0.0.1", 5);
	tcp_pair(&server, pair);
	NEED(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	sent[0] = fill(pair[0], content);
	sent[1] = fill(pair[1], content);

	program_ready();

	check(pair[1], content, sent[0]);
	check(pair[0], content, sent[1]);
	tcp_check_talk(pair[0], pair[1]);
	return program_result();
}
