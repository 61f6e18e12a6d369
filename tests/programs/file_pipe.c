/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_pipe.c - pipes with their contents, sizes, flags and missing ends;
 * packets stay packets
 */
#include <sys/ioctl.h>

#include "program.h"

static char content[100000];

static void child(void *arg)
{
	int *ends = arg;

	program_await("check");
	CHECK(write(ends[1], "tail", 4) == 4, "%s", strerror(errno));
}

static void check_big(int fd)
{
	static char got[sizeof(content) + 8];
	ssize_t nr, length = 0;

	CHECK(fcntl(fd, F_GETPIPE_SZ) == 1 << 18, "size %d",
	      fcntl(fd, F_GETPIPE_SZ));
	while (length < (ssize_t)sizeof(content) + 4) {
		nr = read(fd, got + length, sizeof(got) - (size_t)length);
		if (nr <= 0)
			break;
		length += nr;
	}
	CHECK(length == (ssize_t)sizeof(content) + 4, "%zd bytes", length);
	CHECK(memcmp(got, content, sizeof(content)) == 0, "contents");
	CHECK(memcmp(got + sizeof(content), "tail", 4) == 0, "child's bytes");
}

int main(int argc, char **argv)
{
	int big[2], ended[2], broken[2], packets[2], empty[2];
	char got[16];
	pid_t pid;

	program_start(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	program_fill(content, sizeof(content), 9);
	NEED(pipe(big));
	NEED(fcntl(big[0], F_SETPIPE_SZ, 1 << 18));
	NEED(write(big[1], content, sizeof(content)));
	NEED(pipe(ended));
	NEED(write(ended[1], "last", 4));
	close(ended[1]);
	NEED(pipe(broken));
	close(broken[0]);
	NEED(pipe2(packets, O_DIRECT | O_CLOEXEC));
	NEED(write(packets[1], "ab", 2));
	NEED(write(packets[1], "cde", 3));
	NEED(pipe2(empty, O_NONBLOCK));
	pid = program_child(child, big);

	program_ready();

	program_join(pid);
	check_big(big[0]);
	CHECK(read(ended[0], got, 16) == 4 && read(ended[0], got, 16) == 0,
	      "pipe without a writer");
	CHECK(write(broken[1], "x", 1) < 0 && errno == EPIPE,
	      "pipe without a reader");
	CHECK(read(packets[0], got, 16) == 2 && read(packets[0], got, 16) == 3,
	      "packets");
	CHECK(fcntl(packets[0], F_GETFD) == FD_CLOEXEC, "close on exec");
	CHECK(read(empty[0], got, 16) < 0 && errno == EAGAIN, "O_NONBLOCK");
	CHECK(write(empty[1], "e", 1) == 1 && read(empty[0], got, 1) == 1,
	      "empty pipe");
	return program_result();
}
