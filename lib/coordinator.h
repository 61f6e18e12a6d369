/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coordinator.h - what the coordinator of a restart knows of its processes
 *
 * Private to restart_coordinator.c (makes the roots, waits, ends all),
 * coordinator_events.c (what messages and deaths lead to) and
 * coordinator_device.c (where the kernel's module knows that).
 */
#ifndef COORDINATOR_H
#define COORDINATOR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "restart_ctx.h"

/* in epoll data; else the index */
#define CR_COORDINATOR_SOCKET UINT64_MAX
#define CR_COORDINATOR_DEVICE (UINT64_MAX - 1)

struct process {
	enum cr_task_state state;
	pid_t pid; /* as we see it */
	int pidfd;
};

struct vpid_index {
	uint32_t vpid;
	uint32_t index; /* of the process */
};

struct coordinator {
	struct cr_restarter *restarter;
	struct process *processes; /* as plan->processes */
	struct vpid_index *by_vpid; /* [plan->nr], sorted */
	uint32_t *by_task; /* process of each saved task */
	pid_t *children; /* pids of the first plan->nr_roots processes; 0 for
			  * those that have been reaped: they may be another's
			  */
	int epoll;
	size_t nr_expected; /* processes that are to join */
	size_t nr_joined, nr_at_gate, nr_dead;
	size_t nr_turns; /* given so far */
	size_t nr_live, nr_to_die;
	uint64_t deadline_ns;
	struct cr_error *err; /* the first one */
};

/* ---- coordinator_device.c: if the module runs the protocol ---- */

/* Begin, once all else is ready to be forked. */
int cr_coordinator_begin_device(struct coordinator *c);
/* An event of our own: the module, too, is to know. */
void cr_coordinator_tell_device(struct coordinator *c,
				enum cr_restart_event event);
/* Take over the state from the module. */
void cr_coordinator_look(struct coordinator *c);
/* It has failed, and no task has said why: then as the module knows it. */
void cr_coordinator_explain(struct coordinator *c);

/* ---- coordinator_events.c ---- */

/* The state of the whole, for all to see. */
void cr_coordinator_set_state(struct coordinator *c, uint32_t state);

/* Move on.  An event that the table does not know is our own mistake. */
void cr_coordinator_happen(struct coordinator *c, enum cr_restart_event event);

/* Process @index has died when it should not: the restart fails. */
void cr_coordinator_lost(struct coordinator *c, size_t index);

/* Fill @c->by_vpid and @c->by_task; restart_coordinator.c frees them. */
int cr_coordinator_index(struct coordinator *c);

/* Hear of the end of process @index; takes @pidfd. */
void cr_coordinator_watch(struct coordinator *c, size_t index, int pidfd);

/* Handle one message.  Returns 0 when there is none. */
int cr_coordinator_receive(struct coordinator *c);

/* Wait up to @timeout_ms for messages and deaths, and handle them. */
void cr_coordinator_hear(struct coordinator *c, int timeout_ms);

#endif /* COORDINATOR_H */
