/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unix_empty.c - empty datagrams between others: in a pair, at a name from
 * senders with and without one, and with credentials.  (A kernel that was asked
 * to peek at one does not show it to the next who peeks, the second checkpoint
 * of the same process, or the first if the program itself has.)
 */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "program.h"

static socklen_t address_of(const char *name, struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	strcpy(address->sun_path, name);
	return sizeof(*address);
}

static int named(const char *name)
{
	int fd = NEED(socket(AF_UNIX, SOCK_DGRAM, 0));
	struct sockaddr_un address;

	NEED(bind(fd, (struct sockaddr *)&address, address_of(name, &address)));
	return fd;
}

static void send_to(int fd, const char *text)
{
	struct sockaddr_un address;

	NEED(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&address,
		    address_of("receiver", &address)));
}

/* The next datagram is @text, from @sender, sent by this process. */
static void expect(int fd, const char *text, const char *sender, int creds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
	struct sockaddr_un from = { .sun_family = AF_UNIX };
	char got[16] = "";
	struct iovec iov = { got, sizeof(got) - 1 };
	struct msghdr header = { .msg_name = &from,
				 .msg_namelen = sizeof(from),
				 .msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &header, MSG_DONTWAIT);
	struct cmsghdr *first = CMSG_FIRSTHDR(&header);
	struct ucred sent_by = { 0 };

	CHECK(n == (ssize_t)strlen(text) && !strcmp(got, text),
	      "`%s' (%zd bytes) instead of `%s'", got, n, text);
	CHECK(!strcmp(from.sun_path, sender), "`%s' from `%s' instead of `%s'",
	      text, from.sun_path, sender);
	CHECK((first != NULL) == creds, "`%s': credentials", text);
	if (!first)
		return;
	memcpy(&sent_by, CMSG_DATA(first), sizeof(sent_by));
	CHECK(sent_by.pid == getpid(), "`%s' was sent by %d", text,
	      sent_by.pid);
}

static void expect_end(int fd)
{
	char byte;

	CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "more");
}

static void pair(int type, int fds[2])
{
	NEED(socketpair(AF_UNIX, type, 0, fds));
	NEED(send(fds[0], "", 0, 0));
	NEED(send(fds[0], "one", 3, 0));
	NEED(send(fds[0], "", 0, 0));
	NEED(send(fds[0], "", 0, 0));
	NEED(send(fds[0], "two", 3, 0));
}

static void expect_pair(int fd)
{
	expect(fd, "", "", 0);
	expect(fd, "one", "", 0);
	expect(fd, "", "", 0);
	expect(fd, "", "", 0);
	expect(fd, "two", "", 0);
	expect_end(fd);
}

int main(int argc, char **argv)
{
	int datagram[2], packet[2], receiver, sender, nameless, one = 1;
	char byte;

	program_start(argc, argv);
	pair(SOCK_DGRAM, datagram);
	pair(SOCK_SEQPACKET, packet);
	NEED(recv(packet[1], &byte, 1, MSG_PEEK));
	receiver = named("receiver");
	sender = named("sender");
	nameless = NEED(socket(AF_UNIX, SOCK_DGRAM, 0));
	NEED(setsockopt(receiver, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	send_to(sender, "");
	send_to(nameless, "from nobody");
	send_to(nameless, "");
	send_to(sender, "last");

	program_ready();

	expect_pair(datagram[1]);
	expect_pair(packet[1]);
	expect(receiver, "", "sender", 1);
	expect(receiver, "from nobody", "", 1);
	expect(receiver, "", "", 1);
	expect(receiver, "last", "sender", 1);
	expect_end(receiver);
	return program_result();
}
