/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_lead_net.c - the lead's connections
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "agent_peers.h"
#include "ports.h"

#define BACKLOG 4096
#define STRANGERS 64 /* connections that are nobody's, beside a node each */

/* --- sending --- */

void agent_lead_send(struct agent *agent, uint32_t node,
		     const struct cr_peer_message *message)
{
	struct agent_peer *peer = &agent->lead->peers[node];
	struct cr_peer_message copy = *message;

	if (peer->state != AGENT_PEER_PRESENT)
		return;
	if (node == 0)
		agent_local_to_member(agent, message);
	else
		agent_link_send(peer->link, &copy);
}

void agent_lead_send_all(struct agent *agent,
			 const struct cr_peer_message *message)
{
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++)
		agent_lead_send(agent, i, message);
}

/* --- hearing --- */

/* Of a link that has said HELLO, and has not been replaced since. */
static int node_of(struct agent *agent, const struct agent_link *link)
{
	const uint32_t node = link->expect.from;

	if (link->expect.any_from || agent->lead->peers[node].link != link)
		return -1;
	return (int)node;
}

static void forget_pending(struct agent_link *link)
{
	if (link->place)
		*link->place = NULL;
	link->place = NULL;
}

static void lost(struct agent_link *link)
{
	struct agent *agent = link->agent;
	int node = node_of(agent, link);

	forget_pending(link);
	if (node > 0)
		agent->lead->peers[node].link = NULL;
	agent_link_destroy(link);
	if (node > 0)
		agent_lead_lost(agent, (uint32_t)node);
}

void agent_lead_drop(struct agent *agent, uint32_t node)
{
	if (agent->lead->peers[node].link)
		lost(agent->lead->peers[node].link);
}

static void heard(struct agent_link *link,
		  const struct cr_peer_message *message)
{
	struct agent *agent = link->agent;
	int node = node_of(agent, link);

	if (node > 0)
		agent_lead_hear(agent, (uint32_t)node, message);
}

/* The first message: now we know who it is.  A node that comes again has lost
 * its old connection, even if we have not noticed. */
static void heard_first(struct agent_link *link,
			const struct cr_peer_message *message)
{
	struct agent *agent = link->agent;
	struct agent_peer *peer = &agent->lead->peers[message->from];

	if (message->type != CR_PEER_HELLO || peer->state == AGENT_PEER_LEFT) {
		agent_log(agent, LOG_WARNING, "dropped: %s of node %u first",
			  cr_peer_type_name(message->type), message->from);
		lost(link);
		return;
	}
	forget_pending(link);
	if (peer->link)
		lost(peer->link);
	link->expect.any_from = 0;
	link->expect.from = message->from;
	link->expect.session = message->session;
	link->heard = heard;
	peer->link = link;
	peer->state = AGENT_PEER_PRESENT;
	peer->heard_ms = agent_now_ms();
	snprintf(peer->host, sizeof(peer->host), "%.63s", message->text);
	agent_lead_came(agent, message->from);
}

/* All nodes may come at once; when there is no place more, the one goes that
 * has been silent for longest. */
static struct agent_link **find_place(struct agent_lead *lead)
{
	static size_t next;
	size_t i;

	next = (next + 1) % lead->nr_pending;
	for (i = 1; i < lead->nr_pending && lead->pending[next]; i++)
		next = (next + 1) % lead->nr_pending;
	if (lead->pending[next])
		agent_link_destroy(lead->pending[next]);
	return &lead->pending[next];
}

static void accepted(struct evconnlistener *listener, evutil_socket_t fd,
		     struct sockaddr *address, int length, void *arg)
{
	struct agent *agent = arg;
	struct agent_link *link = agent_link_create(agent, (int)fd);

	(void)listener;
	(void)address;
	(void)length;
	if (!link) {
		close((int)fd);
		return;
	}
	link->heard = heard_first;
	link->lost = lost;
	link->expect = (struct cr_peer_expect){
		.job = agent->step->job,
		.step = agent->step->step,
		.to = 0,
		.any_from = 1,
		.nr_nodes = agent->step->nr_nodes,
	};
	memcpy(link->expect.nonce, agent->lead->rendezvous.nonce,
	       CR_PEER_NONCE);
	link->place = find_place(agent->lead);
	*link->place = link;
}

/* On all addresses, of both kinds if there are both. */
static int open_listener(uint16_t *portp)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	int zero = 0, port = -1, fd;

	fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    !setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)))
		port = cr_ports_bind(fd, (struct sockaddr *)&in6, sizeof(in6));
	if (port < 0) {
		if (fd >= 0)
			close(fd);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			    0);
		if (fd < 0)
			return -errno;
		port = cr_ports_bind(fd, (struct sockaddr *)&in, sizeof(in));
	}
	if (port >= 0 && listen(fd, BACKLOG) < 0)
		port = -errno;
	if (port < 0) {
		close(fd);
		return port;
	}
	*portp = (uint16_t)port;
	return fd;
}

int agent_lead_listen(struct agent *agent, struct cr_error *err)
{
	struct agent_lead *lead = agent->lead;
	uint16_t port = 0;
	int fd, rc;

	lead->nr_pending = agent->step->nr_nodes + STRANGERS;
	lead->pending = calloc(lead->nr_pending, sizeof(struct agent_link *));
	if (!lead->pending)
		return cr_error_set(err, -ENOMEM, "no memory");
	fd = open_listener(&port);
	if (fd < 0)
		return cr_error_set(err, fd, "listen for the other nodes: %s",
				    strerror(-fd));
	lead->listener = evconnlistener_new(agent->base, accepted, agent,
					    LEV_OPT_CLOSE_ON_FREE |
						    LEV_OPT_CLOSE_ON_EXEC,
					    0, fd);
	if (!lead->listener) {
		close(fd);
		return cr_error_set(err, -ENOMEM, "no memory");
	}
	rc = cr_rendezvous_make(agent->step, port, &lead->rendezvous, err);
	if (!rc)
		rc = cr_rendezvous_write(agent->step_dirfd, &lead->rendezvous,
					 err);
	return rc;
}

void agent_lead_unlisten(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;

	if (lead->listener)
		evconnlistener_free(lead->listener);
	lead->listener = NULL;
	cr_rendezvous_remove(agent->step_dirfd, agent->step, &lead->rendezvous);
}
