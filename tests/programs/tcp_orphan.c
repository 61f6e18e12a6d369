/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_orphan.c - the other end has been closed with more written than the
 * receive queue takes, so that the rest is in nobody's hands but the kernel's
 */
#include "tcp.h"

#define LENGTH (16u << 20)

static size_t fill(int fd, const char *content)
{
	size_t done = 0;
	ssize_t nr;
	int idle = 0;

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

int main(int argc, char **argv)
{
	struct tcp_server server;
	char *content, *got;
	size_t sent;
	int pair[2];

	program_start(argc, argv);
	content = malloc(LENGTH);
	got = malloc(LENGTH);
	program_fill(content, LENGTH, 2);
	server = tcp_listen(AF_INET, "127.0.0.1", 5);
	tcp_pair(&server, pair);
	sent = fill(pair[1], content);
	close(pair[1]);

	program_ready();

	CHECK(tcp_read_all(pair[0], got, sent) == (ssize_t)sent, "%s",
	      strerror(errno));
	CHECK(!memcmp(got, content, sent), "contents");
	CHECK(read(pair[0], got, 1) == 0, "%s", strerror(errno));
	return program_result();
}
