/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mpirun_connection.c - a node's side of a connection: one packet, then silence
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mpirun.h"

/* What is missing, first of the length and then of the text. */
static size_t missing(const struct mpirun_connection *connection, char **atp)
{
	const size_t head = sizeof(connection->length);

	if (connection->received < head) {
		*atp = (char *)&connection->length + connection->received;
		return head - connection->received;
	}
	*atp = connection->text + (connection->received - head);
	return head + le32toh(connection->length) - connection->received;
}

static int make_room(struct mpirun_connection *connection)
{
	const uint32_t length = le32toh(connection->length);

	if (!length || length > MPIRUN_PACKET_MAX)
		return -EBADMSG;
	connection->text = calloc(1, (size_t)length + 1);
	return connection->text ? 0 : -ENOMEM;
}

int mpirun_connection_read(struct mpirun_connection *connection)
{
	char rest[64] = "", *at;
	size_t left;
	ssize_t n;
	int rc;

	for (;;) {
		left = missing(connection, &at);
		/* nothing more is to be said: but the end is to be heard */
		n = recv(connection->fd, left ? at : rest,
			 left ? left : sizeof(rest), MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (n == 0)
			return -ECONNRESET;
		if (!left)
			continue;
		connection->received += (size_t)n;
		if (connection->received == sizeof(connection->length)) {
			rc = make_room(connection);
			if (rc)
				return rc;
		} else if ((size_t)n == left) {
			return 1;
		}
	}
}

void mpirun_connection_say(const struct mpirun_connection *connection,
			   uint32_t word)
{
	word = htole32(word);
	(void)!send(connection->fd, &word, sizeof(word),
		    MSG_NOSIGNAL | MSG_DONTWAIT);
}

void mpirun_connection_close(struct mpirun_connection *connection)
{
	close(connection->fd);
	free(connection->text);
	free(connection);
}
