/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * step_fsm.h - phases of a checkpoint or restart that several nodes make
 *
 * Two tables: what the lead agent goes through, once for the step, and what
 * each node's agent (a member, the lead's node too) goes through.  Pure: no
 * clock, no socket, no process.  The waiting is in agent_lead*.c and
 * agent_member*.c; docs/plugin-protocol.md has the conversation.
 *
 * A *round* is one attempt at a checkpoint or restart.  Its parts end at
 * barriers: a member says that it has arrived, and goes on when the lead has
 * heard all of them.
 */
#ifndef STEP_FSM_H
#define STEP_FSM_H

enum cr_barrier {
	CR_BARRIER_NONE,
	/* of a checkpoint, in this order */
	CR_BARRIER_FROZEN, /* no task of the step runs; before QUEUES a node may
			    * let its own go for moments: cr_checkpoint.h,
			    * patience */
	CR_BARRIER_QUEUES, /* all send queues are read, no receive queue is */
	CR_BARRIER_ENDS, /* all ends of TCP connections are known */
	CR_BARRIER_MATCHED, /* ... and belong together: images are written */
	CR_BARRIER_SAVED, /* all images are durable: who goes on, goes on */
	CR_BARRIER_DIGESTED, /* ... and their digests known */
	CR_BARRIER_COMMITTED, /* the manifest is in place: no way back */
	/* of a restart, in this order */
	CR_BARRIER_READY, /* ranks are there, the image is open */
	CR_BARRIER_GATE, /* all is restored, no task runs yet */
	CR_NR_BARRIERS,
};

/* ---- the lead ---- */

enum cr_lead_phase {
	CR_LEAD_IDLE,
	CR_LEAD_PREPARE, /* the generation's folder is being made */
	CR_LEAD_FREEZE,
	CR_LEAD_QUEUES,
	CR_LEAD_ENDS,
	CR_LEAD_MATCH, /* does a connection lead out of the step? */
	CR_LEAD_SAVE,
	CR_LEAD_DIGEST, /* of a periodic one, programs run again */
	CR_LEAD_COMMIT, /* the manifest is being put in place */
	CR_LEAD_JOIN, /* of a restart: nodes and their ranks come */
	CR_LEAD_RESTORE,
	CR_NR_LEAD_PHASES,
};

enum cr_lead_event {
	CR_LEAD_EV_CHECKPOINT, /* one is wanted */
	CR_LEAD_EV_RESTART, /* there is something to go on from */
	CR_LEAD_EV_PREPARED,
	CR_LEAD_EV_ALL, /* the last member has arrived at the barrier */
	CR_LEAD_EV_MATCHED, /* none leads out of the step */
	CR_LEAD_EV_COMMITTED,
	CR_LEAD_EV_NOT_COMMITTED, /* and will never be */
	CR_LEAD_EV_FAILED, /* a member has said so, is silent, or has gone */
	CR_LEAD_EV_ABSENT, /* a member does not come */
	CR_NR_LEAD_EVENTS,
};

enum cr_lead_action {
	CR_LEAD_DO_NOTHING,
	CR_LEAD_DO_PREPARE,
	CR_LEAD_DO_ORDER, /* tell all members to begin the checkpoint */
	CR_LEAD_DO_PASS, /* the barrier is passed: tell all */
	CR_LEAD_DO_MATCH,
	CR_LEAD_DO_COMMIT,
	CR_LEAD_DO_VERDICT, /* committed: all end, or thaw if periodic */
	CR_LEAD_DO_ABORT, /* all thaw; say why */
	CR_LEAD_DO_NEXT, /* restart: the next candidate, for all */
	CR_LEAD_DO_RUN, /* restart: open the gate everywhere */
	CR_LEAD_DO_GIVE_UP, /* restart: end the step, images remain */
	CR_NR_LEAD_ACTIONS,
};

/* ---- a member ---- */

enum cr_member_phase {
	CR_MEMBER_IDLE,
	CR_MEMBER_FREEZING,
	CR_MEMBER_FROZEN, /* waits for the others, as in all -ED and -READ */
	CR_MEMBER_READING, /* send queues */
	CR_MEMBER_READ,
	CR_MEMBER_LISTING, /* receive queues, and so all ends of connections */
	CR_MEMBER_LISTED,
	CR_MEMBER_SAVING,
	CR_MEMBER_SAVED,
	CR_MEMBER_DIGESTING,
	CR_MEMBER_DIGESTED, /* from here on it cannot abort by itself */
	CR_MEMBER_DECIDING, /* the lead is lost: look whether it committed */
	CR_MEMBER_ENDING, /* committed: being ended, or thawed if periodic */
	CR_MEMBER_THAWING, /* given up: the worker cleans up */
	CR_MEMBER_JOINING, /* of a restart */
	CR_MEMBER_READY,
	CR_MEMBER_RESTORING,
	CR_MEMBER_AT_GATE,
	CR_NR_MEMBER_PHASES,
};

enum cr_member_event {
	CR_MEMBER_EV_CHECKPOINT, /* the lead orders one; when another is under
				  * way that is given up, and this one follows
				  */
	CR_MEMBER_EV_RESTART, /* the lead names a generation */
	CR_MEMBER_EV_GIVE_UP, /* the lead: there is none to restart from */
	CR_MEMBER_EV_ARRIVED, /* our part up to the next barrier is done */
	CR_MEMBER_EV_PASS, /* the lead: the barrier is passed */
	CR_MEMBER_EV_ABORT, /* the lead: thaw */
	CR_MEMBER_EV_FAILED, /* our worker has failed, or died */
	CR_MEMBER_EV_DONE, /* our worker has done all of it */
	CR_MEMBER_EV_LEAD_LOST, /* its connection, or it is silent */
	CR_NR_MEMBER_EVENTS,
};

enum cr_member_action {
	CR_MEMBER_DO_NOTHING,
	CR_MEMBER_DO_SAVE, /* start the worker */
	CR_MEMBER_DO_TELL, /* the lead: arrived */
	CR_MEMBER_DO_GO, /* let the worker pass the barrier */
	CR_MEMBER_DO_THAW, /* have the worker stop.  To kill it would be faster,
			    * but not while it lends a task's registers */
	CR_MEMBER_DO_FAIL, /* the lead: failed */
	CR_MEMBER_DO_DECIDE, /* have the worker look, and abort or end */
	CR_MEMBER_DO_FINISH, /* the outcome is known: do what follows */
	CR_MEMBER_DO_KILL, /* committed, but the tree had got away */
	CR_MEMBER_DO_OPEN, /* the image that the lead has named */
	CR_MEMBER_DO_RESTORE, /* start the restarter */
	CR_MEMBER_DO_CANCEL, /* end the restarter, and wait for the lead */
	CR_MEMBER_DO_GIVE_UP, /* begin anew or fail, as the lead has said */
	CR_NR_MEMBER_ACTIONS,
};

/*
 * What follows: the action, with the new phase in *@phase.  -EPROTO, and
 * *@phase as it was, for what must not happen in that phase.
 */
int cr_lead_step(enum cr_lead_phase *phase, enum cr_lead_event event);
int cr_member_step(enum cr_member_phase *phase, enum cr_member_event event);

/* The barrier at which a phase ends; NONE if at none. */
enum cr_barrier cr_lead_barrier(enum cr_lead_phase phase);
enum cr_barrier cr_member_barrier(enum cr_member_phase phase);

/* For logs and `cr status`. */
const char *cr_lead_phase_name(enum cr_lead_phase phase);
const char *cr_member_phase_name(enum cr_member_phase phase);
const char *cr_barrier_name(enum cr_barrier barrier);

#endif /* STEP_FSM_H */
