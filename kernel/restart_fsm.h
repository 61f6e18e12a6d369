/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * restart_fsm.h - the restart protocol, as a table
 *
 * Pure: no locks, no sleeping, no allocation, so that the same file serves
 * the module, libcr and tests/unit/test_restart_fsm.  Who waits for what is in
 * lib/restart_coordinator.c, coordinator_events.c and restart_steps.c (user
 * host), and in kernel/restart_ctx.c (kernel host).
 * docs/restart-protocol.md has the drawing and tests/model/restart.pml the
 * model; all use these names.
 */
#ifndef RESTART_FSM_H
#define RESTART_FSM_H

enum cr_restart_state {
	CR_RESTART_NEW, /* context exists; the coordinator reads the tree */
	CR_RESTART_GATHER, /* tree known; waiting for every task to join */
	CR_RESTART_RESTORE, /* tasks restore what is shared, turn by turn */
	CR_RESTART_SETTLE, /* shared state is there; the dead are buried,
			    * the living finish and come to the gate */
	CR_RESTART_RELEASE, /* all at the gate: the coordinator sets registers
			     */
	CR_RESTART_DONE, /* gate open; tasks are back in their old code */
	CR_RESTART_FAILED, /* first error is kept; every task is released */
	CR_RESTART_NR_STATES,
};

enum cr_restart_event {
	CR_EV_TREE_READ,
	CR_EV_ALL_JOINED,
	CR_EV_ALL_RESTORED, /* the last turn was handed back */
	CR_EV_ALL_AT_GATE, /* and all zombies and ghosts are dead */
	CR_EV_RELEASED,
	CR_EV_TASK_FAILED, /* a task's own error */
	CR_EV_TASK_DIED, /* a live task of the tree is gone */
	CR_EV_TIMEOUT,
	CR_EV_ABANDONED, /* the coordinator gives up or is gone */
	CR_EV_NR_EVENTS,
};

/**
 * cr_restart_next() - what a restart is when something has happened
 * @state: enum cr_restart_state
 * @event: enum cr_restart_event
 *
 * Return: the next state, or -EPROTO where the pair cannot occur.
 */
int cr_restart_next(enum cr_restart_state state, enum cr_restart_event event);

/* What one task of the tree is doing; the coordinator keeps one each. */
enum cr_task_state {
	CR_TASK_ABSENT, /* not made yet, or not heard of */
	CR_TASK_JOINED,
	CR_TASK_TURN, /* restoring shared state */
	CR_TASK_RESTORED, /* turn handed back */
	CR_TASK_AT_GATE,
	CR_TASK_LEFT, /* back in its old code */
	CR_TASK_DEAD, /* zombie or ghost that has exited, as it should */
	CR_TASK_NR_STATES,
};

enum cr_task_event {
	CR_TASK_EV_JOIN,
	CR_TASK_EV_TURN, /* given by the coordinator */
	CR_TASK_EV_RESTORED,
	CR_TASK_EV_GATE,
	CR_TASK_EV_RELEASE,
	CR_TASK_EV_DIED, /* only right for one that is to be dead */
	CR_TASK_NR_EVENTS,
};

/**
 * cr_task_next() - what a task is when it has taken a step
 * @state: enum cr_task_state
 * @event: enum cr_task_event
 *
 * Return: the next state; -EBUSY for a second join, else -EPROTO where the
 * pair cannot occur.
 */
int cr_task_next(enum cr_task_state state, enum cr_task_event event);

/**
 * cr_restart_state_name() - the state as in docs/restart-protocol.md
 * @state: enum cr_restart_state
 *
 * Return: a constant; "?" for what is none.
 */
const char *cr_restart_state_name(enum cr_restart_state state);
/**
 * cr_task_state_name() - the state as in docs/restart-protocol.md
 * @state: enum cr_task_state
 *
 * Return: a constant; "?" for what is none.
 */
const char *cr_task_state_name(enum cr_task_state state);

#endif /* RESTART_FSM_H */
