/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_restart_fsm.c - laws of the restart protocol's tables
 *
 * Laws over all pairs of state and event rather than examples, so that a
 * new state or event has to keep them too.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "restart_fsm.h"

static bool is_end(int state)
{
	return state == CR_RESTART_DONE || state == CR_RESTART_FAILED;
}

static bool is_failing(int event)
{
	return event == CR_EV_TASK_FAILED || event == CR_EV_TASK_DIED ||
	       event == CR_EV_TIMEOUT || event == CR_EV_ABANDONED;
}

static void a_failing_event_ends_every_restart_that_is_not_done(void **state)
{
	(void)state;
	for (int s = 0; s < CR_RESTART_NR_STATES; s++)
		for (int e = 0; e < CR_EV_NR_EVENTS; e++) {
			if (!is_failing(e))
				continue;
			assert_int_equal(cr_restart_next(s, e),
					 s == CR_RESTART_DONE ?
						 CR_RESTART_DONE :
						 CR_RESTART_FAILED);
		}
}

static void nothing_leads_out_of_done_or_failed(void **state)
{
	(void)state;
	for (int s = 0; s < CR_RESTART_NR_STATES; s++)
		for (int e = 0; is_end(s) && e < CR_EV_NR_EVENTS; e++) {
			int to = cr_restart_next(s, e);

			assert_true(to == s || to == -EPROTO);
		}
}

static void failed_takes_every_event(void **state)
{
	(void)state;
	for (int e = 0; e < CR_EV_NR_EVENTS; e++)
		assert_int_equal(cr_restart_next(CR_RESTART_FAILED, e),
				 CR_RESTART_FAILED);
}

static void only_failing_events_lead_to_failed(void **state)
{
	(void)state;
	for (int s = 0; s < CR_RESTART_FAILED; s++)
		for (int e = 0; e < CR_EV_NR_EVENTS; e++)
			if (cr_restart_next(s, e) == CR_RESTART_FAILED)
				assert_true(is_failing(e));
}

/* Each stage has one door, and each door opens on one event of one stage. */
static void each_stage_is_entered_by_its_own_event_only(void **state)
{
	static const struct {
		int from, event, to;
	} doors[] = {
		{ CR_RESTART_NEW, CR_EV_TREE_READ, CR_RESTART_GATHER },
		{ CR_RESTART_GATHER, CR_EV_ALL_JOINED, CR_RESTART_RESTORE },
		{ CR_RESTART_RESTORE, CR_EV_ALL_RESTORED, CR_RESTART_SETTLE },
		{ CR_RESTART_SETTLE, CR_EV_ALL_AT_GATE, CR_RESTART_RELEASE },
		{ CR_RESTART_RELEASE, CR_EV_RELEASED, CR_RESTART_DONE },
	};
	size_t nr_open = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(doors) / sizeof(*doors); i++)
		assert_int_equal(cr_restart_next(doors[i].from, doors[i].event),
				 doors[i].to);
	for (int s = 0; s < CR_RESTART_FAILED; s++)
		for (int e = 0; e < CR_EV_NR_EVENTS; e++)
			nr_open += !is_failing(e) && cr_restart_next(s, e) >= 0;
	assert_int_equal(nr_open, sizeof(doors) / sizeof(*doors));
}

static void a_restart_never_goes_back(void **state)
{
	(void)state;
	for (int s = 0; s < CR_RESTART_NR_STATES; s++)
		for (int e = 0; e < CR_EV_NR_EVENTS; e++) {
			int to = cr_restart_next(s, e);

			assert_true(to == -EPROTO || to >= s);
		}
}

static void a_second_join_is_refused_as_busy(void **state)
{
	(void)state;
	assert_int_equal(cr_task_next(CR_TASK_ABSENT, CR_TASK_EV_JOIN),
			 CR_TASK_JOINED);
	for (int s = CR_TASK_ABSENT + 1; s < CR_TASK_NR_STATES; s++)
		assert_int_equal(cr_task_next(s, CR_TASK_EV_JOIN), -EBUSY);
}

static void only_a_join_is_refused_as_busy(void **state)
{
	(void)state;
	for (int s = 0; s < CR_TASK_NR_STATES; s++)
		for (int e = CR_TASK_EV_JOIN + 1; e < CR_TASK_NR_EVENTS; e++)
			assert_int_not_equal(cr_task_next(s, e), -EBUSY);
}

static void a_task_never_goes_back(void **state)
{
	(void)state;
	for (int s = 0; s < CR_TASK_NR_STATES; s++)
		for (int e = 0; e < CR_TASK_NR_EVENTS; e++) {
			int to = cr_task_next(s, e);

			assert_true(to < 0 || to > s);
		}
}

/* Hence whoever has left was restored, and restored once. */
static void the_way_to_the_old_code_leads_through_every_station(void **state)
{
	(void)state;
	for (int s = 0; s < CR_TASK_NR_STATES; s++)
		for (int e = 0; e < CR_TASK_NR_EVENTS; e++) {
			int to = cr_task_next(s, e);

			if (to > CR_TASK_ABSENT && to <= CR_TASK_LEFT)
				assert_int_equal(s, to - 1);
		}
}

static void nothing_leads_out_of_left_or_dead(void **state)
{
	(void)state;
	for (int e = 0; e < CR_TASK_NR_EVENTS; e++) {
		assert_true(cr_task_next(CR_TASK_LEFT, e) < 0);
		assert_true(cr_task_next(CR_TASK_DEAD, e) < 0);
	}
}

/* Dying during the turn would leave shared objects half restored. */
static void a_task_is_buried_before_or_after_its_turn_only(void **state)
{
	(void)state;
	for (int s = 0; s < CR_TASK_NR_STATES; s++) {
		bool may = s == CR_TASK_JOINED || s == CR_TASK_RESTORED;

		assert_int_equal(cr_task_next(s, CR_TASK_EV_DIED),
				 may ? CR_TASK_DEAD : -EPROTO);
	}
}

static void numbers_that_name_nothing_are_refused(void **state)
{
	(void)state;
	assert_int_equal(cr_restart_next(CR_RESTART_NR_STATES, 0), -EPROTO);
	assert_int_equal(cr_restart_next(-1, 0), -EPROTO);
	assert_int_equal(cr_restart_next(0, CR_EV_NR_EVENTS), -EPROTO);
	assert_int_equal(cr_task_next(CR_TASK_NR_STATES, 0), -EPROTO);
	assert_int_equal(cr_task_next(-1, 0), -EPROTO);
	assert_int_equal(cr_task_next(0, CR_TASK_NR_EVENTS), -EPROTO);
	assert_string_equal(cr_restart_state_name(CR_RESTART_NR_STATES), "?");
	assert_string_equal(cr_task_state_name(CR_TASK_NR_STATES), "?");
}

static void every_state_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int s = 0; s < CR_RESTART_NR_STATES; s++) {
		assert_non_null(cr_restart_state_name(s));
		for (int other = 0; other < s; other++)
			assert_string_not_equal(cr_restart_state_name(s),
						cr_restart_state_name(other));
	}
	for (int s = 0; s < CR_TASK_NR_STATES; s++) {
		assert_non_null(cr_task_state_name(s));
		for (int other = 0; other < s; other++)
			assert_string_not_equal(cr_task_state_name(s),
						cr_task_state_name(other));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_failing_event_ends_every_restart_that_is_not_done),
		cmocka_unit_test(nothing_leads_out_of_done_or_failed),
		cmocka_unit_test(failed_takes_every_event),
		cmocka_unit_test(only_failing_events_lead_to_failed),
		cmocka_unit_test(each_stage_is_entered_by_its_own_event_only),
		cmocka_unit_test(a_restart_never_goes_back),
		cmocka_unit_test(a_second_join_is_refused_as_busy),
		cmocka_unit_test(only_a_join_is_refused_as_busy),
		cmocka_unit_test(a_task_never_goes_back),
		cmocka_unit_test(
			the_way_to_the_old_code_leads_through_every_station),
		cmocka_unit_test(nothing_leads_out_of_left_or_dead),
		cmocka_unit_test(
			a_task_is_buried_before_or_after_its_turn_only),
		cmocka_unit_test(numbers_that_name_nothing_are_refused),
		cmocka_unit_test(every_state_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
