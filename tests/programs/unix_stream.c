/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unix_stream.c - a stream socket pair between parent and child with data on
 * the way both ways, one that was half shut down, one whose peer is closed
 */
#include <sys/socket.h>

#include "program.h"

static int pair[2], half[2], lone[2];
static char content[60000];

static ssize_t read_all(int fd, char *to, size_t length)
{
	size_t done = 0;
	ssize_t nr = 1;

	while (done < length && nr > 0) {
		nr = read(fd, to + done, length - done);
		done += nr > 0 ? (size_t)nr : 0;
	}
	return (ssize_t)done;
}

static void child(void *arg)
{
	static char got[sizeof(content)];

	(void)arg;
	NEED(write(pair[1], "to parent", 9));
	program_mark("child");
	program_await("check");
	CHECK(read_all(pair[1], got, sizeof(got)) == sizeof(got) &&
		      memcmp(got, content, sizeof(got)) == 0,
	      "contents");
	CHECK(write(pair[1], " again", 6) == 6, "%s", strerror(errno));
}

int main(int argc, char **argv)
{
	char got[32] = "";
	pid_t pid;

	program_start(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	program_fill(content, sizeof(content), 4);
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, half));
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, lone));
	NEED(write(pair[0], content, sizeof(content)));
	NEED(write(half[1], "rest", 4));
	NEED(shutdown(half[1], SHUT_WR));
	NEED(write(lone[1], "bye", 3));
	close(lone[1]);
	pid = program_child(child, NULL);
	program_await("child");

	program_ready();

	program_join(pid);
	CHECK(read_all(pair[0], got, 15) == 15 &&
		      strcmp(got, "to parent again") == 0,
	      "read `%s'", got);
	CHECK(read(half[0], got, 32) == 4 && read(half[0], got, 32) == 0,
	      "half shut down");
	CHECK(write(half[0], "x", 1) == 1 && read(half[1], got, 1) == 1,
	      "the other half");
	CHECK(read(lone[0], got, 32) == 3 && read(lone[0], got, 32) == 0,
	      "without a peer");
	CHECK(write(lone[0], "x", 1) < 0 && errno == EPIPE, "to no peer");
	return program_result();
}
