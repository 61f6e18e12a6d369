/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay_peer.c - who connects to the relay: the step's ranks, or somebody else
 *
 * Anybody on the node can connect to a port of 127.0.0.1.  The server asks its
 * clients for credentials; but after a restart it is the relay that has them,
 * and a connection is known by its client's port, which says nothing unless its
 * address is always the same.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay.h"

#define ESTABLISHED 1u /* as /proc/net/tcp has it */

/* The user of the socket that is connected from @port to @to, both of
 * 127.0.0.1; -1: there is none. */
static int64_t user_of(uint16_t port, uint16_t to)
{
	const uint32_t loopback = htonl(INADDR_LOOPBACK);
	unsigned int from_address, from, to_address, peer, state, uid;
	FILE *file = fopen("/proc/net/tcp", "re");
	int64_t found = -1;
	char line[256];

	while (file && found < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, " %*d: %8X:%4X %8X:%4X %2X %*s %*s %*s %u",
			   &from_address, &from, &to_address, &peer, &state,
			   &uid) == 6 &&
		    from_address == loopback && to_address == loopback &&
		    from == port && peer == to && state == ESTABLISHED)
			found = uid;
	if (file)
		fclose(file);
	return found;
}

int relay_peer_is_ours(int fd)
{
	struct sockaddr_in peer = { 0 }, own = { 0 };
	socklen_t length = sizeof(peer);
	int64_t user;

	if (getpeername(fd, (struct sockaddr *)&peer, &length) < 0 ||
	    peer.sin_family != AF_INET ||
	    peer.sin_addr.s_addr != htonl(INADDR_LOOPBACK))
		return 0;
	length = sizeof(own);
	getsockname(fd, (struct sockaddr *)&own, &length);
	user = user_of(ntohs(peer.sin_port), ntohs(own.sin_port));
	/* a restarter is root */
	return user == 0 || user == (int64_t)geteuid();
}
