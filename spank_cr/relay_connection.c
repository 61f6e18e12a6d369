/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay_connection.c - one rank's connection to the PMIx server: its two
 * sockets, and what becomes of it in checkpoint and restart
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay.h"
#include "relay_credential.h"

void relay_connection_watch(struct relay_connection *connection)
{
	const struct relay *relay = connection->relay;
	struct relay_end *client = &connection->client;
	struct relay_end *server = &connection->server;

	if (relay_end_is_open(client)) {
		relay_end_watch(client->read,
				!connection->is_replay &&
					connection->stage != RELAY_WAITING);
		relay_end_watch(client->write,
				!relay->is_quiet &&
					evbuffer_get_length(client->out));
	}
	if (relay_end_is_open(server)) {
		relay_end_watch(server->read,
				!relay->is_quiet || relay->is_held);
		relay_end_watch(server->write,
				evbuffer_get_length(server->out) != 0);
	}
}

/* --- the end --- */

void relay_connection_close(struct relay_connection *connection)
{
	struct relay *relay = connection->relay;
	struct relay_connection **link = &relay->connections;

	while (*link && *link != connection)
		link = &(*link)->next;
	if (*link)
		*link = connection->next;
	relay_end_free(&connection->client);
	relay_end_free(&connection->server);
	cr_pmix_record_free(&connection->record);
	free(connection);
	relay_check_end(relay);
}

/*
 * One side has closed it: what is on its way to the other is delivered first.
 * Ranks that are saved end without a word, and their server shall not take that
 * for a crash: it keeps its end until slurmstepd ends.
 */
static int check_closed(struct relay_connection *connection)
{
	struct relay_end *client = &connection->client;
	struct relay_end *server = &connection->server;

	if (relay_end_is_open(client) && relay_end_is_open(server))
		return 0;
	if (relay_end_is_open(server) && connection->relay->is_held)
		return 0;
	if (!relay_end_is_open(client) && relay_end_is_open(server) &&
	    evbuffer_get_length(server->out))
		return 0;
	if (!relay_end_is_open(server) && relay_end_is_open(client) &&
	    !connection->relay->is_held &&
	    (connection->stage == RELAY_GREETING ||
	     connection->stage == RELAY_WAITING ||
	     connection->relay->is_quiet || evbuffer_get_length(client->out)))
		return 0;
	relay_connection_close(connection);
	return 1;
}

void relay_connection_check_all(struct relay *relay)
{
	struct relay_connection *connection = relay->connections, *next;

	for (; connection; connection = next) {
		next = connection->next;
		if (!check_closed(connection))
			relay_connection_watch(connection);
	}
}

/* --- its client --- */

void relay_connection_drain(struct relay_connection *connection)
{
	while (relay_end_is_open(&connection->client) &&
	       relay_end_read(&connection->client) > 0)
		;
	if (relay_messages_from_client(connection) < 0)
		relay_end_close(&connection->client);
	relay_connection_watch(connection);
}

static void client_readable(evutil_socket_t fd, short what, void *arg)
{
	struct relay_connection *connection = arg;
	int n = relay_end_read(&connection->client);
	int rc = relay_messages_from_client(connection);

	(void)fd;
	(void)what;
	if (rc < 0)
		relay_say(connection->relay,
			  "what port %u says is not PMIx as we know it",
			  connection->port);
	if (n == 0 || rc < 0)
		relay_end_close(&connection->client);
	if (!check_closed(connection))
		relay_connection_watch(connection);
}

static void client_writable(evutil_socket_t fd, short what, void *arg)
{
	struct relay_connection *connection = arg;

	(void)fd;
	(void)what;
	relay_end_write(&connection->client);
	if (!check_closed(connection))
		relay_connection_watch(connection);
}

/* --- its server --- */

static void server_readable(evutil_socket_t fd, short what, void *arg)
{
	struct relay_connection *connection = arg;
	int n = relay_end_read(&connection->server);
	int rc = 0;

	(void)fd;
	(void)what;
	/* the ranks have been saved: nobody is there to hear it */
	if (!connection->relay->is_held)
		rc = relay_messages_from_server(connection);
	if (n == 0 || rc < 0) {
		if (connection->is_replay)
			relay_say(connection->relay,
				  "Slurm's PMIx server does not take back the "
				  "rank");
		relay_end_close(&connection->server);
	}
	if (!check_closed(connection))
		relay_connection_watch(connection);
}

static void server_writable(evutil_socket_t fd, short what, void *arg)
{
	struct relay_connection *connection = arg;

	(void)fd;
	(void)what;
	relay_end_write(&connection->server);
	if (!check_closed(connection))
		relay_connection_watch(connection);
}

int relay_connection_reach_server(struct relay_connection *connection)
{
	struct relay *relay = connection->relay;
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(relay->server_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return relay_end_open(&connection->server, relay, fd, server_readable,
			      server_writable, connection);
}

/* --- begin --- */

struct relay_connection *relay_connection_accept(struct relay *relay, int fd)
{
	struct relay_connection *connection = calloc(1, sizeof(*connection));
	struct sockaddr_in address = { 0 };
	socklen_t length = sizeof(address);

	if (!connection) {
		close(fd);
		return NULL;
	}
	getpeername(fd, (struct sockaddr *)&address, &length);
	connection->relay = relay;
	connection->port = ntohs(address.sin_port);
	connection->client.fd = fd; /* closed with it, whatever happens */
	connection->server.fd = -1;
	connection->client.in = evbuffer_new();
	connection->client.out = evbuffer_new();
	connection->server.in = evbuffer_new();
	connection->server.out = evbuffer_new();
	connection->next = relay->connections;
	relay->connections = connection;
	if (!connection->client.in || !connection->client.out ||
	    !connection->server.in || !connection->server.out ||
	    relay_end_open(&connection->client, relay, fd, client_readable,
			   client_writable, connection)) {
		relay_connection_close(connection);
		return NULL;
	}
	relay_connection_watch(connection);
	return connection;
}

struct relay_connection *relay_connection_find(struct relay *relay,
					       uint16_t port)
{
	struct relay_connection *connection = relay->connections;

	while (connection && (connection->port != port ||
			      !relay_end_is_open(&connection->client)))
		connection = connection->next;
	return connection;
}

/* --- checkpoint and restart --- */

int relay_connection_save(struct relay_connection *connection, void **datap,
			  size_t *lengthp, struct cr_error *err)
{
	struct cr_pmix_record record = connection->record;
	struct evbuffer *pending = connection->client.out;
	struct evbuffer *partial = connection->client.in;

	if (connection->stage == RELAY_GREETING ||
	    (connection->stage == RELAY_ACCEPTING && !connection->is_replay))
		return cr_error_set(err, -EBUSY,
				    "connection to Slurm's PMIx server: it is "
				    "just being made");
	if (!relay_end_is_open(&connection->server) &&
	    connection->stage != RELAY_WAITING)
		return cr_error_set(err, -ENOTCONN,
				    "connection to Slurm's PMIx server: it has "
				    "been lost");
	record.pending_length = evbuffer_get_length(pending);
	record.pending = evbuffer_pullup(pending, -1);
	record.partial_length = evbuffer_get_length(partial);
	record.partial = evbuffer_pullup(partial, -1);
	return cr_pmix_record_write(&record, datap, lengthp, err);
}

int relay_connection_restore(struct relay_connection *connection,
			     const void *data, size_t length,
			     const void *unread, size_t unread_length,
			     struct cr_error *err)
{
	struct cr_pmix_record *record = &connection->record;
	int rc;

	if (connection->stage != RELAY_GREETING)
		return cr_error_set(err, -EBUSY, "it is in use");
	rc = cr_pmix_record_read(data, length, record, err);
	if (rc)
		return rc;
	connection->stage = RELAY_WAITING;
	evbuffer_add(connection->client.out, unread, unread_length);
	evbuffer_add(connection->client.out, record->pending,
		     record->pending_length);
	evbuffer_add(connection->client.in, record->partial,
		     record->partial_length);
	free(record->pending);
	free(record->partial);
	record->pending = record->partial = NULL;
	record->pending_length = record->partial_length = 0;
	relay_connection_watch(connection);
	return 0;
}

void relay_connection_replay(struct relay_connection *connection)
{
	struct cr_pmix_record *record = &connection->record;
	struct cr_error err = { 0 };
	uint8_t *hello = NULL;
	size_t length;
	int rc;

	rc = relay_credential_renew(record->hello, record->hello_length, &hello,
				    &length, &err);
	connection->is_replay = 1;
	connection->next_entry = 0;
	connection->stage = RELAY_ACCEPTING;
	if (!rc) {
		evbuffer_add(connection->server.out, hello, length);
		free(hello);
		rc = relay_connection_reach_server(connection);
		if (rc)
			cr_error_set(&err, rc, "connect: %s", strerror(-rc));
	}
	if (rc) {
		relay_say(connection->relay, "Slurm's PMIx server: %s",
			  err.text);
		relay_end_close(&connection->client);
		check_closed(connection);
		return;
	}
	relay_connection_watch(connection);
}
