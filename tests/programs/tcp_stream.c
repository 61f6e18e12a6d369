/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_stream.c - a connection between parent and child with data on the way
 * both ways, and an idle one at the node's own address
 */
#include "tcp.h"

static int pair[2], own[2];
static char content[60000];
static char names[2][128];

static void child(void *arg)
{
	static char got[sizeof(content)];
	char text[128];

	(void)arg;
	NEED(write(pair[1], "to parent", 9));
	program_mark("child");
	program_await("check");
	CHECK(tcp_read_all(pair[1], got, sizeof(got)) == sizeof(got) &&
		      memcmp(got, content, sizeof(got)) == 0,
	      "contents");
	CHECK(write(pair[1], " again", 6) == 6, "%s", strerror(errno));
	CHECK(!strcmp(tcp_names(pair[1], text), names[1]), "%s", text);
}

int main(int argc, char **argv)
{
	struct tcp_server server, here;
	char got[32] = "", text[128];
	pid_t pid;

	program_start(argc, argv);
	program_fill(content, sizeof(content), 4);
	server = tcp_listen(AF_INET, "127.0.0.1", 5);
	tcp_pair(&server, pair);
	close(server.fd);
	here = tcp_listen(AF_INET, "0.0.0.0", 5);
	tcp_pair(&here, own);
	NEED(write(pair[0], content, sizeof(content)));
	tcp_names(pair[0], names[0]);
	tcp_names(pair[1], names[1]);
	pid = program_child(child, NULL);
	program_await("child");

	program_ready();

	program_join(pid);
	CHECK(tcp_read_all(pair[0], got, 15) == 15 &&
		      strcmp(got, "to parent again") == 0,
	      "read `%s'", got);
	CHECK(!strcmp(tcp_names(pair[0], text), names[0]), "%s", text);
	tcp_check_talk(pair[0], pair[1]);
	tcp_check_talk(own[1], own[0]);
	/* the listener is still there, and nothing waits at it */
	fcntl(here.fd, F_SETFL, O_NONBLOCK);
	CHECK(accept(here.fd, NULL, NULL) < 0 && errno == EAGAIN, "accept");
	return program_result();
}
