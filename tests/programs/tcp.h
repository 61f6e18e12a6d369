/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp.h - what the tcp_*.c of this folder share
 *
 * Ports are the kernel's choice: several of these run on one machine at once.
 */
#ifndef TCP_H
#define TCP_H

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "program.h"

/* States of TCP_INFO. */
enum {
	TCP_ESTABLISHED = 1,
	TCP_FIN_WAIT2 = 5,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
};

union tcp_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

/* Who listens, and where. */
struct tcp_server {
	int fd;
	union tcp_address address;
	socklen_t length;
};

static inline struct tcp_server tcp_listen(int family, const char *host,
					   int backlog)
{
	struct tcp_server server = { .address.any.sa_family =
					     (sa_family_t)family,
				     .length = sizeof(server.address) };
	void *to = family == AF_INET ? (void *)&server.address.in.sin_addr :
				       (void *)&server.address.in6.sin6_addr;
	int one = 1;

	if (inet_pton(family, host, to) != 1)
		program_die(__FILE__, __LINE__, host, EINVAL);
	server.fd = NEED(socket(family, SOCK_STREAM, 0));
	/* what is left of closed connections must not be in the way */
	NEED(setsockopt(server.fd, SOL_SOCKET, SO_REUSEADDR, &one,
			sizeof(one)));
	NEED(bind(server.fd, &server.address.any, sizeof(server.address)));
	NEED(getsockname(server.fd, &server.address.any, &server.length));
	NEED(listen(server.fd, backlog));
	return server;
}

static inline int tcp_connect(const struct tcp_server *server)
{
	int fd = NEED(socket(server->address.any.sa_family, SOCK_STREAM, 0));

	NEED(connect(fd, &server->address.any, server->length));
	return fd;
}

/* Client in @pair[0], server in @pair[1]. */
static inline void tcp_pair(const struct tcp_server *server, int pair[2])
{
	pair[0] = tcp_connect(server);
	pair[1] = NEED(accept(server->fd, NULL, NULL));
}

static inline ssize_t tcp_read_all(int fd, void *to, size_t length)
{
	size_t done = 0;
	ssize_t nr = 1;

	while (done < length && nr > 0) {
		nr = read(fd, (char *)to + done, length - done);
		done += nr > 0 ? (size_t)nr : 0;
	}
	return nr < 0 ? nr : (ssize_t)done;
}

static inline int tcp_state(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	NEED(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
	return info.tcpi_state;
}

static inline void tcp_await_state(int fd, int state)
{
	unsigned int waited;

	for (waited = 0; tcp_state(fd) != state; waited++) {
		if (waited > 5000)
			program_die(__FILE__, __LINE__, "state", ETIMEDOUT);
		program_nap(1);
	}
}

/* The names of both ends, as one text. */
static inline const char *tcp_names(int fd, char text[128])
{
	union tcp_address ends[2];
	socklen_t length = sizeof(ends[0]);
	char host[2][INET6_ADDRSTRLEN] = { "", "" };
	unsigned int port[2] = { 0, 0 };
	int i;

	memset(ends, 0, sizeof(ends));
	getsockname(fd, &ends[0].any, &length);
	length = sizeof(ends[1]);
	getpeername(fd, &ends[1].any, &length);
	for (i = 0; i < 2; i++) {
		int is_v4 = ends[i].any.sa_family == AF_INET;

		inet_ntop(ends[i].any.sa_family,
			  is_v4 ? (void *)&ends[i].in.sin_addr :
				  (void *)&ends[i].in6.sin6_addr,
			  host[i], sizeof(host[i]));
		port[i] = ntohs(is_v4 ? ends[i].in.sin_port :
					ends[i].in6.sin6_port);
	}
	snprintf(text, 128, "%s %u %s %u", host[0], port[0], host[1], port[1]);
	return text;
}

/* Both ends say something to each other. */
static inline void tcp_check_talk(int a, int b)
{
	char byte = 0;

	CHECK(send(a, "a", 1, MSG_NOSIGNAL) == 1, "%s", strerror(errno));
	CHECK(read(b, &byte, 1) == 1 && byte == 'a', "read %d", byte);
	CHECK(send(b, "b", 1, MSG_NOSIGNAL) == 1, "%s", strerror(errno));
	CHECK(read(a, &byte, 1) == 1 && byte == 'b', "read %d", byte);
}

#endif /* TCP_H */
