/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * restart_fsm.c - the tables of the restart protocol; see restart_fsm.h
 *
 * Compiled into the module and into libcr: nothing but the errno numbers and
 * its own header is included here.  docs/restart-protocol.md shows the same
 * tables (tests/lint/protocol_table.sh compares them).
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#else
#include <errno.h>
#endif

#include "restart_fsm.h"

/* Rows are states; an absent pair is 0 and means that it cannot occur. */
#define TO(state) (1 + CR_RESTART_##state)

/*
 * Whoever is late must not find its way out of FAILED, so FAILED takes every
 * event.  DONE takes those of tasks that live on: they die when they like.
 */
static const unsigned char restart_next[CR_RESTART_NR_STATES]
				       [CR_EV_NR_EVENTS] = {
	[CR_RESTART_NEW] = {
		[CR_EV_TREE_READ]	= TO(GATHER),
		[CR_EV_TASK_FAILED]	= TO(FAILED),
		[CR_EV_TASK_DIED]	= TO(FAILED),
		[CR_EV_TIMEOUT]		= TO(FAILED),
		[CR_EV_ABANDONED]	= TO(FAILED),
	},
	[CR_RESTART_GATHER] = {
		[CR_EV_ALL_JOINED]	= TO(RESTORE),
		[CR_EV_TASK_FAILED]	= TO(FAILED),
		[CR_EV_TASK_DIED]	= TO(FAILED),
		[CR_EV_TIMEOUT]		= TO(FAILED),
		[CR_EV_ABANDONED]	= TO(FAILED),
	},
	[CR_RESTART_RESTORE] = {
		[CR_EV_ALL_RESTORED]	= TO(SETTLE),
		[CR_EV_TASK_FAILED]	= TO(FAILED),
		[CR_EV_TASK_DIED]	= TO(FAILED),
		[CR_EV_TIMEOUT]		= TO(FAILED),
		[CR_EV_ABANDONED]	= TO(FAILED),
	},
	[CR_RESTART_SETTLE] = {
		[CR_EV_ALL_AT_GATE]	= TO(RELEASE),
		[CR_EV_TASK_FAILED]	= TO(FAILED),
		[CR_EV_TASK_DIED]	= TO(FAILED),
		[CR_EV_TIMEOUT]		= TO(FAILED),
		[CR_EV_ABANDONED]	= TO(FAILED),
	},
	[CR_RESTART_RELEASE] = {
		[CR_EV_RELEASED]	= TO(DONE),
		[CR_EV_TASK_FAILED]	= TO(FAILED),
		[CR_EV_TASK_DIED]	= TO(FAILED),
		[CR_EV_TIMEOUT]		= TO(FAILED),
		[CR_EV_ABANDONED]	= TO(FAILED),
	},
	[CR_RESTART_DONE] = {
		[CR_EV_TASK_FAILED]	= TO(DONE),
		[CR_EV_TASK_DIED]	= TO(DONE),
		[CR_EV_TIMEOUT]		= TO(DONE),
		[CR_EV_ABANDONED]	= TO(DONE),
	},
	[CR_RESTART_FAILED] = {
		[CR_EV_TREE_READ]	= TO(FAILED),
		[CR_EV_ALL_JOINED]	= TO(FAILED),
		[CR_EV_ALL_RESTORED]	= TO(FAILED),
		[CR_EV_ALL_AT_GATE]	= TO(FAILED),
		[CR_EV_RELEASED]	= TO(FAILED),
		[CR_EV_TASK_FAILED]	= TO(FAILED),
		[CR_EV_TASK_DIED]	= TO(FAILED),
		[CR_EV_TIMEOUT]		= TO(FAILED),
		[CR_EV_ABANDONED]	= TO(FAILED),
	},
};

int cr_restart_next(enum cr_restart_state state, enum cr_restart_event event)
{
	unsigned char to;

	if ((unsigned int)state >= CR_RESTART_NR_STATES ||
	    (unsigned int)event >= CR_EV_NR_EVENTS)
		return -EPROTO;
	to = restart_next[state][event];
	return to ? to - 1 : -EPROTO;
}

#undef TO
#define TO(state) (1 + CR_TASK_##state)

/*
 * A zombie or ghost is buried when it has had its turn, or without one.
 * To die in any other state is an error of the restart, not of this table.
 */
static const unsigned char task_next[CR_TASK_NR_STATES][CR_TASK_NR_EVENTS] = {
	[CR_TASK_ABSENT] = {
		[CR_TASK_EV_JOIN]	= TO(JOINED),
	},
	[CR_TASK_JOINED] = {
		[CR_TASK_EV_TURN]	= TO(TURN),
		[CR_TASK_EV_DIED]	= TO(DEAD),
	},
	[CR_TASK_TURN] = {
		[CR_TASK_EV_RESTORED]	= TO(RESTORED),
	},
	[CR_TASK_RESTORED] = {
		[CR_TASK_EV_GATE]	= TO(AT_GATE),
		[CR_TASK_EV_DIED]	= TO(DEAD),
	},
	[CR_TASK_AT_GATE] = {
		[CR_TASK_EV_RELEASE]	= TO(LEFT),
	},
};

int cr_task_next(enum cr_task_state state, enum cr_task_event event)
{
	unsigned char to;

	if ((unsigned int)state >= CR_TASK_NR_STATES ||
	    (unsigned int)event >= CR_TASK_NR_EVENTS)
		return -EPROTO;
	to = task_next[state][event];
	if (to)
		return to - 1;
	return event == CR_TASK_EV_JOIN ? -EBUSY : -EPROTO;
}

const char *cr_restart_state_name(enum cr_restart_state state)
{
	static const char *const names[CR_RESTART_NR_STATES] = {
		[CR_RESTART_NEW] = "NEW",
		[CR_RESTART_GATHER] = "GATHER",
		[CR_RESTART_RESTORE] = "RESTORE",
		[CR_RESTART_SETTLE] = "SETTLE",
		[CR_RESTART_RELEASE] = "RELEASE",
		[CR_RESTART_DONE] = "DONE",
		[CR_RESTART_FAILED] = "FAILED",
	};

	if ((unsigned int)state >= CR_RESTART_NR_STATES)
		return "?";
	return names[state];
}

const char *cr_task_state_name(enum cr_task_state state)
{
	static const char *const names[CR_TASK_NR_STATES] = {
		[CR_TASK_ABSENT] = "ABSENT",   [CR_TASK_JOINED] = "JOINED",
		[CR_TASK_TURN] = "TURN",       [CR_TASK_RESTORED] = "RESTORED",
		[CR_TASK_AT_GATE] = "AT_GATE", [CR_TASK_LEFT] = "LEFT",
		[CR_TASK_DEAD] = "DEAD",
	};

	if ((unsigned int)state >= CR_TASK_NR_STATES)
		return "?";
	return names[state];
}
