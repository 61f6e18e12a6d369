/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_member.h - what the files of a member say to each other
 *
 * What others may ask of it is in agent_peers.h.
 */
#ifndef AGENT_MEMBER_H
#define AGENT_MEMBER_H

#include "agent_peers.h"

/* Is the lead another node's? */
static inline int agent_member_is_remote(const struct agent *agent)
{
	return !agent->lead;
}

/* --- agent_member_tell.c --- */
/* Before the lead's welcome only that we leave, once it knows who we are. */
int agent_member_may_send(const struct agent_member *member, uint32_t type);
/* Our worker is at @barrier, with what it has counted. */
void agent_member_tell_arrived(struct agent *agent, enum cr_barrier barrier);
void agent_member_tell_progress(struct agent *agent);

/* --- agent_member_hear.c --- */
/* Begin the checkpoint that @message orders, or remember it if another one is
 * under way. */
void agent_member_order(struct agent *agent,
			const struct cr_peer_message *message);
/* SIGTERM means nothing to us: the ranks get it. */
void agent_member_forward(struct agent *agent);

/* --- agent_member_restart.c --- */
/* Ranks are there and an image has been named: tell the lead whether it fits.
 * Nothing if one of the two is missing. */
void agent_member_get_ready(struct agent *agent);
void agent_member_start_restart(struct agent *agent);
/* No image works: as member->on_failure says. */
void agent_member_give_up(struct agent *agent);

/* --- agent_member_watch.c --- */
/* Look after it each second from now on, as long as something is under way. */
void agent_member_arm(struct agent *agent);
/* As event_callback_fn: a second is over. */
void agent_member_tick(evutil_socket_t fd, short what, void *arg);

#endif /* AGENT_MEMBER_H */
