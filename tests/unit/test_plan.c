/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_plan.c - a plan, executed, makes the tree that was saved
 *
 * Plans are not compared with expected plans but executed, step by step and
 * in random interleavings, on the process model; what comes out must be the
 * saved tree.  Trees are hand-made, grown by random histories of fork,
 * setsid, setpgid and exit, and random bytes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "plan_run.h"
#include "random_history.h"

#define NR(array) (sizeof(array) / sizeof(*(array)))
#define ZOMBIE CR_LINK_F_ZOMBIE
#define OUT_SID CR_LINK_F_SESSION_OUTSIDE
#define OUT CR_LINK_F_SESSION_OUTSIDE | CR_LINK_F_PGRP_OUTSIDE

/* Plan and execute; returns as cr_plan_make() or fails the test. */
static int plan_and_execute(const struct cr_wire_link *links, size_t nr)
{
	struct cr_error err = { 0 };
	struct cr_plan *plan = NULL;
	const char *error;
	int rc;

	rc = cr_plan_make(links, nr, &plan, &err);
	if (rc < 0) {
		assert_null(plan);
		assert_int_equal(err.code, rc);
		assert_string_not_equal(err.text, "");
		return rc;
	}
	error = plan_run(plan, links, nr);
	if (error) {
		for (size_t i = 0; i < nr; i++)
			print_message("{ %u, %u, %u, %u, %u },\n",
				      links[i].vpid, links[i].parent,
				      links[i].pgid, links[i].sid,
				      links[i].flags);
		fail_msg("%s", error);
	}
	cr_plan_free(plan);
	return 0;
}

/* --- trees made by hand: vpid, parent, pgid, sid, flags --- */

#define HAND_MADE_MAX 12

struct brief_link {
	uint32_t vpid, parent, pgid, sid, flags;
};

struct hand_made {
	const char *what;
	struct brief_link links[HAND_MADE_MAX]; /* ends with vpid 0 */
	size_t nr_helpers;
};

static const struct hand_made hand_made[] = {
	{ "a process in the sessions of whoever starts it",
	  { { 10, 0, 0, 0, OUT } },
	  0 },
	{ "a session leader", { { 10, 0, 10, 10, 0 } }, 0 },
	{ "a shell with a pipeline in the foreground and one behind it",
	  { { 10, 0, 10, 10, 0 },
	    { 11, 10, 11, 10, 0 },
	    { 12, 10, 11, 10, 0 },
	    { 13, 10, 13, 10, 0 },
	    { 14, 10, 13, 10, 0 },
	    { 15, 14, 13, 10, 0 } },
	  0 },
	{ "a pipeline whose first process is gone",
	  { { 10, 0, 10, 10, 0 },
	    { 12, 10, 11, 10, 0 },
	    { 13, 10, 11, 10, 0 } },
	  1 },
	{ "a pipeline whose first process is a zombie",
	  { { 10, 0, 10, 10, 0 },
	    { 11, 10, 11, 10, ZOMBIE },
	    { 12, 10, 11, 10, 0 } },
	  0 },
	{ "a daemon of a double fork: orphan of a dead session leader",
	  { { 10, 0, 10, 10, 0 }, { 22, 1, 21, 21, 0 } },
	  2 },
	{ "a daemon with workers, two of which outlived a third",
	  { { 10, 0, 10, 10, 0 },
	    { 22, 1, 21, 21, 0 },
	    { 23, 22, 21, 21, 0 },
	    { 24, 1, 21, 21, 0 },
	    { 25, 1, 21, 21, ZOMBIE } },
	  2 },
	{ "a daemon that leads its session",
	  { { 10, 0, 0, 0, OUT }, { 20, 1, 20, 20, 0 } },
	  1 },
	{ "an orphan in a living session",
	  { { 10, 0, 10, 10, 0 }, { 11, 10, 11, 10, 0 }, { 30, 1, 29, 10, 0 } },
	  2 },
	{ "an orphan in the sessions of whoever started it",
	  { { 10, 0, 0, 0, OUT },
	    { 11, 1, 0, 0, OUT },
	    { 12, 1, 8, 0, OUT_SID } },
	  2 },
	{ "a terminal multiplexer: server, and a shell in each window",
	  { { 10, 0, 0, 0, OUT },
	    { 20, 1, 20, 20, 0 },
	    { 30, 20, 30, 30, 0 },
	    { 31, 30, 31, 30, 0 },
	    { 32, 31, 31, 30, 0 },
	    { 40, 20, 40, 40, 0 },
	    { 41, 40, 41, 40, ZOMBIE } },
	  1 },
	{ "a child forked before its parent's setsid",
	  { { 10, 0, 10, 10, 0 },
	    { 11, 10, 11, 11, 0 },
	    { 12, 11, 10, 10, 0 },
	    { 13, 11, 11, 11, 0 } },
	  0 },
	{ "a grandchild forked before two setsids",
	  { { 10, 0, 0, 0, OUT },
	    { 11, 10, 11, 11, 0 },
	    { 12, 11, 12, 12, 0 },
	    { 13, 12, 0, 0, OUT } },
	  0 },
	{ "an orphan that leads, with a child from its dead parent's session",
	  { { 10, 0, 0, 0, OUT }, { 22, 1, 22, 22, 0 }, { 23, 22, 21, 21, 0 } },
	  2 },
	{ "a group leader that moved on to another group",
	  { { 10, 0, 10, 10, 0 },
	    { 11, 10, 12, 10, 0 },
	    { 12, 10, 12, 10, 0 },
	    { 13, 10, 11, 10, 0 } },
	  1 },
	{ "two group leaders that changed places",
	  { { 10, 0, 10, 10, 0 },
	    { 11, 10, 12, 10, 0 },
	    { 12, 10, 11, 10, 0 } },
	  2 },
	{ "a group leader whose child stayed in the group outside",
	  { { 10, 0, 10, 0, OUT_SID },
	    { 11, 10, 0, 0, OUT },
	    { 12, 10, 10, 0, OUT_SID } },
	  0 },
	{ "a zombie that leads a session with an orphan in a ghost's group",
	  { { 10, 0, 0, 0, OUT },
	    { 20, 10, 20, 20, ZOMBIE },
	    { 22, 1, 21, 20, 0 } },
	  2 },
	{ "a subreaper that adopted a daemon",
	  { { 10, 0, 0, 0, OUT }, { 22, 10, 21, 21, 0 } },
	  2 },
	{ "a subreaper that adopted from a living session",
	  { { 10, 0, 10, 10, 0 },
	    { 20, 10, 20, 20, 0 },
	    { 22, 10, 20, 20, 0 } },
	  1 },
	{ "a subreaper below a subreaper, each with a daemon",
	  { { 10, 0, 10, 10, 0 },
	    { 22, 10, 21, 21, 0 },
	    { 30, 10, 30, 30, 0 },
	    { 42, 30, 41, 41, 0 },
	    { 43, 42, 43, 43, 0 } },
	  4 },
	{ "ranks of a step, each with a process",
	  { { 10, 0, 0, 0, OUT },
	    { 11, 0, 0, 0, OUT },
	    { 12, 0, 12, 12, 0 },
	    { 13, 10, 0, 0, OUT },
	    { 14, 11, 14, 0, OUT_SID },
	    { 15, 12, 12, 12, 0 } },
	  0 },
};

/* Returns how many. */
static size_t write_out(const struct hand_made *tree,
			struct cr_wire_link links[HAND_MADE_MAX])
{
	size_t nr;

	for (nr = 0; nr < HAND_MADE_MAX && tree->links[nr].vpid; nr++)
		links[nr] = (struct cr_wire_link){
			.vpid = tree->links[nr].vpid,
			.parent = tree->links[nr].parent,
			.pgid = tree->links[nr].pgid,
			.sid = tree->links[nr].sid,
			.flags = tree->links[nr].flags,
		};
	return nr;
}

static void trees_that_people_make_are_made_again(void **state)
{
	(void)state;
	random_state = 1;
	for (size_t i = 0; i < NR(hand_made); i++) {
		struct cr_wire_link links[HAND_MADE_MAX];
		size_t nr = write_out(&hand_made[i], links);

		for (int again = 0; again < 50; again++)
			if (plan_and_execute(links, nr) < 0)
				fail_msg("%s", hand_made[i].what);
	}
}

static void no_more_helpers_than_needed_are_made(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR(hand_made); i++) {
		struct cr_wire_link links[HAND_MADE_MAX];
		size_t nr = write_out(&hand_made[i], links);
		struct cr_plan *plan = NULL;

		assert_int_equal(cr_plan_make(links, nr, &plan, NULL), 0);
		if (plan->nr - nr != hand_made[i].nr_helpers)
			fail_msg("%s: %zu helpers", hand_made[i].what,
				 plan->nr - nr);
		cr_plan_free(plan);
	}
}

static const struct hand_made impossible[] = {
	{ "vpid 1", { { 1, 0, 0, 0, OUT } }, 0 },
	{ "a vpid beyond every pid", { { 1u << 23, 0, 0, 0, OUT } }, 0 },
	{ "one vpid twice", { { 10, 0, 0, 0, OUT }, { 10, 0, 0, 0, OUT } }, 0 },
	{ "a parent that is not there", { { 10, 9, 0, 0, OUT } }, 0 },
	{ "a task as its own parent", { { 10, 10, 0, 0, OUT } }, 0 },
	{ "a parent after its child",
	  { { 10, 11, 0, 0, OUT }, { 11, 0, 0, 0, OUT } },
	  0 },
	{ "a zombie with a child",
	  { { 10, 0, 0, 0, OUT | ZOMBIE }, { 11, 10, 0, 0, OUT } },
	  0 },
	{ "session 0 inside", { { 10, 0, 0, 0, 0 } }, 0 },
	{ "init's session", { { 10, 1, 1, 1, 0 } }, 0 },
	{ "a root in another's session",
	  { { 10, 0, 10, 10, 0 }, { 11, 0, 10, 10, 0 } },
	  0 },
	{ "a session whose leader is in another",
	  { { 10, 0, 10, 10, 0 },
	    { 11, 10, 10, 10, 0 },
	    { 12, 11, 11, 11, 0 } },
	  0 },
	{ "a session leader in another's group",
	  { { 10, 0, 10, 10, 0 }, { 11, 10, 10, 11, 0 } },
	  0 },
	{ "a group of another session",
	  { { 10, 0, 10, 10, 0 },
	    { 11, 10, 11, 10, 0 },
	    { 12, 10, 12, 12, 0 },
	    { 13, 12, 11, 12, 0 } },
	  0 },
	{ "a ghost's group in two sessions",
	  { { 10, 0, 10, 10, 0 },
	    { 11, 10, 9, 10, 0 },
	    { 12, 10, 12, 12, 0 },
	    { 13, 12, 9, 12, 0 } },
	  0 },
	{ "a group outside of a session inside",
	  { { 10, 0, 0, 10, CR_LINK_F_PGRP_OUTSIDE } },
	  0 },
	{ "the leader of a group in one outside",
	  { { 10, 0, 0, 0, OUT }, { 11, 10, 10, 0, OUT_SID } },
	  0 },
	{ "an orphan above the leader of its session",
	  { { 10, 1, 11, 11, 0 }, { 11, 10, 11, 11, 0 } },
	  0 },
};

static void trees_without_a_history_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR(impossible); i++) {
		struct cr_wire_link links[HAND_MADE_MAX];
		size_t nr = write_out(&impossible[i], links);
		int rc = plan_and_execute(links, nr);

		if (rc != -EBADMSG)
			fail_msg("%s: %d", impossible[i].what, rc);
	}
}

/* The daemon's session lies below the inner subreaper's. */
static void a_subreaper_that_stands_in_the_way_is_named(void **state)
{
	static const struct hand_made tree = {
		"one daemon's session, members adopted by two subreapers",
		{ { 10, 0, 10, 10, 0 },
		  { 20, 10, 20, 20, 0 },
		  { 22, 10, 21, 21, 0 },
		  { 23, 20, 21, 21, 0 } },
		0
	};
	struct cr_wire_link links[HAND_MADE_MAX];
	size_t nr = write_out(&tree, links);
	struct cr_error err = { 0 };
	struct cr_plan *plan = NULL;

	(void)state;
	assert_int_equal(cr_plan_make(links, nr, &plan, &err), -EOPNOTSUPP);
	assert_null(plan);
	assert_non_null(strstr(err.text, "task 22"));
}

static void an_empty_tree_has_an_empty_plan(void **state)
{
	struct cr_plan *plan = NULL;

	(void)state;
	assert_int_equal(cr_plan_make(NULL, 0, &plan, NULL), 0);
	assert_int_equal(plan->nr, 0);
	cr_plan_free(plan);
	cr_plan_free(NULL);
}

/* --- random histories --- */

/* Returns as cr_plan_make(). */
static int plan_random_history(uint32_t seed, uint32_t subreapers,
			       bool *has_subreaper)
{
	struct cr_wire_link links[HISTORY_MAX];
	size_t nr = random_links(seed, subreapers, 400, links, has_subreaper);

	return plan_and_execute(links, nr);
}

static void every_history_without_subreapers_can_be_repeated(void **state)
{
	bool has_subreaper;

	(void)state;
	for (uint32_t seed = 1; seed <= 4000; seed++) {
		int rc = plan_random_history(seed, 0, &has_subreaper);

		if (rc != 0)
			fail_msg("seed %u: %d", seed, rc);
	}
}

static void most_histories_with_subreapers_can_be_repeated(void **state)
{
	unsigned int nr_refused = 0;
	bool has_subreaper;

	(void)state;
	for (uint32_t seed = 1; seed <= 2000; seed++) {
		int rc = plan_random_history(seed, 20, &has_subreaper);

		if (rc != 0 && (rc != -EOPNOTSUPP || !has_subreaper))
			fail_msg("seed %u: %d", seed, rc);
		nr_refused += rc != 0;
	}
	print_message("%u of 2000 refused\n", nr_refused);
	assert_true(nr_refused < 200);
}

/* --- what an image may say --- */

static void whatever_is_not_refused_is_made_as_the_links_say(void **state)
{
	unsigned int nr_made = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= 100000; seed++) {
		struct cr_wire_link links[6] = { 0 };
		size_t nr;

		random_state = seed;
		nr = 1 + random_below(NR(links));
		for (size_t i = 0; i < nr; i++)
			links[i] = (struct cr_wire_link){
				.vpid = 2 + (uint32_t)i,
				.parent = random_below(2 + (uint32_t)i),
				.pgid = 2 + random_below(7),
				.sid = 2 + random_below(7),
				.flags = random_below(8) & ~2u,
			};
		for (size_t i = 0; i < nr; i++) {
			if (random_below(4) == 0)
				links[i].sid = links[i].vpid;
			if (links[i].sid == links[i].vpid)
				links[i].pgid = links[i].vpid;
			if (links[i].flags & OUT_SID && random_below(2))
				links[i].flags |= CR_LINK_F_PGRP_OUTSIDE;
		}
		nr_made += plan_and_execute(links, nr) == 0;
	}
	print_message("%u of 100000 made\n", nr_made);
	assert_true(nr_made > 1000);
}

/* Quadratic time would show: each would take minutes. */
static void a_large_tree_is_planned_at_once(void **state)
{
	const size_t nr = 300000;
	struct cr_wire_link *links = calloc(nr, sizeof(*links));
	struct cr_plan *plan = NULL;

	(void)state;
	assert_non_null(links);
	for (int shape = 0; shape < 3; shape++) {
		for (size_t i = 0; i < nr; i++) {
			uint32_t vpid = (uint32_t)i + 2;
			uint32_t sid = shape ? vpid : 2;

			links[i] = (struct cr_wire_link){
				.vpid = vpid,
				.parent = i && shape < 2 ? vpid - 1 : 0,
				.pgid = sid,
				.sid = sid,
			};
		}
		assert_int_equal(cr_plan_make(links, nr, &plan, NULL), 0);
		assert_int_equal(plan->nr, nr);
		cr_plan_free(plan);
	}
	free(links);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trees_that_people_make_are_made_again),
		cmocka_unit_test(no_more_helpers_than_needed_are_made),
		cmocka_unit_test(trees_without_a_history_are_refused),
		cmocka_unit_test(a_subreaper_that_stands_in_the_way_is_named),
		cmocka_unit_test(an_empty_tree_has_an_empty_plan),
		cmocka_unit_test(
			every_history_without_subreapers_can_be_repeated),
		cmocka_unit_test(
			most_histories_with_subreapers_can_be_repeated),
		cmocka_unit_test(
			whatever_is_not_refused_is_made_as_the_links_say),
		cmocka_unit_test(a_large_tree_is_planned_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
