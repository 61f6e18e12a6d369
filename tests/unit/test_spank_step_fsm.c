/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_step_fsm.c - the tables of the lead and of members, exhaustively
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "step_fsm.h"

#define NR_NODES 2
#define DEPTH 40
#define NR_KNOWN (1 << 17)

/* --- each table by itself --- */

static void every_field_leads_somewhere_that_exists(void **state)
{
	(void)state;
	for (int p = 0; p <= CR_NR_LEAD_PHASES; p++)
		for (int e = 0; e <= CR_NR_LEAD_EVENTS; e++) {
			enum cr_lead_phase phase = (enum cr_lead_phase)p;
			int action =
				cr_lead_step(&phase, (enum cr_lead_event)e);

			if (action < 0)
				assert_int_equal(phase, p);
			else
				assert_true(phase < CR_NR_LEAD_PHASES &&
					    action < CR_NR_LEAD_ACTIONS);
		}
	for (int p = 0; p <= CR_NR_MEMBER_PHASES; p++)
		for (int e = 0; e <= CR_NR_MEMBER_EVENTS; e++) {
			enum cr_member_phase phase = (enum cr_member_phase)p;
			int action =
				cr_member_step(&phase, (enum cr_member_event)e);

			if (action < 0)
				assert_int_equal(phase, p);
			else
				assert_true(phase < CR_NR_MEMBER_PHASES &&
					    action < CR_NR_MEMBER_ACTIONS);
		}
}

static void what_does_not_exist_is_refused(void **state)
{
	enum cr_member_phase member = CR_NR_MEMBER_PHASES;
	enum cr_lead_phase lead = CR_NR_LEAD_PHASES;

	(void)state;
	assert_int_equal(cr_lead_step(&lead, CR_LEAD_EV_ALL), -EPROTO);
	assert_int_equal(cr_member_step(&member, CR_MEMBER_EV_PASS), -EPROTO);
	assert_int_equal(cr_lead_barrier(lead), CR_BARRIER_NONE);
	assert_int_equal(cr_member_barrier(member), CR_BARRIER_NONE);
	assert_string_equal(cr_lead_phase_name(lead), "?");
	assert_string_equal(cr_member_phase_name(member), "?");
	assert_string_equal(cr_barrier_name(CR_NR_BARRIERS), "?");
}

/* A failure at any time has somewhere to go, and soon ends at idle. */
static void a_failure_ends_every_phase(void **state)
{
	(void)state;
	for (int p = CR_LEAD_IDLE + 1; p < CR_NR_LEAD_PHASES; p++)
		for (int e = CR_LEAD_EV_FAILED; e <= CR_LEAD_EV_ABSENT; e++) {
			enum cr_lead_phase phase = (enum cr_lead_phase)p;

			assert_true(cr_lead_step(&phase,
						 (enum cr_lead_event)e) >= 0);
		}
	for (int p = CR_MEMBER_IDLE + 1; p < CR_NR_MEMBER_PHASES; p++) {
		enum cr_member_phase phase = (enum cr_member_phase)p;

		assert_true(cr_member_step(&phase, CR_MEMBER_EV_FAILED) >= 0);
		phase = (enum cr_member_phase)p;
		assert_true(cr_member_step(&phase, CR_MEMBER_EV_LEAD_LOST) >=
			    0);
	}
}

static void a_member_may_not_abort_what_may_be_committed(void **state)
{
	enum cr_member_phase phase = CR_MEMBER_DIGESTED;

	(void)state;
	assert_int_equal(cr_member_step(&phase, CR_MEMBER_EV_LEAD_LOST),
			 CR_MEMBER_DO_DECIDE);
	/* and word that comes late changes nothing */
	assert_int_equal(cr_member_step(&phase, CR_MEMBER_EV_ABORT),
			 CR_MEMBER_DO_NOTHING);
	assert_int_equal(cr_member_step(&phase, CR_MEMBER_EV_PASS),
			 CR_MEMBER_DO_NOTHING);
	assert_int_equal(phase, CR_MEMBER_DECIDING);
	assert_int_equal(cr_member_step(&phase, CR_MEMBER_EV_DONE),
			 CR_MEMBER_DO_FINISH);
}

static void all_names_differ(void **state)
{
	(void)state;
	for (int a = 0; a < CR_NR_MEMBER_PHASES; a++)
		for (int b = 0; b < a; b++)
			assert_string_not_equal(cr_member_phase_name((
							enum cr_member_phase)a),
						cr_member_phase_name(
							(enum cr_member_phase)
								b));
}

/* --- both together: every order of events of a lead and two members --- */

/*
 * Messages are counters of what has been sent and not been heard.  A member's
 * worker ends a part of its own accord, or fails; the lead may be lost.
 */
struct world {
	enum cr_lead_phase lead;
	enum cr_member_phase member[NR_NODES];
	int has_arrived[NR_NODES];
	int has_order[NR_NODES]; /* on their way to a member */
	int has_pass[NR_NODES];
	int has_abort[NR_NODES];
	int has_told[NR_NODES]; /* on its way to the lead: arrived */
	int has_failed[NR_NODES];
	int is_matched, is_committed, is_forbidden, is_lead_lost[NR_NODES];
	int has_ended[NR_NODES], has_thawed[NR_NODES];
};

static unsigned long nr_known, nr_worlds, nr_committed, nr_aborted;

static void lead_does(struct world *w, enum cr_lead_event event)
{
	enum cr_lead_phase before = w->lead;
	int action = cr_lead_step(&w->lead, event);

	if (w->lead != before)
		memset(w->has_arrived, 0, sizeof(w->has_arrived));
	for (int i = 0; i < NR_NODES; i++) {
		w->has_order[i] |= action == CR_LEAD_DO_ORDER;
		w->has_pass[i] |= action == CR_LEAD_DO_PASS ||
				  action == CR_LEAD_DO_VERDICT;
		w->has_abort[i] |= action == CR_LEAD_DO_ABORT;
	}
}

static void decide(struct world *w, int i)
{
	if (!w->is_committed)
		w->is_forbidden = 1;
	(void)cr_member_step(&w->member[i], w->is_committed ?
						    CR_MEMBER_EV_DONE :
						    CR_MEMBER_EV_FAILED);
	w->has_ended[i] = w->is_committed;
	w->has_thawed[i] = !w->is_committed;
}

static void member_does(struct world *w, int i, enum cr_member_event event)
{
	switch (cr_member_step(&w->member[i], event)) {
	case CR_MEMBER_DO_TELL:
		w->has_told[i] = 1;
		break;
	case CR_MEMBER_DO_FAIL:
		w->has_failed[i] = 1;
		w->has_thawed[i] = 1;
		break;
	case CR_MEMBER_DO_THAW:
		w->has_thawed[i] = 1;
		break;
	case CR_MEMBER_DO_DECIDE:
		decide(w, i);
		break;
	case CR_MEMBER_DO_KILL:
		w->has_ended[i] = 1;
		break;
	case CR_MEMBER_DO_GO:
		if (w->member[i] == CR_MEMBER_ENDING) {
			(void)cr_member_step(&w->member[i], CR_MEMBER_EV_DONE);
			w->has_ended[i] = 1;
		}
		break;
	default:
		break;
	}
}

static int is_working(enum cr_member_phase phase)
{
	return phase == CR_MEMBER_FREEZING || phase == CR_MEMBER_READING ||
	       phase == CR_MEMBER_LISTING || phase == CR_MEMBER_SAVING ||
	       phase == CR_MEMBER_DIGESTING;
}

/* One of all that may happen next; 0 if it may not. */
static int happen(struct world *w, int what, int i)
{
	switch (what) {
	case 0:
		if (!w->has_order[i])
			return 0;
		w->has_order[i] = 0;
		member_does(w, i, CR_MEMBER_EV_CHECKPOINT);
		return 1;
	case 1:
		/* in the order in which they were sent */
		if (!w->has_pass[i] || w->has_order[i])
			return 0;
		w->has_pass[i] = 0;
		member_does(w, i, CR_MEMBER_EV_PASS);
		return 1;
	case 2:
		if (!w->has_abort[i] || w->has_order[i] || w->has_pass[i])
			return 0;
		w->has_abort[i] = 0;
		member_does(w, i, CR_MEMBER_EV_ABORT);
		return 1;
	case 3:
		if (!is_working(w->member[i]))
			return 0;
		member_does(w, i, CR_MEMBER_EV_ARRIVED);
		return 1;
	case 4:
		if (!is_working(w->member[i]) &&
		    w->member[i] != CR_MEMBER_DIGESTED)
			return 0;
		member_does(w, i, CR_MEMBER_EV_FAILED);
		return 1;
	case 5:
		if (!w->has_told[i])
			return 0;
		w->has_told[i] = 0;
		w->has_arrived[i] = 1;
		if (w->has_arrived[0] && w->has_arrived[1])
			lead_does(w, CR_LEAD_EV_ALL);
		return 1;
	case 6:
		if (!w->has_failed[i] || w->has_told[i])
			return 0;
		w->has_failed[i] = 0;
		lead_does(w, CR_LEAD_EV_FAILED);
		return 1;
	case 7: /* the manifest is put in place, or that is forbidden */
		if (i || w->lead != CR_LEAD_COMMIT)
			return 0;
		w->is_committed = !w->is_forbidden;
		lead_does(w, w->is_committed ? CR_LEAD_EV_COMMITTED :
					       CR_LEAD_EV_NOT_COMMITTED);
		return 1;
	case 10: /* no connection leads out of the step, or one does */
		if (w->lead != CR_LEAD_MATCH)
			return 0;
		w->is_matched = !i;
		lead_does(w, i ? CR_LEAD_EV_FAILED : CR_LEAD_EV_MATCHED);
		return 1;
	case 9: /* a worker that is to stop does so */
		if (w->member[i] != CR_MEMBER_THAWING)
			return 0;
		member_does(w, i, CR_MEMBER_EV_FAILED);
		w->has_thawed[i] = 1;
		return 1;
	case 8: /* member 1 is cut off: nothing comes through any more */
		if (i != 1 || w->is_lead_lost[1])
			return 0;
		w->is_lead_lost[1] = 1;
		w->has_order[1] = w->has_pass[1] = w->has_abort[1] = 0;
		w->has_told[1] = w->has_failed[1] = 0;
		member_does(w, 1, CR_MEMBER_EV_LEAD_LOST);
		lead_does(w, CR_LEAD_EV_FAILED);
		return 1;
	default:
		return 0;
	}
}

/* Nothing more can happen. */
static void check_end(const struct world *w)
{
	for (int i = 0; i < NR_NODES; i++) {
		/* none hangs, none is frozen for ever */
		assert_int_equal(w->member[i], CR_MEMBER_IDLE);
		if (w->is_committed)
			/* all end; who was not told never began, or may
			 * have died and been cut off at once */
			assert_true(w->has_ended[i] || w->is_lead_lost[i]);
		else
			assert_false(w->has_ended[i]);
	}
	assert_int_equal(w->lead, CR_LEAD_IDLE);
	if (w->is_committed)
		nr_committed++;
	else
		nr_aborted++;
}

/* Has this one been seen?  All fields are ints: no padding to compare. */
static int is_known(const struct world *w)
{
	static struct world known[NR_KNOWN];
	static char is_used[NR_KNOWN];
	const int *field = (const int *)w;
	uint32_t at = 0;

	for (size_t i = 0; i < sizeof(*w) / sizeof(int); i++)
		at = (at ^ (uint32_t)field[i]) * 16777619u;
	for (at %= NR_KNOWN; is_used[at]; at = (at + 1) % NR_KNOWN)
		if (!memcmp(&known[at], w, sizeof(*w)))
			return 1;
	is_used[at] = 1;
	known[at] = *w;
	assert_true(++nr_known < NR_KNOWN / 2);
	return 0;
}

static void search(const struct world *before, int depth)
{
	struct world w;
	int any = 0;

	if (is_known(before))
		return;
	assert_true(depth < DEPTH);
	/* a member has ended its tree only if that is committed, and writes an
	 * image only if it will not be refused */
	for (int i = 0; i < NR_NODES; i++) {
		assert_true(!before->has_ended[i] || before->is_committed);
		assert_true(before->member[i] != CR_MEMBER_SAVING ||
			    before->is_matched);
	}
	assert_false(before->is_committed && before->is_forbidden);
	for (int what = 0; what < 11; what++)
		for (int i = 0; i < NR_NODES; i++) {
			w = *before;
			if (!happen(&w, what, i))
				continue;
			/* failures and losses are possible, not due */
			any |= what != 4 && what != 8;
			nr_worlds++;
			search(&w, depth + 1);
		}
	if (!any)
		check_end(before);
}

static void whatever_happens_all_end_or_none_does(void **state)
{
	struct world w = { .lead = CR_LEAD_IDLE };

	(void)state;
	lead_does(&w, CR_LEAD_EV_CHECKPOINT);
	lead_does(&w, CR_LEAD_EV_PREPARED);
	assert_int_equal(w.lead, CR_LEAD_FREEZE);
	search(&w, 0);
	assert_true(nr_committed > 0 && nr_aborted > 0);
	print_message("%lu states, %lu steps, %lu ends committed, %lu aborted"
		      "\n",
		      nr_known, nr_worlds, nr_committed, nr_aborted);
}

static void a_refusal_comes_before_anything_is_written(void **state)
{
	enum cr_member_phase member = CR_MEMBER_READ;
	enum cr_lead_phase lead = CR_LEAD_QUEUES;

	(void)state;
	assert_int_equal(cr_lead_step(&lead, CR_LEAD_EV_ALL), CR_LEAD_DO_PASS);
	assert_int_equal(cr_member_step(&member, CR_MEMBER_EV_PASS),
			 CR_MEMBER_DO_GO);
	assert_int_equal(cr_member_step(&member, CR_MEMBER_EV_ARRIVED),
			 CR_MEMBER_DO_TELL);
	assert_int_equal(member, CR_MEMBER_LISTED);
	assert_int_equal(cr_lead_step(&lead, CR_LEAD_EV_ALL), CR_LEAD_DO_MATCH);
	/* all others of lead and member must wait for that */
	assert_int_equal(cr_lead_step(&lead, CR_LEAD_EV_ALL), -EPROTO);
	assert_int_equal(cr_member_step(&member, CR_MEMBER_EV_ARRIVED),
			 -EPROTO);
	assert_int_equal(cr_lead_step(&lead, CR_LEAD_EV_FAILED),
			 CR_LEAD_DO_ABORT);
	assert_int_equal(cr_member_step(&member, CR_MEMBER_EV_ABORT),
			 CR_MEMBER_DO_THAW);
}

/* --- restart --- */

static void a_restart_that_fails_is_tried_again_by_all(void **state)
{
	enum cr_lead_phase lead = CR_LEAD_IDLE;
	enum cr_member_phase member = CR_MEMBER_IDLE;

	(void)state;
	assert_true(cr_lead_step(&lead, CR_LEAD_EV_RESTART) >= 0);
	assert_int_equal(cr_member_step(&member, CR_MEMBER_EV_RESTART),
			 CR_MEMBER_DO_OPEN);
	assert_int_equal(cr_member_step(&member, CR_MEMBER_EV_ARRIVED),
			 CR_MEMBER_DO_TELL);
	assert_int_equal(cr_lead_step(&lead, CR_LEAD_EV_ALL), CR_LEAD_DO_PASS);
	assert_int_equal(cr_member_step(&member, CR_MEMBER_EV_PASS),
			 CR_MEMBER_DO_RESTORE);
	assert_int_equal(cr_member_step(&member, CR_MEMBER_EV_ARRIVED),
			 CR_MEMBER_DO_TELL);
	assert_int_equal(member, CR_MEMBER_AT_GATE);
	/* another node has failed */
	assert_int_equal(cr_lead_step(&lead, CR_LEAD_EV_FAILED),
			 CR_LEAD_DO_NEXT);
	assert_int_equal(lead, CR_LEAD_JOIN);
	assert_int_equal(cr_member_step(&member, CR_MEMBER_EV_RESTART),
			 CR_MEMBER_DO_OPEN);
	assert_int_equal(member, CR_MEMBER_JOINING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_leads_somewhere_that_exists),
		cmocka_unit_test(what_does_not_exist_is_refused),
		cmocka_unit_test(a_failure_ends_every_phase),
		cmocka_unit_test(a_member_may_not_abort_what_may_be_committed),
		cmocka_unit_test(all_names_differ),
		cmocka_unit_test(whatever_happens_all_end_or_none_does),
		cmocka_unit_test(a_refusal_comes_before_anything_is_written),
		cmocka_unit_test(a_restart_that_fails_is_tried_again_by_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
