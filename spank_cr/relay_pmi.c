/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay_pmi.c - one rank's connection to slurmstepd's PMI-1 or PMI-2 server
 *
 * Both ends are sockets that somebody has made: slurmstepd's for the rank, and
 * one of the agent's that the rank has instead.  As in relay_connection.c,
 * whole messages only are passed on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay.h"

static void watch(struct relay_pmi *pmi)
{
	const struct relay *relay = pmi->relay;

	if (relay_end_is_open(&pmi->client)) {
		relay_end_watch(pmi->client.read, 1);
		relay_end_watch(pmi->client.write,
				!relay->is_quiet &&
					evbuffer_get_length(pmi->client.out));
	}
	if (relay_end_is_open(&pmi->server)) {
		relay_end_watch(pmi->server.read,
				!relay->is_quiet || relay->is_held);
		relay_end_watch(pmi->server.write,
				evbuffer_get_length(pmi->server.out) != 0);
	}
}

/*
 * A server whose rank has gone is told so; but not of ranks that have been
 * saved, and not when it was a shepherd that never said a word and closes it
 * since its program is being restarted.
 */
static void check_closed(struct relay_pmi *pmi)
{
	if (!relay_end_is_open(&pmi->client) && pmi->has_spoken &&
	    !pmi->relay->is_held && !evbuffer_get_length(pmi->server.out))
		relay_end_close(&pmi->server);
	if (!relay_end_is_open(&pmi->server) && !pmi->relay->is_quiet &&
	    relay_end_is_open(&pmi->client) &&
	    !evbuffer_get_length(pmi->client.out))
		relay_end_close(&pmi->client);
	watch(pmi);
	relay_check_end(pmi->relay);
}

void relay_pmi_check_all(struct relay *relay)
{
	for (struct relay_pmi *pmi = relay->pmis; pmi; pmi = pmi->next)
		check_closed(pmi);
}

int relay_pmi_any(const struct relay *relay)
{
	for (const struct relay_pmi *pmi = relay->pmis; pmi; pmi = pmi->next)
		if (relay_end_is_open(&pmi->client))
			return 1;
	return 0;
}

/* Length of the first message of @in, which is in one piece then; 0: not
 * complete; or negative. */
static long first_message(struct evbuffer *in, const uint8_t **messagep)
{
	const size_t length = evbuffer_get_length(in);

	if (!length)
		return 0;
	*messagep = evbuffer_pullup(in, -1);
	return *messagep ? cr_pmi_message_length(*messagep, length) : -ENOMEM;
}

/* --- client to server --- */

static long take_client(struct relay_pmi *pmi)
{
	const uint8_t *message;
	long length;

	if (pmi->is_replay)
		return 0;
	while ((length = first_message(pmi->client.in, &message)) > 0) {
		pmi->has_spoken = 1;
		cr_pmi_log_request(&pmi->record, message, (size_t)length);
		evbuffer_remove_buffer(pmi->client.in, pmi->server.out,
				       (size_t)length);
	}
	return length;
}

void relay_pmi_drain_all(struct relay *relay)
{
	for (struct relay_pmi *pmi = relay->pmis; pmi; pmi = pmi->next) {
		while (relay_end_is_open(&pmi->client) &&
		       relay_end_read(&pmi->client) > 0)
			;
		if (take_client(pmi) < 0)
			relay_end_close(&pmi->client);
		watch(pmi);
	}
}

static void client_readable(evutil_socket_t fd, short what, void *arg)
{
	struct relay_pmi *pmi = arg;
	int n = relay_end_read(&pmi->client);
	long rc = take_client(pmi);

	(void)fd;
	(void)what;
	if (rc < 0)
		relay_say(pmi->relay,
			  "what local rank %u says is not PMI as we know it",
			  pmi->local);
	if (n == 0 || rc < 0)
		relay_end_close(&pmi->client);
	check_closed(pmi);
}

static void client_writable(evutil_socket_t fd, short what, void *arg)
{
	struct relay_pmi *pmi = arg;

	(void)fd;
	(void)what;
	relay_end_write(&pmi->client);
	check_closed(pmi);
}

/* --- server to client --- */

/* Say the next that is to be said again, or go on. */
static void go_on(struct relay_pmi *pmi)
{
	const struct cr_pmi_record *record = &pmi->record;
	const size_t left = record->kept.length - pmi->replayed;
	const uint8_t *at = record->kept.data + pmi->replayed;

	if (left) {
		const long length = cr_pmi_message_length(at, left);

		evbuffer_add(pmi->server.out, at, (size_t)length);
		pmi->replayed += (size_t)length;
		return;
	}
	pmi->is_replay = 0;
	evbuffer_add(pmi->server.out, record->asked.data, record->asked.length);
	if (take_client(pmi) < 0)
		relay_end_close(&pmi->client);
}

static long take_server(struct relay_pmi *pmi)
{
	const uint8_t *message;
	long length;

	while ((length = first_message(pmi->server.in, &message)) > 0) {
		if (pmi->is_replay) {
			evbuffer_drain(pmi->server.in, (size_t)length);
			go_on(pmi);
			continue;
		}
		if (cr_pmi_log_answer(&pmi->record))
			pmi->has_parted = 1;
		evbuffer_remove_buffer(pmi->server.in, pmi->client.out,
				       (size_t)length);
	}
	return length;
}

static void server_readable(evutil_socket_t fd, short what, void *arg)
{
	struct relay_pmi *pmi = arg;
	int n = relay_end_read(&pmi->server);
	long rc = 0;

	(void)fd;
	(void)what;
	/* the ranks have been saved: nobody is there to hear it */
	if (!pmi->relay->is_held)
		rc = take_server(pmi);
	if (n == 0 || rc < 0) {
		if (pmi->is_replay)
			relay_say(pmi->relay, "Slurm's PMI server does not "
					      "take back the rank");
		relay_end_close(&pmi->server);
	}
	check_closed(pmi);
}

static void server_writable(evutil_socket_t fd, short what, void *arg)
{
	struct relay_pmi *pmi = arg;

	(void)fd;
	(void)what;
	relay_end_write(&pmi->server);
	check_closed(pmi);
}

/* --- begin --- */

static int open_client(struct relay_pmi *pmi, int fd)
{
	return relay_end_open(&pmi->client, pmi->relay, fd, client_readable,
			      client_writable, pmi);
}

int relay_pmi_open(struct relay *relay, uint32_t local, uint64_t inode,
		   int server, int client)
{
	struct relay_pmi *pmi = calloc(1, sizeof(*pmi));

	if (!pmi) {
		close(server);
		close(client);
		return -ENOMEM;
	}
	pmi->relay = relay;
	pmi->local = local;
	pmi->inode = inode;
	pmi->client.fd = client; /* closed with it, whatever happens */
	pmi->server.fd = server;
	pmi->restored_fd = -1;
	pmi->client.in = evbuffer_new();
	pmi->client.out = evbuffer_new();
	pmi->server.in = evbuffer_new();
	pmi->server.out = evbuffer_new();
	if (!pmi->client.in || !pmi->client.out || !pmi->server.in ||
	    !pmi->server.out ||
	    relay_end_open(&pmi->server, relay, server, server_readable,
			   server_writable, pmi) ||
	    open_client(pmi, client)) {
		relay_end_free(&pmi->client);
		relay_end_free(&pmi->server);
		free(pmi);
		return -ENOMEM;
	}
	pmi->next = relay->pmis;
	relay->pmis = pmi;
	watch(pmi);
	return 0;
}

/* --- checkpoint and restart --- */

/* Another rank here has taken leave: it will not be there to repeat the fences
 * that all have to. */
static int any_has_parted(const struct relay *relay)
{
	for (const struct relay_pmi *pmi = relay->pmis; pmi; pmi = pmi->next)
		if (pmi->has_parted && !relay_end_is_open(&pmi->client))
			return 1;
	return 0;
}

static struct cr_pmi_bytes all_of(struct evbuffer *buffer)
{
	return (struct cr_pmi_bytes){ evbuffer_pullup(buffer, -1),
				      evbuffer_get_length(buffer) };
}

static int save(struct relay_pmi *pmi, void **datap, size_t *lengthp,
		struct cr_error *err)
{
	struct cr_pmi_record record = pmi->record;

	if (!relay_end_is_open(&pmi->server))
		return cr_error_set(err, -ENOTCONN,
				    "connection to Slurm's PMI server: it has "
				    "been lost");
	if (!pmi->has_parted && any_has_parted(pmi->relay))
		return cr_error_set(err, -EBUSY,
				    "connection to Slurm's PMI server: ranks "
				    "are just taking leave of it");
	record.pending = all_of(pmi->client.out);
	record.partial = all_of(pmi->client.in);
	return cr_pmi_record_write(&record, datap, lengthp, err);
}

int relay_pmi_save(struct relay *relay, uint64_t inode, void **datap,
		   size_t *lengthp, uint32_t *localp, struct cr_error *err)
{
	struct relay_pmi *pmi = relay->pmis;

	while (pmi && pmi->inode != inode)
		pmi = pmi->next;
	if (!pmi)
		return cr_error_set(err, -ENOENT, "no connection of ours");
	*localp = pmi->local;
	return save(pmi, datap, lengthp, err);
}

static void forget_restored(struct relay_pmi *pmi)
{
	if (pmi->restored_fd >= 0)
		close(pmi->restored_fd);
	pmi->restored_fd = -1;
	free(pmi->unread.data);
	pmi->unread = (struct cr_pmi_bytes){ 0 };
	cr_pmi_record_free(&pmi->restored);
}

static int restore(struct relay_pmi *pmi, const void *data, size_t length,
		   const void *unread, size_t unread_length, int *fdp,
		   struct cr_error *err)
{
	struct stat st;
	int pair[2], rc;

	rc = cr_pmi_record_read(data, length, &pmi->restored, err);
	if (rc)
		return rc;
	pmi->unread.data = malloc(unread_length + 1);
	if (!pmi->unread.data) {
		forget_restored(pmi);
		return cr_error_set(err, -ENOMEM, "no memory");
	}
	memcpy(pmi->unread.data, unread, unread_length);
	pmi->unread.length = unread_length;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		rc = cr_error_errno(err, "socketpair");
		forget_restored(pmi);
		return rc;
	}
	if (fstat(pair[0], &st) == 0)
		pmi->restored_inode = st.st_ino;
	pmi->restored_fd = pair[1];
	*fdp = pair[0];
	return 0;
}

int relay_pmi_restore(struct relay *relay, uint32_t local, const void *data,
		      size_t length, const void *unread, size_t unread_length,
		      int *fdp, struct cr_error *err)
{
	struct relay_pmi *pmi = relay->pmis;

	while (pmi && pmi->local != local)
		pmi = pmi->next;
	if (!pmi)
		return cr_error_set(err, -EOPNOTSUPP,
				    "the step had a PMI server, and has none "
				    "now: srun --mpi=pmi2");
	if (pmi->restored_fd >= 0 || pmi->has_spoken)
		return cr_error_set(err, -EBUSY, "it is in use");
	return restore(pmi, data, length, unread, unread_length, fdp, err);
}

void relay_pmi_forget_all(struct relay *relay)
{
	for (struct relay_pmi *pmi = relay->pmis; pmi; pmi = pmi->next)
		forget_restored(pmi);
}

static void replay(struct relay_pmi *pmi)
{
	struct cr_pmi_record *record = &pmi->record;

	relay_end_close(&pmi->client); /* the shepherd's */
	*record = pmi->restored;
	pmi->restored = (struct cr_pmi_record){ 0 };
	pmi->inode = pmi->restored_inode;
	evbuffer_add(pmi->client.out, pmi->unread.data, pmi->unread.length);
	evbuffer_add(pmi->client.out, record->pending.data,
		     record->pending.length);
	evbuffer_add(pmi->client.in, record->partial.data,
		     record->partial.length);
	free(record->pending.data);
	free(record->partial.data);
	record->pending = record->partial = (struct cr_pmi_bytes){ 0 };
	pmi->has_spoken = record->kept.length || record->asked.length ||
			  evbuffer_get_length(pmi->client.in);
	if (open_client(pmi, pmi->restored_fd))
		relay_end_close(&pmi->client);
	pmi->restored_fd = -1;
	forget_restored(pmi);
	pmi->is_replay = 1;
	pmi->replayed = 0;
	go_on(pmi);
	check_closed(pmi);
}

void relay_pmi_replay_all(struct relay *relay)
{
	for (struct relay_pmi *pmi = relay->pmis; pmi; pmi = pmi->next)
		if (pmi->restored_fd >= 0)
			replay(pmi);
}
