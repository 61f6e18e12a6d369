/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports.c - the ports at which we listen
 */
#include "ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#define TRIES 16

_Static_assert(offsetof(struct sockaddr_in, sin_port) ==
		       offsetof(struct sockaddr_in6, sin6_port),
	       "the port is at the same place for both");

static void set_port(struct sockaddr *address, unsigned int port)
{
	const in_port_t value = htons((uint16_t)port);

	memcpy((char *)address + offsetof(struct sockaddr_in, sin_port), &value,
	       sizeof(value));
}

static int chosen_by_kernel(int fd)
{
	struct sockaddr_in6 address;
	socklen_t length = sizeof(address);

	return getsockname(fd, (struct sockaddr *)&address, &length) ?
		       -errno :
		       ntohs(address.sin6_port);
}

int cr_ports_bind(int fd, struct sockaddr *address, socklen_t length)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t random = 0;
		unsigned int port;

		if (getrandom(&random, sizeof(random), 0) < 0)
			return -errno;
		port = CR_PORT_FIRST + random % CR_NR_PORTS;
		set_port(address, port);
		if (bind(fd, address, length) == 0)
			return (int)port;
		if (errno != EADDRINUSE)
			return -errno;
	}
	set_port(address, 0);
	return bind(fd, address, length) ? -errno : chosen_by_kernel(fd);
}
