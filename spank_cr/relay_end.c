/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay_end.c - one of the two sockets of a relayed connection
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay.h"

#define READ_AT_ONCE (1 << 20)

int relay_end_is_open(const struct relay_end *end)
{
	return end->fd >= 0;
}

void relay_end_close(struct relay_end *end)
{
	if (end->read)
		event_free(end->read);
	if (end->write)
		event_free(end->write);
	if (end->fd >= 0)
		close(end->fd);
	end->read = end->write = NULL;
	end->fd = -1;
}

void relay_end_free(struct relay_end *end)
{
	relay_end_close(end);
	if (end->in)
		evbuffer_free(end->in);
	if (end->out)
		evbuffer_free(end->out);
}

int relay_end_open(struct relay_end *end, struct relay *relay, int fd,
		   event_callback_fn read, event_callback_fn write, void *arg)
{
	int one = 1;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	/* where it is TCP */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	end->fd = fd;
	end->read = event_new(relay->base, fd, EV_READ | EV_PERSIST, read, arg);
	end->write =
		event_new(relay->base, fd, EV_WRITE | EV_PERSIST, write, arg);
	return end->read && end->write ? 0 : -ENOMEM;
}

void relay_end_watch(struct event *event, int wanted)
{
	if (wanted)
		event_add(event, NULL);
	else
		event_del(event);
}

int relay_end_read(struct relay_end *end)
{
	int n = evbuffer_read(end->in, end->fd, READ_AT_ONCE);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return 0;
	return n;
}

void relay_end_write(struct relay_end *end)
{
	int n = evbuffer_write(end->out, end->fd);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		relay_end_close(end);
}
