/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_passed_fd.c - a descriptor that is on the way through a Unix socket
 * (SCM_RIGHTS) is refused, and arrives; between datagrams, too, empty ones
 * among them, which come in the order in which they were sent
 */
#include <sys/socket.h>

#include "program.h"

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

static void send_with(int to, const char *text, int fd)
{
	union control control = { 0 };
	struct iovec piece = { (void *)(uintptr_t)text, strlen(text) };
	struct msghdr message = { .msg_iov = &piece,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	NEED(sendmsg(to, &message, 0));
}

/* The next is @text, with another number for @fd, or (-1) without any. */
static void expect(int from, const char *text, int fd)
{
	union control control = { 0 };
	char got[16] = "";
	struct iovec piece = { got, sizeof(got) - 1 };
	struct msghdr message = { .msg_iov = &piece,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(from, &message, MSG_DONTWAIT);
	int passed;

	CHECK(n == (ssize_t)strlen(text) && !strcmp(got, text),
	      "`%s' (%zd bytes) instead of `%s'", got, n, text);
	CHECK((CMSG_FIRSTHDR(&message) != NULL) == (fd >= 0),
	      "`%s': descriptors", text);
	if (!CMSG_FIRSTHDR(&message) || fd < 0)
		return;
	memcpy(&passed, CMSG_DATA(&control.header), sizeof(int));
	CHECK(program_same_file(getpid(), passed, getpid(), fd),
	      "`%s': another file came", text);
	close(passed);
}

/* What lies before, between and behind; the last two are empty, and are seen by
 * a second look only if the first has not hidden them. */
static void send_many(int type, int pair[2], int fd)
{
	NEED(socketpair(AF_UNIX, type, 0, pair));
	NEED(send(pair[0], "", 0, 0));
	NEED(send(pair[0], "one", 3, 0));
	send_with(pair[0], "two", fd);
	NEED(send(pair[0], "", 0, 0));
	NEED(send(pair[0], "three", 5, 0));
	send_with(pair[0], "", fd);
	NEED(send(pair[0], "", 0, 0));
}

static void expect_many(int from, int fd)
{
	expect(from, "", -1);
	expect(from, "one", -1);
	expect(from, "two", fd);
	expect(from, "", -1);
	expect(from, "three", -1);
	expect(from, "", fd);
	expect(from, "", -1);
	CHECK(recv(from, &(char){ 0 }, 1, MSG_DONTWAIT) < 0, "more");
}

int main(int argc, char **argv)
{
	int stream[2], datagram[2], packet[2], empty[2], ends[2];
	char refused[128];

	program_start(argc, argv);
	NEED(pipe(ends));
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, stream));
	send_with(stream[0], "b", ends[1]);
	send_many(SOCK_DGRAM, datagram, ends[1]);
	send_many(SOCK_SEQPACKET, packet, ends[1]);
	NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, empty));
	send_with(empty[0], "", ends[0]);
	snprintf(refused, sizeof(refused),
		 "fd %d\\b\nfd %d\\b\nfd %d\\b\nfd %d\\b\n", stream[1],
		 datagram[1], packet[1], empty[1]);
	program_write("refused", refused);

	program_ready();

	expect(stream[1], "b", ends[1]);
	expect_many(datagram[1], ends[1]);
	expect_many(packet[1], ends[1]);
	expect(empty[1], "", ends[0]);
	return program_result();
}
