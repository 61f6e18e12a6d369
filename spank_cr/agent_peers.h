/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_peers.h - the agents of a step of several nodes together
 *
 * Each node's agent is a *member*; that of node 0 is the *lead* too, and
 * talks to its own member without a socket.  The lead decides and counts at
 * barriers, members do.  All of it happens in the event loops; what takes
 * long is in workers (agent_worker.c), which are told to go on through a
 * socket of their own (agent_sync.c).
 */
#ifndef AGENT_PEERS_H
#define AGENT_PEERS_H

#include <event2/bufferevent.h>
#include <event2/event.h>

#include "agent.h"
#include "addresses.h"
#include "peer_message.h"
#include "peer_seal.h"
#include "rendezvous.h"
#include "step_fsm.h"

/* For lead and members to come, and to come back, to a restart. */
#ifdef CR_AGENT_HOLD
#define AGENT_JOIN_MS 20000
#else
#define AGENT_JOIN_MS 60000
#endif

/* --- agent_link.c: one connection, with messages instead of bytes --- */

struct agent_link {
	struct agent *agent;
	struct bufferevent *bev;
	struct cr_peer_expect expect; /* of what comes */
	uint64_t sent; /* sequence number */
	unsigned int nr_dropped;
	struct agent_link **place; /* where it is pending, or NULL */
	int is_dead;
	/* Either may destroy the link. */
	void (*heard)(struct agent_link *link,
		      const struct cr_peer_message *message);
	void (*lost)(struct agent_link *link);
	void (*connected)(struct agent_link *link); /* or NULL */
};

/* Take @fd over; the caller fills ->heard, ->lost and ->expect.  @fd < 0: one
 * that is to be connected.  NULL: no memory. */
struct agent_link *agent_link_create(struct agent *agent, int fd);
int agent_link_connect(struct agent_link *link,
		       const struct sockaddr_storage *address);
/* Fills in who, nonce, session and number.  A failure is logged. */
void agent_link_send(struct agent_link *link, struct cr_peer_message *message);
/* Send all there is now, outside of the event loop; for the last words. */
void agent_link_flush(struct agent_link *link, int timeout_ms);
/* NULL is allowed. */
void agent_link_destroy(struct agent_link *link);

/* --- agent_tcp.c: addresses and TCP connections --- */

struct agent_moves {
	struct cr_address_move *moves;
	size_t nr;
};

void agent_moves_clear(struct agent_moves *moves);
/* An image is chosen: tell the lead what its addresses are here. */
int agent_tcp_tell_moves(struct agent *agent, struct cr_error *err);
/* What others have told; that of an older round is dropped. */
void agent_tcp_lead_hears(struct agent *agent, uint32_t node,
			  const struct cr_peer_message *message);
void agent_tcp_member_hears(struct agent *agent,
			    const struct cr_peer_message *message);
/* The lead has heard of all: tell each what its image's ends lead to. */
void agent_tcp_spread_moves(struct agent *agent);

/* --- the lead --- */

enum agent_peer_state {
	AGENT_PEER_ABSENT, /* not connected (any more) */
	AGENT_PEER_PRESENT,
	AGENT_PEER_LEFT, /* its part of the step is over */
};

/* A node, as the lead sees it. */
struct agent_peer {
	struct agent_link *link; /* NULL: absent, or node 0 */
	enum agent_peer_state state;
	int is_ordered; /* takes part in this round */
	int has_arrived; /* at the barrier */
	int leave; /* enum cr_peer_leave */
	uint64_t image_size; /* bytes, of this round */
	int64_t heard_ms; /* or since when it is absent */
	struct agent_moves moves; /* of its image, in this round */
	uint32_t image_node; /* whose image that is, if there are any */
	int was_lost; /* and has not come again: `cr status` says so */
	char host[64];
};

struct agent_lead {
	enum cr_lead_phase phase;
	uint32_t round, generation;
	int is_final;
	int is_wanted; /* a final checkpoint, as soon as the round is over */
	uint32_t nr_arrived, nr_left;
	uint64_t nr_ends; /* of connections, of this round */
	int retries; /* of the same candidate */
	int is_cut_short; /* agent_lead_cut_short() */
	int is_lingering; /* our own node is over, others are not */
	int64_t began_ms, phase_us, forward_until_ms;
	struct cr_error why; /* of the round's failure */
	struct agent_peer *peers; /* [nr_nodes] */
	struct cr_rendezvous rendezvous;
	struct evconnlistener *listener;
	struct agent_link **pending; /* have not said HELLO yet */
	size_t nr_pending; /* places */
	struct event *tick;
	struct agent_worker *preparer, *matcher, *committer;
};

/* Listen, and write lead.json. */
int agent_lead_start(struct agent *agent, struct cr_error *err);
/* In agent_lead_net.c */
int agent_lead_listen(struct agent *agent, struct cr_error *err);
void agent_lead_unlisten(struct agent *agent);
void agent_lead_send(struct agent *agent, uint32_t node,
		     const struct cr_peer_message *message);
void agent_lead_send_all(struct agent *agent,
			 const struct cr_peer_message *message);
/* Its connection is of no use any more: as if it had been lost. */
void agent_lead_drop(struct agent *agent, uint32_t node);
/* What a member says, and what becomes of it. */
void agent_lead_hear(struct agent *agent, uint32_t node,
		     const struct cr_peer_message *message);
void agent_lead_came(struct agent *agent, uint32_t node);
void agent_lead_lost(struct agent *agent, uint32_t node);

/* SIGTERM has come on node @node. */
void agent_lead_term(struct agent *agent, uint32_t node);
/* It means nothing to us: all give it to their ranks. */
void agent_lead_forward(struct agent *agent);
/* Begin a checkpoint of the step. */
void agent_lead_checkpoint(struct agent *agent, int is_final);
/* There are candidates: a restart begins. */
void agent_lead_restart(struct agent *agent);
/* End the restart that is under way; members do as @on_failure says, and one
 * tells the user @why ("": nobody). */
void agent_lead_give_up(struct agent *agent, int on_failure, const char *why);
/* Our ranks are killed while they wait for a restart: by srun, most likely,
 * which cannot reach a node.  True if one has not come: then the restart has
 * failed for that reason. */
int agent_lead_cut_short(struct agent *agent);
/* Our own node is over.  True if others are not: stay for them. */
int agent_lead_linger(struct agent *agent);
/* Had all ranks of all nodes exited by themselves? */
int agent_lead_all_exited(const struct agent *agent);

/* --- agent_commit.c: workers of the lead --- */
void agent_commit_prepare(struct agent *agent, struct agent_result *result);
/* Does a TCP connection lead out of the step? */
void agent_commit_match(struct agent *agent, struct agent_result *result);
void agent_commit(struct agent *agent, struct agent_result *result);

/* --- a member --- */

struct agent_member {
	enum cr_member_phase phase;
	uint32_t round, generation;
	struct agent_link *link; /* to the lead; NULL: none, or we are it */
	int is_met; /* the lead has answered */
	int is_begun; /* our ranks began anew: no restart any more */
	int is_speaker; /* we are to tell the user why it failed: only one is,
			 * or who has nobody to ask */
	int has_given_up, on_failure; /* what the lead has said */
	int64_t heard_ms; /* of the lead */
	int64_t term_ms; /* when it was told of SIGTERM, 0: it was not */
	uint64_t bytes_done, bytes_total, rate; /* of the image; a second */
	uint64_t arrived_count; /* what our worker has counted */
	struct cr_error why; /* of our failure or the lead's */
	int has_order; /* a checkpoint that waits until we are idle */
	struct cr_peer_message order;
	int64_t thaw_ms; /* since when the worker is to stop */
	struct agent_moves moves; /* of all nodes' images */
	struct event *tick, *meet, *linger;
	int leave; /* how we leave, once the lead is met */
	int64_t linger_until_ms;
	struct cr_rendezvous rendezvous;
	size_t next_address;
	int64_t try_until_ms;
	int meet_ms; /* pause between tries */
	int sync_fd; /* to the worker, -1: none */
	int worker_fd; /* its end, in the worker */
	struct event *sync_event;
};

int agent_member_start(struct agent *agent, struct cr_error *err);
/* Wait until the lead has answered, and open the image that it names.  If it
 * does not come the job may be queued again: ->requeue_later. */
int agent_member_await_lead(struct agent *agent, struct cr_error *err);
void agent_member_hear(struct agent *agent,
		       const struct cr_peer_message *message);
void agent_member_lead_lost(struct agent *agent);
void agent_member_event(struct agent *agent, enum cr_member_event event);
/* To the lead, also if that is us. */
void agent_member_tell(struct agent *agent, uint32_t type, int value,
		       const char *text);
void agent_member_tell_of(struct agent *agent, uint32_t type, uint64_t count,
			  const char *text);
/* SIGTERM has come to a rank: ask the lead. */
void agent_member_term(struct agent *agent);
/* All ranks wait to be restarted. */
void agent_member_ranks_ready(struct agent *agent);
/* The step is over here: tell the lead and wait until it is told. */
void agent_member_leave(struct agent *agent, int leave);

/* --- agent_meet.c: find the lead --- */
void agent_meet_start(struct agent *agent);
/* The step is over here.  1: but the lead has not been met, and would wait for
 * us in vain; when it has been, or after some seconds, we leave as @leave says
 * and the loop ends. */
int agent_meet_linger(struct agent *agent, int leave);
/* The connection is of no use any more. */
void agent_meet_again(struct agent *agent);

/* --- agent_local.c: what the lead and its own member say to each other --- */
void agent_local_to_lead(struct agent *agent,
			 const struct cr_peer_message *message);
void agent_local_to_member(struct agent *agent,
			   const struct cr_peer_message *message);

/* --- agent_retry.c --- */
/* A restart has failed with @why.  True if the job is to be queued again for
 * another try (it is counted then, once for a run): CR_ON_FAILURE_LATER. */
int agent_retry(struct agent *agent, const struct cr_error *why);
/* ... and if not, CR_ON_FAILURE_RESTART or _FAIL: where its program is not a
 * step cannot begin anew. */
int agent_retry_last(const struct agent *agent, const struct cr_error *why);
/* Would it be so for -errno @code?  Nothing is counted. */
int agent_retry_is_left(const struct agent *agent, int code);
/* No rank has begun to wait: the same once we end (->requeue_later), for which
 * the step has to fail with @err, that says so then. */
int agent_retry_later(struct agent *agent, struct cr_error *err);
/* ... and there is no lead to ask, so the step's folder is looked for. */
int agent_retry_without_lead(struct agent *agent, struct cr_error *err);
/* It has worked. */
void agent_retry_clear(struct agent *agent);

int64_t agent_now_ms(void);
int64_t agent_now_us(void);

#endif /* AGENT_PEERS_H */
