/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unix_passing.c - what cannot be saved while it is under way, but is soon
 * over: connections that wait to be accepted, descriptors in flight; four
 * fifths of the time it is one of these
 */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "program.h"

#define HURDLE_MS 200
#define CLEAR_MS 100

static struct sockaddr_un name = { .sun_family = AF_UNIX };
static socklen_t name_length;

static void make_name(void)
{
	int n = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1,
			 "unix_passing.%d.%llu", getpid(),
			 (unsigned long long)program_now(CLOCK_MONOTONIC));

	name_length =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n);
}

/* As a server that comes round to it late. */
static void connect_and_accept(int listener)
{
	int client = NEED(socket(AF_UNIX, SOCK_STREAM, 0)), server;

	NEED(connect(client, (struct sockaddr *)&name, name_length));
	program_nap(HURDLE_MS);
	server = NEED(accept(listener, NULL, NULL));
	NEED(write(client, "a", 1));
	NEED(read(server, &(char){ 0 }, 1));
	close(client);
	close(server);
}

static void send_fd(int to, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct iovec iov = { (char[]){ 'f' }, 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	NEED(sendmsg(to, &message, 0));
}

static int receive_fd(int from)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { (char[]){ 0 }, 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int fd;

	NEED(recvmsg(from, &message, 0));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void pass_a_pipe(const int pair[2])
{
	int ends[2], passed;

	NEED(pipe(ends));
	send_fd(pair[0], ends[1]);
	program_nap(HURDLE_MS);
	passed = receive_fd(pair[1]);
	NEED(write(passed, "p", 1));
	NEED(read(ends[0], &(char){ 0 }, 1));
	close(passed);
	close(ends[0]);
	close(ends[1]);
}

int main(int argc, char **argv)
{
	int listener = NEED(socket(AF_UNIX, SOCK_STREAM, 0)), pair[2];

	program_start(argc, argv);
	make_name();
	NEED(bind(listener, (struct sockaddr *)&name, name_length));
	NEED(listen(listener, 5));
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	program_mark("ready");
	do {
		connect_and_accept(listener);
		pass_a_pipe(pair);
		program_nap(CLEAR_MS);
	} while (access("check", F_OK) < 0);
	return program_result();
}
