/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay.h - between a step's ranks and slurmstepd's PMIx or PMI server
 *
 * Private to relay*.c.  One process per step and node, of the step's user.
 * Ranks are connected to it instead of to the server; it passes on all
 * messages, unchanged and in order, and keeps what another server would have to
 * know (pmix_log.h, pmi_log.h).  After a restart it greets the new server as
 * each rank, says it all again, and goes on.  docs/mpi.md has the whole story.
 */
#ifndef RELAY_H
#define RELAY_H

#include <event2/buffer.h>
#include <event2/event.h>
#include <stdint.h>

#include "cr_error.h"
#include "pmi_log.h"
#include "pmix_log.h"

/* One of the two sockets of a connection. */
struct relay_end {
	int fd; /* -1: not open, or not any more */
	struct event *read, *write;
	struct evbuffer *in, *out;
};

enum relay_stage {
	RELAY_GREETING, /* the client's greeting is not complete */
	RELAY_ACCEPTING, /* the server has not said yes yet */
	RELAY_OPEN,
	RELAY_WAITING, /* restored; not told to begin yet */
};

struct relay_connection {
	struct relay *relay;
	struct relay_connection *next;
	enum relay_stage stage;
	uint16_t port; /* the client's own */
	struct relay_end client, server;
	struct cr_pmix_record record;
	int is_replay; /* entries from next_entry on are to be said again */
	size_t next_entry;
};

/* To a PMI server, by a socket that the rank has inherited; kept to the end. */
struct relay_pmi {
	struct relay *relay;
	struct relay_pmi *next;
	uint32_t local; /* the rank's, on this node */
	uint64_t inode; /* of the rank's end */
	struct relay_end client, server;
	struct cr_pmi_record record;
	int has_spoken; /* the client */
	int has_parted; /* the client has taken leave of the server */
	int is_replay; /* kept requests are to be said again */
	size_t replayed; /* bytes of them that have been */
	/* restored, and not told to begin yet */
	int restored_fd; /* takes the place of the client's, -1: nothing is */
	uint64_t restored_inode;
	struct cr_pmi_record restored;
	struct cr_pmi_bytes unread; /* what goes to the client first */
};

struct relay {
	struct event_base *base;
	int control; /* to the agent, -1: it has gone */
	int session; /* somebody saves or restarts, -1 */
	int listener;
	uint16_t server_port;
	struct event *control_event, *session_event, *listener_event, *timeout;
	struct relay_connection *connections;
	struct relay_pmi *pmis;
	int is_quiet; /* the ranks are frozen */
	int is_held; /* ... and will be ended: their server must not notice */
	int is_ending;
};

/* --- relay_end.c --- */
int relay_end_is_open(const struct relay_end *end);
/* @fd is the end's from now on, also on failure.  0 or -ENOMEM. */
int relay_end_open(struct relay_end *end, struct relay *relay, int fd,
		   event_callback_fn read, event_callback_fn write, void *arg);
void relay_end_watch(struct event *event, int wanted);
/* Returns 0 at the end of the connection, else what evbuffer_read() does. */
int relay_end_read(struct relay_end *end);
/* A lost one is closed. */
void relay_end_write(struct relay_end *end);
void relay_end_close(struct relay_end *end);
void relay_end_free(struct relay_end *end);

/* --- relay_peer.c --- */
/* Is the other end of @fd at 127.0.0.1, and of the step's user or root? */
int relay_peer_is_ours(int fd);

/* --- relay_connection.c --- */
struct relay_connection *relay_connection_accept(struct relay *relay, int fd);
struct relay_connection *relay_connection_find(struct relay *relay,
					       uint16_t port);
/* Take all that its client has sent. */
void relay_connection_drain(struct relay_connection *connection);
/* From and to whom we listen depends on the relay's and its own state. */
void relay_connection_watch(struct relay_connection *connection);
/* The relay's state has changed: watch all, and end those that are over. */
void relay_connection_check_all(struct relay *relay);
/* Say the greeting and all else again. */
void relay_connection_replay(struct relay_connection *connection);
/* What is to be kept of it; -EBUSY: it is just being made. */
int relay_connection_save(struct relay_connection *connection, void **datap,
			  size_t *lengthp, struct cr_error *err);
/* It is the one that @data is of; @unread goes to its client first. */
int relay_connection_restore(struct relay_connection *connection,
			     const void *data, size_t length,
			     const void *unread, size_t unread_length,
			     struct cr_error *err);
void relay_connection_close(struct relay_connection *connection);
/* For its greeting: connect to the server.  0 or -errno. */
int relay_connection_reach_server(struct relay_connection *connection);

/* --- relay_messages.c --- */
/* Pass on all whole messages that have come, as far as it is their turn.  0, or
 * negative: no message, or the server does not want the client. */
int relay_messages_from_client(struct relay_connection *connection);
int relay_messages_from_server(struct relay_connection *connection);

/* --- relay_pmi.c --- */
/* A rank's: @server is slurmstepd's socket for it, @client the other end of the
 * one that it has, whose inode is @inode; both are ours, also on failure.  0 or
 * -ENOMEM. */
int relay_pmi_open(struct relay *relay, uint32_t local, uint64_t inode,
		   int server, int client);
/* Take all that the clients have sent. */
void relay_pmi_drain_all(struct relay *relay);
/* As of relay_connection_check_all(). */
void relay_pmi_check_all(struct relay *relay);
/* Is there a client? */
int relay_pmi_any(const struct relay *relay);
/* What is to be kept of the one with that @inode; -ENOENT: there is none;
 * -EBUSY: some ranks have just taken leave. */
int relay_pmi_save(struct relay *relay, uint64_t inode, void **datap,
		   size_t *lengthp, uint32_t *localp, struct cr_error *err);
/* *@fdp, which is the caller's, takes the place of what @data is of. */
int relay_pmi_restore(struct relay *relay, uint32_t local, const void *data,
		      size_t length, const void *unread, size_t unread_length,
		      int *fdp, struct cr_error *err);
/* The restart has failed. */
void relay_pmi_forget_all(struct relay *relay);
/* Say all that is kept again, of those that were restored. */
void relay_pmi_replay_all(struct relay *relay);

/* --- relay.c --- */
void relay_say(struct relay *relay, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A connection has gone: was it the last thing to wait for? */
void relay_check_end(struct relay *relay);

/* In a fork of the agent, as the step's user: serve until the end.
 * @server_port 0: there is no PMIx server. */
void relay_run(int control, int listener, uint16_t server_port)
	__attribute__((noreturn));

#endif /* RELAY_H */
