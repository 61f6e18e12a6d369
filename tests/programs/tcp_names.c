/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_names.c - sockets of both families at one port: bound or listening, in
 * both orders; and with a connection that lingers in TIME_WAIT at such a port
 */
#include "tcp.h"

#define NR_SOCKETS 2

struct one {
	int family, listens;
	int reuse_address, reuse_port;
	const char *host;
	int fd;
};

/* Each row is two sockets at one port, made in this order. */
static struct one pairs[][NR_SOCKETS] = {
	{ { AF_INET6, 0, 0, 0, "::", 0 }, { AF_INET, 0, 0, 0, "0.0.0.0", 0 } },
	{ { AF_INET, 1, 0, 0, "0.0.0.0", 0 }, { AF_INET6, 0, 0, 0, "::", 0 } },
	{ { AF_INET6, 0, 0, 0, "::", 0 }, { AF_INET, 1, 0, 0, "0.0.0.0", 0 } },
	{ { AF_INET6, 1, 0, 0, "::", 0 },
	  { AF_INET, 1, 0, 0, "127.0.0.1", 0 } },
	/* two names for the same, as both allow it */
	{ { AF_INET, 0, 1, 0, "0.0.0.0", 0 },
	  { AF_INET, 0, 1, 0, "127.0.0.1", 0 } },
	{ { AF_INET, 0, 1, 0, "127.0.0.1", 0 },
	  { AF_INET, 1, 1, 0, "0.0.0.0", 0 } },
	{ { AF_INET, 0, 0, 1, "0.0.0.0", 0 },
	  { AF_INET, 1, 0, 1, "0.0.0.0", 0 } },
};

#define NR_PAIRS (sizeof(pairs) / sizeof(pairs[0]))

/* IPv6 alone, so that the port is free for IPv4. */
static void make(struct one *one, uint16_t *port)
{
	union tcp_address address = { .any.sa_family =
					      (sa_family_t)one->family };
	socklen_t length = sizeof(address);
	int yes = 1;

	/* a port is at the same place in both */
	address.in.sin_port = *port;
	inet_pton(one->family, one->host,
		  one->family == AF_INET ? (void *)&address.in.sin_addr :
					   (void *)&address.in6.sin6_addr);
	one->fd = NEED(socket(one->family, SOCK_STREAM, 0));
	if (one->family == AF_INET6)
		NEED(setsockopt(one->fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes,
				sizeof(yes)));
	NEED(setsockopt(one->fd, SOL_SOCKET, SO_REUSEADDR, &one->reuse_address,
			sizeof(one->reuse_address)));
	NEED(setsockopt(one->fd, SOL_SOCKET, SO_REUSEPORT, &one->reuse_port,
			sizeof(one->reuse_port)));
	NEED(bind(one->fd, &address.any, sizeof(address)));
	NEED(getsockname(one->fd, &address.any, &length));
	*port = address.in.sin_port;
}

static void make_pair(struct one *pair)
{
	uint16_t port = 0;
	int i;

	for (i = 0; i < NR_SOCKETS; i++)
		make(&pair[i], &port);
	for (i = 0; i < NR_SOCKETS; i++)
		if (pair[i].listens)
			NEED(listen(pair[i].fd, 3));
}

/* The side that closes first keeps the port for a minute. */
static void leave_remains(int listener)
{
	struct tcp_server server = { .fd = listener,
				     .length = sizeof(server.address) };
	int pair[2];
	char byte;

	NEED(getsockname(listener, &server.address.any, &server.length));
	tcp_pair(&server, pair);
	close(pair[1]);
	CHECK(read(pair[0], &byte, 1) == 0, "%s", strerror(errno));
	close(pair[0]);
}

static void check(const struct one *one, const char *name)
{
	int value = -1, is_listening = -1;
	socklen_t length = sizeof(value);
	char text[128];

	CHECK(!strcmp(tcp_names(one->fd, text), name), "%s, was %s", text,
	      name);
	getsockopt(one->fd, SOL_SOCKET, SO_REUSEADDR, &value, &length);
	CHECK(value == one->reuse_address, "%s: SO_REUSEADDR %d", name, value);
	getsockopt(one->fd, SOL_SOCKET, SO_REUSEPORT, &value, &length);
	CHECK(value == one->reuse_port, "%s: SO_REUSEPORT %d", name, value);
	getsockopt(one->fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length);
	CHECK(is_listening == one->listens, "%s: listens %d", name,
	      is_listening);
}

int main(int argc, char **argv)
{
	char names[NR_PAIRS][NR_SOCKETS][128];
	size_t i, k;

	program_start(argc, argv);
	for (i = 0; i < NR_PAIRS; i++) {
		make_pair(pairs[i]);
		for (k = 0; k < NR_SOCKETS; k++)
			tcp_names(pairs[i][k].fd, names[i][k]);
	}
	leave_remains(pairs[2][1].fd);

	program_ready();

	for (i = 0; i < NR_PAIRS; i++)
		for (k = 0; k < NR_SOCKETS; k++)
			check(&pairs[i][k], names[i][k]);
	return program_result();
}
