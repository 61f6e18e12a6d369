/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay.c - the relay's begin and end, and whom it listens to; see relay.h
 *
 * It outlives the agent: ranks without an agent go on, and need their server.
 * Whoever saves or restarts opens a session; its end, however it comes, lets
 * all go on.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"
#include "relay.h"

/* For slurmstepd to end, when the agent has said goodbye. */
#define END_TIMEOUT_S 10

void relay_say(struct relay *relay, const char *fmt, ...)
{
	struct cr_message message = { .type = CR_MSG_TEXT };
	va_list args;

	va_start(args, fmt);
	vsnprintf(message.text, sizeof(message.text), fmt, args);
	va_end(args);
	if (relay->control >= 0)
		cr_message_send(relay->control, &message, NULL, 0);
}

void relay_check_end(struct relay *relay)
{
	if (!relay->connections && !relay_pmi_any(relay) &&
	    (relay->is_ending || relay->control < 0))
		event_base_loopbreak(relay->base);
}

static void accept_all(struct relay *relay)
{
	int fd;

	while ((fd = accept4(relay->listener, NULL, NULL,
			     SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		if (relay_peer_is_ours(fd))
			relay_connection_accept(relay, fd);
		else
			close(fd);
}

static void drain_all(struct relay *relay)
{
	struct relay_connection *connection;

	accept_all(relay);
	relay_pmi_drain_all(relay);
	for (connection = relay->connections; connection;
	     connection = connection->next)
		relay_connection_drain(connection);
}

/* --- sessions --- */

/* @fd is closed. */
static void answer_with(struct relay *relay, struct cr_message *message,
			const struct cr_error *err, int fd)
{
	message->type = CR_MSG_RELAY_DONE;
	message->value = err->code;
	snprintf(message->text, sizeof(message->text), "%s", err->text);
	cr_message_send(relay->session, message, &fd, fd >= 0);
	if (fd >= 0)
		close(fd);
}

static void answer(struct relay *relay, const struct cr_error *err, int fd)
{
	struct cr_message message = { 0 };

	answer_with(relay, &message, err, fd);
}

static void check_all(struct relay *relay)
{
	relay_connection_check_all(relay);
	relay_pmi_check_all(relay);
}

static void close_restored(struct relay *relay)
{
	struct relay_connection *connection = relay->connections, *next;

	for (; connection; connection = next) {
		next = connection->next;
		if (connection->stage == RELAY_WAITING)
			relay_connection_close(connection);
	}
}

static void end_session(struct relay *relay)
{
	event_free(relay->session_event);
	relay->session_event = NULL;
	close(relay->session);
	relay->session = -1;
	/* the restart has failed: the ranks do not exist */
	close_restored(relay);
	relay_pmi_forget_all(relay);
	if (relay->is_held)
		return;
	relay->is_quiet = 0;
	check_all(relay);
}

static int put_into_memfd(const void *data, size_t length, struct cr_error *err)
{
	int fd = memfd_create("pmix", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, length) != (ssize_t)length) {
		cr_error_errno(err, "memfd");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static int save(struct relay *relay, struct cr_message *answer,
		const struct cr_message *message, void **datap, size_t *lengthp,
		struct cr_error *err)
{
	struct relay_connection *connection;

	if (!message->value)
		return relay_pmi_save(relay, message->count, datap, lengthp,
				      &answer->local, err);
	connection = relay_connection_find(relay, (uint16_t)message->value);
	if (!connection)
		return cr_error_set(err, -ENOTCONN,
				    "connection to Slurm's PMIx "
				    "server: it has been lost");
	return relay_connection_save(connection, datap, lengthp, err);
}

static void tell_state(struct relay *relay, const struct cr_message *message)
{
	struct cr_message answer = { 0 };
	struct cr_error err = { 0 };
	void *data = NULL;
	size_t length;
	int fd = -1;

	drain_all(relay);
	if (!save(relay, &answer, message, &data, &length, &err))
		fd = put_into_memfd(data, length, &err);
	free(data);
	answer_with(relay, &answer, &err, fd);
}

static int restore_one(struct relay *relay, const struct cr_message *message,
		       const char *data, size_t length, int *fdp,
		       struct cr_error *err)
{
	struct relay_connection *connection;
	const char *unread = data + message->count;

	if (!message->value)
		return relay_pmi_restore(relay, message->local, data,
					 message->count, unread,
					 length - message->count, fdp, err);
	connection = relay_connection_find(relay, (uint16_t)message->value);
	if (!connection)
		return cr_error_set(err, -EPROTO, "no such connection");
	return relay_connection_restore(connection, data, message->count,
					unread, length - message->count, err);
}

/* @message->count bytes of @fd are the record, the rest was not read. */
static void restore(struct relay *relay, const struct cr_message *message,
		    int fd)
{
	struct cr_error err = { 0 };
	struct stat st = { 0 };
	char *data = MAP_FAILED;
	int answer_fd = -1;

	drain_all(relay);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
		data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd,
			    0);
	if (data == MAP_FAILED || message->count > (uint64_t)st.st_size)
		cr_error_set(&err, -EPROTO, "no record");
	else
		restore_one(relay, message, data, (size_t)st.st_size,
			    &answer_fd, &err);
	if (data != MAP_FAILED)
		munmap(data, (size_t)st.st_size);
	answer(relay, &err, answer_fd);
}

static void replay_all(struct relay *relay)
{
	struct relay_connection *connection = relay->connections, *next;

	for (; connection; connection = next) {
		next = connection->next;
		if (connection->stage == RELAY_WAITING)
			relay_connection_replay(connection);
	}
	relay_pmi_replay_all(relay);
}

static void handle(struct relay *relay, const struct cr_message *message,
		   const int *fds)
{
	const struct cr_error none = { 0 };

	switch (message->type) {
	case CR_MSG_RELAY_QUIESCE:
		relay->is_quiet = 1;
		check_all(relay);
		answer(relay, &none, -1);
		break;
	case CR_MSG_RELAY_STATE:
		tell_state(relay, message);
		break;
	case CR_MSG_RELAY_HOLD:
		relay->is_held = 1;
		check_all(relay);
		answer(relay, &none, -1);
		break;
	case CR_MSG_RELAY_RESTORE:
		restore(relay, message, fds[0]);
		break;
	case CR_MSG_RELAY_GO:
		replay_all(relay);
		answer(relay, &none, -1);
		break;
	default:
		break;
	}
}

static void session_readable(evutil_socket_t fd, short what, void *arg)
{
	int fds[CR_MESSAGE_FDS_MAX];
	struct relay *relay = arg;
	struct cr_message message;
	int rc;

	(void)what;
	rc = cr_message_hear((int)fd, &message, fds);
	if (rc < 0)
		end_session(relay);
	if (rc <= 0)
		return;
	handle(relay, &message, fds);
	cr_message_close_fds(fds);
}

static void begin_session(struct relay *relay, int fd)
{
	if (relay->session >= 0)
		end_session(relay);
	relay->session = fd;
	relay->session_event = event_new(relay->base, fd, EV_READ | EV_PERSIST,
					 session_readable, relay);
	event_add(relay->session_event, NULL);
}

/* --- the agent --- */

static void end_now(evutil_socket_t fd, short what, void *arg)
{
	struct relay *relay = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(relay->base);
}

static void begin_end(struct relay *relay)
{
	const struct timeval time = { END_TIMEOUT_S, 0 };

	relay->is_ending = 1;
	relay->timeout = evtimer_new(relay->base, end_now, relay);
	evtimer_add(relay->timeout, &time);
	relay_check_end(relay);
}

static void agent_gone(struct relay *relay)
{
	event_free(relay->control_event);
	relay->control_event = NULL;
	close(relay->control);
	relay->control = -1;
	relay_check_end(relay);
}

static void control_readable(evutil_socket_t fd, short what, void *arg)
{
	int fds[CR_MESSAGE_FDS_MAX];
	struct relay *relay = arg;
	struct cr_message message;
	int rc;

	(void)what;
	rc = cr_message_hear((int)fd, &message, fds);
	if (rc < 0)
		agent_gone(relay);
	if (rc <= 0)
		return;
	if (message.type == CR_MSG_RELAY_SESSION && fds[0] >= 0) {
		begin_session(relay, fds[0]);
		fds[0] = -1;
	} else if (message.type == CR_MSG_RELAY_PMI && fds[1] >= 0) {
		if (relay_pmi_open(relay, message.local, message.count, fds[0],
				   fds[1]))
			relay_say(relay, "PMI: no memory");
		fds[0] = fds[1] = -1;
	} else if (message.type == CR_MSG_BYE) {
		begin_end(relay);
	}
	cr_message_close_fds(fds);
}

static void listener_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	accept_all(arg);
}

void relay_run(int control, int listener, uint16_t server_port)
{
	static struct relay relay = { .session = -1 };

	relay.base = event_base_new();
	relay.control = control;
	relay.listener = listener;
	relay.server_port = server_port;
	if (!relay.base)
		_exit(1);
	relay.control_event =
		event_new(relay.base, control, EV_READ | EV_PERSIST,
			  control_readable, &relay);
	relay.listener_event =
		event_new(relay.base, listener, EV_READ | EV_PERSIST,
			  listener_readable, &relay);
	if (!relay.control_event || !relay.listener_event)
		_exit(1);
	event_add(relay.control_event, NULL);
	event_add(relay.listener_event, NULL);
	event_base_dispatch(relay.base);
	_exit(0);
}
