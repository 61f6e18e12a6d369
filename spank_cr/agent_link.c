/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_link.c - a connection between two agents
 *
 * A message is a credential with its length before it (32 bits, network
 * order).  What is not genuine is dropped and logged; who sends a lot of
 * that, or no frames at all, is cut off.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "agent_peers.h"

#define DROPPED_MAX 20u
#define LOGGED_MAX 20u /* lines about dropped messages a minute */
#define MINUTE_MS 60000
#define INPUT_MAX (2ul * (CR_SEAL_TEXT_MAX + 4))
#define KEEPALIVE_IDLE 30 /* seconds; a peer that vanished is found then */
#define KEEPALIVE_INTERVAL 10
#define KEEPALIVE_COUNT 3

int64_t agent_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

int64_t agent_now_ms(void)
{
	return agent_now_us() / 1000;
}

static void lost(struct agent_link *link)
{
	if (!link->is_dead && link->lost)
		link->lost(link);
}

/* Anybody may connect: nobody may fill the log. */
static void log_dropped(const struct agent_link *link,
			const struct cr_error *why)
{
	static unsigned int nr_logged;
	static int64_t minute_ms;

	if (agent_now_ms() - minute_ms > MINUTE_MS) {
		minute_ms = agent_now_ms();
		nr_logged = 0;
	}
	if (nr_logged++ < LOGGED_MAX)
		agent_log(link->agent, LOG_WARNING, "dropped: %s", why->text);
}

static void drop(struct agent_link *link, const struct cr_error *why)
{
	log_dropped(link, why);
	if (++link->nr_dropped < DROPPED_MAX && !link->expect.any_from)
		return;
	lost(link);
}

static void take(struct agent_link *link, const char *text)
{
	struct cr_peer_message message;
	struct cr_error err = { 0 };

	if (cr_seal_open(link->agent->seal, text, geteuid(), &message, &err) ||
	    cr_peer_check(&link->expect, &message, &err))
		drop(link, &err);
	else
		link->heard(link, &message);
}

static void readable(struct bufferevent *bev, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(bev);
	struct agent_link *link = arg;
	char text[CR_SEAL_TEXT_MAX + 1];
	struct cr_error err;
	uint32_t length;

	while (!link->is_dead && evbuffer_get_length(input) >= sizeof(length)) {
		evbuffer_copyout(input, &length, sizeof(length));
		length = ntohl(length);
		if (!length || length > CR_SEAL_TEXT_MAX) {
			cr_error_set(&err, -EBADMSG, "a frame of %u bytes",
				     length);
			log_dropped(link, &err);
			lost(link);
			return;
		}
		if (evbuffer_get_length(input) < sizeof(length) + length)
			return;
		evbuffer_drain(input, sizeof(length));
		evbuffer_remove(input, text, length);
		text[length] = '\0';
		take(link, text);
	}
}

static void set_options(struct bufferevent *bev)
{
	const int values[][3] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL },
		{ IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT },
	};

	/* without them it is slower to notice, no more */
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		setsockopt(bufferevent_getfd(bev), values[i][0], values[i][1],
			   &values[i][2], sizeof(int));
}

/* Who writes into a connection that was reset learns it before it has read what
 * had come in time: the peer's last words, perhaps. */
static void read_rest(struct bufferevent *bev, struct agent_link *link)
{
	struct evbuffer *input = bufferevent_get_input(bev);

	evbuffer_unfreeze(input, 0);
	while (!link->is_dead &&
	       evbuffer_read(input, bufferevent_getfd(bev), -1) > 0)
		readable(bev, link);
}

static void happened(struct bufferevent *bev, short what, void *arg)
{
	struct agent_link *link = arg;

	if (what & BEV_EVENT_CONNECTED) {
		set_options(bev);
		if (link->connected)
			link->connected(link);
	} else if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
		read_rest(bev, link);
		lost(link);
	}
}

struct agent_link *agent_link_create(struct agent *agent, int fd)
{
	struct agent_link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->agent = agent;
	link->bev =
		bufferevent_socket_new(agent->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!link->bev) {
		free(link);
		return NULL;
	}
	bufferevent_setcb(link->bev, readable, NULL, happened, link);
	bufferevent_setwatermark(link->bev, EV_READ, 0, INPUT_MAX);
	bufferevent_enable(link->bev, EV_READ | EV_WRITE);
	if (fd >= 0)
		set_options(link->bev);
	return link;
}

int agent_link_connect(struct agent_link *link,
		       const struct sockaddr_storage *address)
{
	const int length = address->ss_family == AF_INET ?
				   sizeof(struct sockaddr_in) :
				   sizeof(struct sockaddr_in6);

	return bufferevent_socket_connect(link->bev,
					  (const struct sockaddr *)address,
					  length);
}

void agent_link_send(struct agent_link *link, struct cr_peer_message *message)
{
	const struct cr_peer_expect *expect = &link->expect;
	struct cr_error err = { 0 };
	char *text = NULL;
	uint32_t length;

	message->job = expect->job;
	message->step = expect->step;
	message->from = expect->to;
	message->to = expect->from;
	message->session = expect->session;
	message->sequence = ++link->sent;
	memcpy(message->nonce, expect->nonce, sizeof(message->nonce));
	if (cr_seal_close(link->agent->seal, message, &text, &err)) {
		agent_log(link->agent, LOG_ERR, "%s: %s not sent", err.text,
			  cr_peer_type_name(message->type));
		return;
	}
	length = htonl((uint32_t)strlen(text));
	bufferevent_write(link->bev, &length, sizeof(length));
	bufferevent_write(link->bev, text, strlen(text));
	free(text);
}

void agent_link_flush(struct agent_link *link, int timeout_ms)
{
	struct evbuffer *output = bufferevent_get_output(link->bev);
	struct pollfd pollfd = { .fd = bufferevent_getfd(link->bev),
				 .events = POLLOUT };
	const int64_t until = agent_now_ms() + timeout_ms;

	bufferevent_disable(link->bev, EV_WRITE);
	evbuffer_unfreeze(output, 1);
	while (evbuffer_get_length(output) && agent_now_ms() < until &&
	       poll(&pollfd, 1, timeout_ms) == 1 &&
	       evbuffer_write(output, pollfd.fd) > 0)
		;
}

static void free_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	free(arg);
}

/* It may be its own callback that calls: the memory stays until later. */
void agent_link_destroy(struct agent_link *link)
{
	const struct timeval now = { 0, 0 };

	if (!link || link->is_dead)
		return;
	link->is_dead = 1;
	bufferevent_free(link->bev);
	event_base_once(link->agent->base, -1, EV_TIMEOUT, free_late, link,
			&now);
}
