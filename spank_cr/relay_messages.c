/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay_messages.c - what a rank and the PMIx server say to each other
 *
 * Whole messages only are passed on.  That way each has either been passed on
 * or is still ours when the ranks are frozen.
 */
#include <errno.h>
#include <stdlib.h>

#include "pmix_hello.h"
#include "relay.h"

#define ACK_LENGTH 8 /* status and index, 32 bits each */

/* Length of the next message, 0 if it is not complete, or a negative errno. */
static long whole_message(struct evbuffer *in, uint32_t *tag)
{
	uint8_t header[CR_PMIX_HEADER];
	long length;

	if (evbuffer_copyout(in, header, sizeof(header)) != sizeof(header))
		return 0;
	length = cr_pmix_message_length(header, tag);
	if (length > 0 && evbuffer_get_length(in) < (size_t)length)
		return 0;
	return length;
}

/* --- client to server --- */

static int pass_hello(struct relay_connection *connection)
{
	struct cr_pmix_record *record = &connection->record;
	struct evbuffer *in = connection->client.in;
	uint8_t header[CR_PMIX_HEADER];
	long length;

	if (evbuffer_copyout(in, header, sizeof(header)) != sizeof(header))
		return 0;
	length = cr_pmix_hello_length(header);
	if (length < 0)
		return (int)length;
	if (evbuffer_get_length(in) < (size_t)length)
		return 0;
	record->hello = malloc((size_t)length);
	if (!record->hello)
		return -ENOMEM;
	evbuffer_remove(in, record->hello, (size_t)length);
	record->hello_length = (size_t)length;
	evbuffer_add(connection->server.out, record->hello, (size_t)length);
	connection->stage = RELAY_ACCEPTING;
	return relay_connection_reach_server(connection);
}

/* The next message, if it is complete: 1, else 0, or a negative errno. */
static int pass_request(struct relay_connection *connection)
{
	struct evbuffer *in = connection->client.in;
	const uint8_t *message;
	uint32_t tag;
	long length = whole_message(in, &tag);

	if (length <= 0)
		return (int)length;
	message = evbuffer_pullup(in, length);
	if (!message)
		return -ENOMEM;
	cr_pmix_log_request(&connection->record.log, message, (size_t)length,
			    tag);
	evbuffer_remove_buffer(in, connection->server.out, (size_t)length);
	return 1;
}

int relay_messages_from_client(struct relay_connection *connection)
{
	int rc = 1;

	if (connection->stage == RELAY_GREETING)
		return pass_hello(connection);
	/* what it sends meanwhile waits for its turn */
	if (connection->is_replay || connection->stage == RELAY_WAITING)
		return 0;
	while (rc == 1)
		rc = pass_request(connection);
	return rc;
}

/* --- server to client --- */

/* 1: accepted; 0: not yet; negative: refused. */
static int take_ack(struct relay_connection *connection)
{
	struct evbuffer *in = connection->server.in;
	uint32_t ack[2];

	if (evbuffer_copyout(in, ack, sizeof(ack[0])) != sizeof(ack[0]))
		return 0;
	if (ack[0]) { /* it will close the connection */
		if (!connection->is_replay)
			evbuffer_remove_buffer(in, connection->client.out,
					       evbuffer_get_length(in));
		return -EACCES;
	}
	if (evbuffer_get_length(in) < ACK_LENGTH)
		return 0;
	if (connection->is_replay)
		evbuffer_drain(in, ACK_LENGTH);
	else
		evbuffer_remove_buffer(in, connection->client.out, ACK_LENGTH);
	connection->stage = RELAY_OPEN;
	return 1;
}

/* The next answer or event, if it is complete: 1, else 0 or negative. */
static int pass_answer(struct relay_connection *connection)
{
	struct cr_pmix_log *log = &connection->record.log;
	struct evbuffer *in = connection->server.in;
	size_t before;
	uint32_t tag;
	long length = whole_message(in, &tag);

	if (length <= 0)
		return (int)length;
	if (connection->is_replay && tag >= CR_PMIX_TAG_DYNAMIC &&
	    cr_pmix_log_swallow(log, tag)) {
		evbuffer_drain(in, (size_t)length);
		return 1;
	}
	before = log->nr_entries;
	cr_pmix_log_answer(log, tag);
	/* a request that has been said again has just gone from the log */
	if (connection->is_replay && log->nr_entries < before)
		connection->next_entry--;
	evbuffer_remove_buffer(in, connection->client.out, (size_t)length);
	return 1;
}

/* Say what can be said now; the client goes on when all has been. */
static void go_on(struct relay_connection *connection)
{
	const struct cr_pmix_log *log = &connection->record.log;

	while (connection->next_entry < log->nr_entries) {
		const struct cr_pmix_entry *entry =
			&log->entries[connection->next_entry];

		if (!entry->message && !entry->has_come)
			return;
		if (entry->message)
			evbuffer_add(connection->server.out, entry->message,
				     entry->length);
		connection->next_entry++;
	}
	connection->is_replay = 0;
	if (relay_messages_from_client(connection) < 0)
		relay_end_close(&connection->client);
}

int relay_messages_from_server(struct relay_connection *connection)
{
	int rc = 1;

	if (connection->stage == RELAY_ACCEPTING)
		rc = take_ack(connection);
	while (rc == 1)
		rc = pass_answer(connection);
	if (connection->is_replay && connection->stage == RELAY_OPEN)
		go_on(connection);
	return rc;
}
