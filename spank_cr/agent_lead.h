/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_lead.h - what the files of the lead say to each other
 *
 * What others may ask of it is in agent_peers.h.
 */
#ifndef AGENT_LEAD_H
#define AGENT_LEAD_H

#include "agent_peers.h"

/* --- agent_lead.c --- */
/* Go on in the table of step_fsm.h; one that comes too late does nothing. */
void agent_lead_event(struct agent *agent, enum cr_lead_event what);
/* ... because of @node, for the reason that is given (-errno and words); the
 * first one counts. */
void agent_lead_fail(struct agent *agent, enum cr_lead_event what,
		     uint32_t node, int code, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Are nodes on their way to the gate of a restart? */
static inline int agent_lead_is_restarting(const struct agent_lead *lead)
{
	return lead->phase == CR_LEAD_JOIN || lead->phase == CR_LEAD_RESTORE;
}

/* --- agent_lead_tell.c --- */
/* A message about this round. */
struct cr_peer_message agent_lead_compose(const struct agent *agent,
					  uint32_t type);
/* To all; one member tells the user: the first that is there. */
void agent_lead_send_and_say(struct agent *agent,
			     struct cr_peer_message *message);
/* Take part in this checkpoint. */
void agent_lead_send_order(struct agent *agent, uint32_t node);
/* @type: CR_PEER_RESTART, or CR_PEER_WELCOME for who comes in the middle. */
void agent_lead_send_restart(struct agent *agent, uint32_t node, uint32_t type);
/* All may pass @barrier. */
void agent_lead_pass(struct agent *agent, enum cr_barrier barrier);
/* The round has failed: lead->why. */
void agent_lead_send_abort(struct agent *agent);

/* --- agent_lead_round.c: what follows from an event, of a checkpoint --- */
void agent_lead_prepare(struct agent *agent);
/* All that are there are to take part. */
void agent_lead_order(struct agent *agent);
void agent_lead_match(struct agent *agent);
void agent_lead_commit(struct agent *agent);
void agent_lead_abort_round(struct agent *agent);

/* --- agent_lead_restart.c: ... of a restart --- */
/* It has failed with the last candidate (lead->why): the next, for all. */
void agent_lead_next_candidate(struct agent *agent);
/* None is left, or a node does not come: members do as @on_failure (enum
 * cr_on_failure) says, and one tells the user @why. */
void agent_lead_end_restart(struct agent *agent, int on_failure,
			    const char *why);

/* --- agent_lead_watch.c --- */
/* As event_callback_fn: a second is over. */
void agent_lead_tick(evutil_socket_t fd, short what, void *arg);

#endif /* AGENT_LEAD_H */
