/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * step_fsm.c - the tables of step_fsm.h, and nothing that waits
 *
 * Empty fields are what must not happen; every failure has a field in every
 * phase in which something is under way.
 */
#include <errno.h>
#include <stddef.h>

#include "step_fsm.h"

struct field {
	unsigned char is_allowed, phase, action;
};

#define L(new_phase, do_it)                                \
	{                                                  \
		1, CR_LEAD_##new_phase, CR_LEAD_DO_##do_it \
	}
#define LEV(event) [CR_LEAD_EV_##event]

static const struct field lead[CR_NR_LEAD_PHASES][CR_NR_LEAD_EVENTS] = {
	[CR_LEAD_IDLE] = {
		LEV(CHECKPOINT) = L(PREPARE, PREPARE),
		LEV(RESTART) = L(JOIN, NOTHING),
	},
	[CR_LEAD_PREPARE] = {
		LEV(PREPARED) = L(FREEZE, ORDER),
		LEV(FAILED) = L(IDLE, ABORT),
		LEV(ABSENT) = L(IDLE, ABORT),
	},
	[CR_LEAD_FREEZE] = {
		LEV(ALL) = L(QUEUES, PASS),
		LEV(FAILED) = L(IDLE, ABORT),
		LEV(ABSENT) = L(IDLE, ABORT),
	},
	[CR_LEAD_QUEUES] = {
		LEV(ALL) = L(ENDS, PASS),
		LEV(FAILED) = L(IDLE, ABORT),
		LEV(ABSENT) = L(IDLE, ABORT),
	},
	[CR_LEAD_ENDS] = {
		LEV(ALL) = L(MATCH, MATCH),
		LEV(FAILED) = L(IDLE, ABORT),
		LEV(ABSENT) = L(IDLE, ABORT),
	},
	/* what is to be refused is refused before anybody writes an image */
	[CR_LEAD_MATCH] = {
		LEV(MATCHED) = L(SAVE, PASS),
		LEV(FAILED) = L(IDLE, ABORT),
		LEV(ABSENT) = L(IDLE, ABORT),
	},
	[CR_LEAD_SAVE] = {
		LEV(ALL) = L(DIGEST, PASS),
		LEV(FAILED) = L(IDLE, ABORT),
		LEV(ABSENT) = L(IDLE, ABORT),
	},
	[CR_LEAD_DIGEST] = {
		LEV(ALL) = L(COMMIT, COMMIT),
		LEV(FAILED) = L(IDLE, ABORT),
		LEV(ABSENT) = L(IDLE, ABORT),
	},
	/* too late to fail: whether the manifest is there decides */
	[CR_LEAD_COMMIT] = {
		LEV(COMMITTED) = L(IDLE, VERDICT),
		LEV(NOT_COMMITTED) = L(IDLE, ABORT),
		LEV(FAILED) = L(COMMIT, NOTHING),
		LEV(ABSENT) = L(COMMIT, NOTHING),
	},
	[CR_LEAD_JOIN] = {
		LEV(ALL) = L(RESTORE, PASS),
		LEV(FAILED) = L(JOIN, NEXT),
		LEV(ABSENT) = L(IDLE, GIVE_UP),
	},
	[CR_LEAD_RESTORE] = {
		LEV(ALL) = L(IDLE, RUN),
		LEV(FAILED) = L(JOIN, NEXT),
		LEV(ABSENT) = L(JOIN, NEXT),
	},
};

#define M(new_phase, do_it)                                    \
	{                                                      \
		1, CR_MEMBER_##new_phase, CR_MEMBER_DO_##do_it \
	}
#define MEV(event) [CR_MEMBER_EV_##event]

/* What may happen whenever the worker could still be ended without a loss. */
#define ABORTABLE                                                          \
	MEV(CHECKPOINT) = M(THAWING, THAW), MEV(ABORT) = M(THAWING, THAW), \
	MEV(LEAD_LOST) = M(THAWING, THAW), MEV(FAILED) = M(IDLE, FAIL)

/* What ends an attempt to restart. */
#define RETRYABLE                                                             \
	MEV(RESTART) = M(JOINING, OPEN), MEV(LEAD_LOST) = M(JOINING, CANCEL), \
	MEV(GIVE_UP) = M(IDLE, GIVE_UP), MEV(FAILED) = M(JOINING, FAIL)

static const struct field member[CR_NR_MEMBER_PHASES][CR_NR_MEMBER_EVENTS] = {
	[CR_MEMBER_IDLE] = {
		MEV(CHECKPOINT) = M(FREEZING, SAVE),
		MEV(RESTART) = M(JOINING, OPEN),
		MEV(PASS) = M(IDLE, KILL),
		MEV(ABORT) = M(IDLE, FINISH),
		MEV(LEAD_LOST) = M(IDLE, NOTHING),
	},
	[CR_MEMBER_FREEZING] = {
		ABORTABLE,
		MEV(ARRIVED) = M(FROZEN, TELL),
	},
	[CR_MEMBER_FROZEN] = {
		ABORTABLE,
		MEV(PASS) = M(READING, GO),
	},
	[CR_MEMBER_READING] = {
		ABORTABLE,
		MEV(ARRIVED) = M(READ, TELL),
	},
	[CR_MEMBER_READ] = {
		ABORTABLE,
		MEV(PASS) = M(LISTING, GO),
	},
	[CR_MEMBER_LISTING] = {
		ABORTABLE,
		MEV(ARRIVED) = M(LISTED, TELL),
	},
	[CR_MEMBER_LISTED] = {
		ABORTABLE,
		MEV(PASS) = M(SAVING, GO),
	},
	[CR_MEMBER_SAVING] = {
		ABORTABLE,
		MEV(ARRIVED) = M(SAVED, TELL),
	},
	[CR_MEMBER_SAVED] = {
		ABORTABLE,
		MEV(PASS) = M(DIGESTING, GO),
	},
	[CR_MEMBER_DIGESTING] = {
		ABORTABLE,
		MEV(ARRIVED) = M(DIGESTED, TELL),
	},
	/* the lead may have committed: only it or the manifest can tell */
	[CR_MEMBER_DIGESTED] = {
		MEV(CHECKPOINT) = M(THAWING, THAW),
		MEV(PASS) = M(ENDING, GO),
		MEV(ABORT) = M(THAWING, THAW),
		MEV(LEAD_LOST) = M(DECIDING, DECIDE),
		MEV(FAILED) = M(IDLE, FAIL),
	},
	[CR_MEMBER_DECIDING] = {
		MEV(CHECKPOINT) = M(DECIDING, NOTHING),
		MEV(PASS) = M(DECIDING, NOTHING),
		MEV(ABORT) = M(DECIDING, NOTHING),
		MEV(LEAD_LOST) = M(DECIDING, NOTHING),
		MEV(DONE) = M(IDLE, FINISH),
		MEV(FAILED) = M(IDLE, FINISH),
	},
	[CR_MEMBER_ENDING] = {
		MEV(CHECKPOINT) = M(ENDING, NOTHING),
		MEV(ABORT) = M(ENDING, NOTHING),
		MEV(LEAD_LOST) = M(ENDING, NOTHING),
		MEV(DONE) = M(IDLE, FINISH),
		MEV(FAILED) = M(IDLE, FINISH),
	},
	[CR_MEMBER_THAWING] = {
		MEV(CHECKPOINT) = M(THAWING, NOTHING),
		MEV(PASS) = M(THAWING, NOTHING),
		MEV(ABORT) = M(THAWING, NOTHING),
		MEV(LEAD_LOST) = M(THAWING, NOTHING),
		MEV(DONE) = M(IDLE, FINISH),
		MEV(FAILED) = M(IDLE, FINISH),
	},
	[CR_MEMBER_JOINING] = {
		RETRYABLE,
		MEV(ARRIVED) = M(READY, TELL),
	},
	[CR_MEMBER_READY] = {
		RETRYABLE,
		MEV(PASS) = M(RESTORING, RESTORE),
	},
	[CR_MEMBER_RESTORING] = {
		RETRYABLE,
		MEV(ARRIVED) = M(AT_GATE, TELL),
	},
	[CR_MEMBER_AT_GATE] = {
		RETRYABLE,
		MEV(PASS) = M(IDLE, GO),
	},
};

int cr_lead_step(enum cr_lead_phase *phase, enum cr_lead_event event)
{
	const struct field *field;

	if (*phase >= CR_NR_LEAD_PHASES || event >= CR_NR_LEAD_EVENTS)
		return -EPROTO;
	field = &lead[*phase][event];
	if (!field->is_allowed)
		return -EPROTO;
	*phase = (enum cr_lead_phase)field->phase;
	return field->action;
}

int cr_member_step(enum cr_member_phase *phase, enum cr_member_event event)
{
	const struct field *field;

	if (*phase >= CR_NR_MEMBER_PHASES || event >= CR_NR_MEMBER_EVENTS)
		return -EPROTO;
	field = &member[*phase][event];
	if (!field->is_allowed)
		return -EPROTO;
	*phase = (enum cr_member_phase)field->phase;
	return field->action;
}

enum cr_barrier cr_lead_barrier(enum cr_lead_phase phase)
{
	static const enum cr_barrier barriers[CR_NR_LEAD_PHASES] = {
		[CR_LEAD_FREEZE] = CR_BARRIER_FROZEN,
		[CR_LEAD_QUEUES] = CR_BARRIER_QUEUES,
		[CR_LEAD_ENDS] = CR_BARRIER_ENDS,
		[CR_LEAD_MATCH] = CR_BARRIER_MATCHED,
		[CR_LEAD_SAVE] = CR_BARRIER_SAVED,
		[CR_LEAD_DIGEST] = CR_BARRIER_DIGESTED,
		[CR_LEAD_COMMIT] = CR_BARRIER_COMMITTED,
		[CR_LEAD_JOIN] = CR_BARRIER_READY,
		[CR_LEAD_RESTORE] = CR_BARRIER_GATE,
	};

	return phase < CR_NR_LEAD_PHASES ? barriers[phase] : CR_BARRIER_NONE;
}

enum cr_barrier cr_member_barrier(enum cr_member_phase phase)
{
	static const enum cr_barrier barriers[CR_NR_MEMBER_PHASES] = {
		[CR_MEMBER_FREEZING] = CR_BARRIER_FROZEN,
		[CR_MEMBER_FROZEN] = CR_BARRIER_FROZEN,
		[CR_MEMBER_READING] = CR_BARRIER_QUEUES,
		[CR_MEMBER_READ] = CR_BARRIER_QUEUES,
		[CR_MEMBER_LISTING] = CR_BARRIER_ENDS,
		[CR_MEMBER_LISTED] = CR_BARRIER_MATCHED,
		[CR_MEMBER_SAVING] = CR_BARRIER_SAVED,
		[CR_MEMBER_SAVED] = CR_BARRIER_SAVED,
		[CR_MEMBER_DIGESTING] = CR_BARRIER_DIGESTED,
		[CR_MEMBER_DIGESTED] = CR_BARRIER_COMMITTED,
		[CR_MEMBER_JOINING] = CR_BARRIER_READY,
		[CR_MEMBER_READY] = CR_BARRIER_READY,
		[CR_MEMBER_RESTORING] = CR_BARRIER_GATE,
		[CR_MEMBER_AT_GATE] = CR_BARRIER_GATE,
	};

	return phase < CR_NR_MEMBER_PHASES ? barriers[phase] : CR_BARRIER_NONE;
}

const char *cr_lead_phase_name(enum cr_lead_phase phase)
{
	static const char *const names[CR_NR_LEAD_PHASES] = {
		"idle", "prepare", "freeze", "queues", "ends",	  "match",
		"save", "digest",  "commit", "join",   "restore",
	};

	return phase < CR_NR_LEAD_PHASES ? names[phase] : "?";
}

const char *cr_member_phase_name(enum cr_member_phase phase)
{
	static const char *const names[CR_NR_MEMBER_PHASES] = {
		"idle",	    "freezing",	 "frozen",  "reading", "read",
		"listing",  "listed",	 "saving",  "saved",   "digesting",
		"digested", "deciding",	 "ending",  "thawing", "joining",
		"ready",    "restoring", "at gate",
	};

	return phase < CR_NR_MEMBER_PHASES ? names[phase] : "?";
}

const char *cr_barrier_name(enum cr_barrier barrier)
{
	static const char *const names[CR_NR_BARRIERS] = {
		"none",	 "frozen",   "queues",	  "ends",  "matched",
		"saved", "digested", "committed", "ready", "gate",
	};

	return barrier < CR_NR_BARRIERS ? names[barrier] : "?";
}
