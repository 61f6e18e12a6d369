/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * restart.pml - the restart protocol, for spin
 *
 * A coordinator and four tasks, the second of which is a zombie.  The tables
 * are those of kernel/restart_fsm.c, printed by tests/support/protocol_table.
 * Claims: no deadlock; whatever happens, everybody has ended after a bounded
 * number of steps, back in the old code or dead; turns come in saved order
 * and once each; nobody runs old code before all are restored and the dead
 * are dead; the first error is kept.
 *
 * Worlds (tests/model/run_model.sh runs them all):
 *	(none)		any two of coordinator and tasks die, at any moment;
 *			a task fails; failure is only told (kernel host)
 *	-DKILLS		the coordinator kills the rest on failure (user host);
 *			a task may be stuck for ever; there is a time limit
 *	-DINTRUDER	somebody joins as a task of the tree
 * Mutants, each of which must be caught: -DMUTANT_...
 */
#define REFUSED 255
#define NONE 255
#include "protocol_table.pml"

#ifndef N
#define N 4
#endif
#ifndef MAX_DEATHS
#define MAX_DEATHS 2
#endif
#define ZOMBIE 1
#define MESSAGE_FAILED 100
#define MAIL(event) (1 + event)

byte state = CR_RESTART_NEW; /* only the coordinator writes it */
byte turn = NONE; /* and this */
byte error = NONE; /* the event that made the restart fail */
byte first_error = NONE; /* the same, noted by other means */
byte task_state[N]; /* as the coordinator knows it */

byte nr_deaths; /* that are still to come, at most */
bool killed; /* SIGKILL to all, by the coordinator */
bool dead[N];
bool is_seen[N]; /* dead, and the coordinator knows */
bool left[N]; /* back in its old code */
bool let_go[N]; /* the coordinator has detached it */
byte nr_restored; /* in all */
bool has_restored[N];

bool coordinator_ended;
bool coordinator_died;
bool timed_out;

/* One message of each on its way; which is read next is open. */
byte mail[N];

#if N == 4
#define ALL(p) (p(0) && p(1) && p(2) && p(3))
#else
#define ALL(p) (p(0) && p(1) && p(2))
#endif
#define ENDED(i) (left[i] || dead[i])
#define IS_DEAD(i) dead[i]
#define HAS_RESTORED(i) has_restored[i]

#ifdef MUTANT_DEAF_TO_DEATH_OF_COORDINATOR
#define ORPHANED false
#else
#define ORPHANED coordinator_died /* parent-death signal, closed socket */
#endif
#define RELEASED_BY_FAILURE (state == CR_RESTART_FAILED)

/* --- tasks --- */

#define DIES (nr_deaths > 0) -> nr_deaths--

inline tell(event)
{
	if
	:: atomic { mail[me] == 0 -> mail[me] = MAIL(event) }
	:: atomic { DIES; goto die }
	:: killed || ORPHANED || RELEASED_BY_FAILURE -> goto die
	fi
}

inline wait_for(condition)
{
	if
	:: atomic { DIES; goto die }
	:: killed || ORPHANED || RELEASED_BY_FAILURE -> goto die
	:: condition
	fi
}

proctype task(byte me)
{
	tell(CR_TASK_EV_JOIN);
	wait_for(state >= CR_RESTART_RESTORE);
	if /* private memory, in parallel */
	:: skip
	:: tell(MESSAGE_FAILED) -> goto wait_for_the_end
#ifdef KILLS
	:: goto stuck
#endif
	fi;
	wait_for(turn == me);
	atomic {
		assert(!has_restored[me]);
		assert(nr_restored == me); /* saved order */
		has_restored[me] = true;
		nr_restored++
	};
	tell(CR_TASK_EV_RESTORED);
	if
	:: me == ZOMBIE ->
		wait_for(state >= CR_RESTART_SETTLE);
		goto die
	:: else -> skip
	fi;
	tell(CR_TASK_EV_GATE);
	if
	:: atomic { DIES; goto die }
	:: killed || ORPHANED -> goto die
#ifndef MUTANT_DEAF_AT_GATE
	:: RELEASED_BY_FAILURE -> goto die
#endif
	:: let_go[me]
	fi;
	atomic {
		assert(state == CR_RESTART_DONE);
		assert(ALL(HAS_RESTORED) && dead[ZOMBIE]);
		left[me] = true
	};
	goto out;
wait_for_the_end:
	killed || ORPHANED || RELEASED_BY_FAILURE;
	goto die;
#ifdef KILLS
stuck:	/* in a system call that ends by SIGKILL only */
	killed || ORPHANED;
#endif
die:
	dead[me] = true;
out:
	skip
}

/* --- the coordinator --- */

inline restart_event(event)
{
	next = restart_next[state * CR_RESTART_NR_EVENTS + event];
	assert(next != REFUSED);
	if
	:: next == CR_RESTART_FAILED && first_error == NONE ->
		first_error = event
	:: else -> skip
	fi;
	if
#ifdef MUTANT_KEEPS_LAST_ERROR
	:: next == CR_RESTART_FAILED -> error = event
#else
	:: next == CR_RESTART_FAILED && error == NONE -> error = event
#endif
	:: else -> skip
	fi;
	state = next
}

inline give_turn(who)
{
	next = task_next[task_state[who] * CR_TASK_NR_EVENTS + CR_TASK_EV_TURN];
	assert(next != REFUSED);
	task_state[who] = next;
	turn = who
}

#define HAS_JOINED(i) (task_state[i] != CR_TASK_ABSENT)
#define AT_GATE(i) (i == ZOMBIE || task_state[i] == CR_TASK_AT_GATE)
#ifdef MUTANT_FORGETS_THE_ZOMBIE
#define BURIED true
#else
#define BURIED (task_state[ZOMBIE] == CR_TASK_DEAD)
#endif

/* What follows from @who's having reached its state. */
inline advance(who)
{
	if
	:: state == CR_RESTART_GATHER && ALL(HAS_JOINED) ->
		give_turn(0);
		restart_event(CR_EV_ALL_JOINED)
	:: state == CR_RESTART_RESTORE &&
	   task_state[who] == CR_TASK_RESTORED && who == turn ->
		if
		:: who + 1 < N -> give_turn(who + 1)
		:: else ->
			turn = NONE;
			restart_event(CR_EV_ALL_RESTORED)
		fi
	:: else -> skip
	fi;
	if /* those without turn to wait for may be there already */
	:: state == CR_RESTART_SETTLE && ALL(AT_GATE) && BURIED ->
		restart_event(CR_EV_ALL_AT_GATE)
	:: else -> skip
	fi
}

inline handle(event, who)
{
	if
	:: event == MESSAGE_FAILED -> restart_event(CR_EV_TASK_FAILED)
	:: else ->
		next = task_next[task_state[who] * CR_TASK_NR_EVENTS + event];
		if
		:: next == REFUSED -> restart_event(CR_EV_TASK_FAILED)
		:: else ->
			task_state[who] = next;
			advance(who)
		fi
	fi
}

inline see_death(who)
{
	is_seen[who] = true;
	if
	:: who == ZOMBIE && state == CR_RESTART_SETTLE ->
		next = task_next[task_state[who] * CR_TASK_NR_EVENTS + CR_TASK_EV_DIED];
		assert(next == CR_TASK_DEAD);
		task_state[who] = next;
		advance(who)
	:: else -> restart_event(CR_EV_TASK_DIED)
	fi
}

#define NONE_DEAD (!dead[0] && !dead[2] && !dead[N - 1])
#define FORGET next = 0; event = 0 /* fewer states */
#define READ(i) atomic { mail[i] != 0 -> event = mail[i] - 1; mail[i] = 0; \
	handle(event, i); FORGET }
#define IS_NEWS(i) (dead[i] && !is_seen[i])

proctype coordinator()
{
	byte next, event, who;

	if
	:: atomic { restart_event(CR_EV_TREE_READ) }
	:: atomic { restart_event(CR_EV_ABANDONED) }
	fi;
	do
	:: state >= CR_RESTART_RELEASE -> break
	:: atomic { DIES; goto died }
	:: READ(0)
	:: READ(1)
	:: READ(2)
#if N == 4
	:: READ(3)
#endif
#ifndef MUTANT_DEAF_TO_DEATH_OF_TASKS
	:: atomic { IS_NEWS(0) -> see_death(0); FORGET }
	:: atomic { IS_NEWS(1) -> see_death(1); FORGET }
	:: atomic { IS_NEWS(2) -> see_death(2); FORGET }
#if N == 4
	:: atomic { IS_NEWS(3) -> see_death(3); FORGET }
#endif
#endif
	:: atomic { timed_out && state < CR_RESTART_RELEASE ->
		timed_out = false;
		restart_event(CR_EV_TIMEOUT) }
	od;
	if
	:: atomic { DIES; goto died }
	:: state == CR_RESTART_RELEASE ->
		/* Registers are set here; all are stopped by ptrace, so that
		 * a death is seen at once. */
		atomic {
			if
			:: !NONE_DEAD ->
				restart_event(CR_EV_TASK_DIED)
			:: else -> restart_event(CR_EV_RELEASED)
			fi
		}
	:: else -> skip
	fi;
	who = 0;
	do
	:: who == N || state == CR_RESTART_FAILED -> break
	:: atomic { DIES; goto died }
	:: who == ZOMBIE && state == CR_RESTART_DONE -> who++
	:: who < N && who != ZOMBIE && state == CR_RESTART_DONE ->
		next = task_next[task_state[who] * CR_TASK_NR_EVENTS + CR_TASK_EV_RELEASE];
		assert(next == CR_TASK_LEFT);
		task_state[who] = next;
		let_go[who] = true;
		who++
	od;
	if
	:: state == CR_RESTART_DONE ->
		assert(error == NONE);
		assert(ALL(HAS_RESTORED))
	:: else ->
#ifdef KILLS
		killed = true;
#endif
		do
#ifdef KILLS
		/* what comes late changes nothing */
		:: READ(0)
		:: READ(1)
		:: READ(2)
		:: atomic { timed_out ->
			timed_out = false;
			restart_event(CR_EV_TIMEOUT) }
#endif
		:: atomic { DIES; goto died }
		:: ALL(IS_DEAD) -> break
		od;
		assert(error != NONE && error == first_error)
	fi;
	goto out;
died:
	coordinator_died = true;
out:
	coordinator_ended = true
}

/* --- what befalls them --- */

#ifdef KILLS
proctype clock()
{
	timed_out = true
}
#endif

#ifdef INTRUDER
proctype intruder()
{
	if
	:: atomic { mail[2] == 0 -> mail[2] = MAIL(CR_TASK_EV_JOIN) }
	:: coordinator_ended
	fi
}
#endif

init {
	atomic {
		fill_restart_next();
		fill_task_next();
		run coordinator();
		run task(0);
		run task(1);
		run task(2);
#if N == 4
		run task(3);
#endif
		select(nr_deaths : 0 .. MAX_DEATHS);
#ifdef KILLS
		run clock();
#endif
#ifdef INTRUDER
		run intruder();
#endif
	}
	_nr_pr == 1;
	assert(coordinator_ended && ALL(ENDED))
}

#ifdef FAIRLY
ltl all_end { <> (coordinator_ended && ALL(ENDED)) }
#endif
