/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_sync.h - a worker waits for the agent at a barrier
 *
 * A worker that takes part in something that several nodes do says how far it
 * has come, and goes on when the agent lets it.  In a step of one node there
 * is nobody to wait for, and none of this costs anything.
 */
#ifndef AGENT_SYNC_H
#define AGENT_SYNC_H

#include <stdint.h>

#include "cr_error.h"
#include "step_fsm.h"

struct agent;

/* --- in the agent --- */

/* Start a worker that is to be let on: @start does it, with the worker's end of
 * a socket, which it does not keep.  Returns as @start, or -errno. */
int agent_sync_start(struct agent *agent,
		     int (*start)(struct agent *agent, int sync_fd,
				  struct cr_error *err),
		     struct cr_error *err);
/* No more word from or to the worker. */
void agent_sync_close(struct agent *agent);
/* Let it pass the barrier at which it waits. */
void agent_sync_go(struct agent *agent);
/* It is to undo what it has done, and to fail. */
void agent_sync_abort(struct agent *agent);
/* The lead is lost: it is to find out by itself. */
void agent_sync_decide(struct agent *agent);

/* --- in the worker --- */

enum agent_sync_answer {
	AGENT_SYNC_GO,
	AGENT_SYNC_ABORT,
	AGENT_SYNC_LOST, /* agent or lead are not there any more */
};

void agent_sync_use(int fd);
/* Say that we are at @barrier and wait; what @count counts depends on that (see
 * CR_PEER_ARRIVED).  GO at once without a socket. */
enum agent_sync_answer agent_sync_reach(enum cr_barrier barrier,
					uint64_t count);
/* The same as an error: -ECANCELED if we may not go on. */
int agent_sync_pass(enum cr_barrier barrier, uint64_t count,
		    struct cr_error *err);
void agent_sync_progress(uint64_t done, uint64_t total);
/* Need we not go on?  Does not wait. */
int agent_sync_is_aborted(void);

#endif /* AGENT_SYNC_H */
