/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_cause.c - what a job's record says about a SIGTERM
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <slurm/slurm.h>
#include <cmocka.h>

#include "cause.h"

#define NR(array) (sizeof(array) / sizeof(*(array)))

/* As seen on Slurm 22.05 */
static void the_record_tells_the_cause(void **state)
{
	static const struct {
		struct cr_job_view job;
		enum cr_cause cause;
	} cases[] = {
		{ { .state = JOB_RUNNING }, CR_CAUSE_SIGNAL },
		{ { .state = JOB_RUNNING, .preempt_time = 1 },
		  CR_CAUSE_PREEMPT },
		{ { .state = JOB_SUSPENDED }, CR_CAUSE_SIGNAL },
		{ { .state = JOB_PENDING | JOB_COMPLETING }, CR_CAUSE_REQUEUE },
		{ { .state = JOB_RUNNING | JOB_REQUEUE }, CR_CAUSE_REQUEUE },
		{ { .state = JOB_TIMEOUT | JOB_COMPLETING },
		  CR_CAUSE_TIME_LIMIT },
		{ { .state = JOB_TIMEOUT | JOB_COMPLETING, .preempt_time = 1 },
		  CR_CAUSE_PREEMPT },
		{ { .state = JOB_PREEMPTED | JOB_COMPLETING },
		  CR_CAUSE_PREEMPT },
		{ { .state = JOB_CANCELLED | JOB_COMPLETING },
		  CR_CAUSE_CANCEL },
		{ { .state = JOB_CANCELLED, .preempt_time = 1 },
		  CR_CAUSE_CANCEL },
		{ { .state = JOB_DEADLINE | JOB_COMPLETING }, CR_CAUSE_CANCEL },
		{ { .state = JOB_FAILED | JOB_COMPLETING }, CR_CAUSE_CANCEL },
		{ { .state = JOB_COMPLETE | JOB_COMPLETING }, CR_CAUSE_CANCEL },
	};

	(void)state;
	for (size_t i = 0; i < NR(cases); i++)
		assert_int_equal(cr_cause_of(&cases[i].job), cases[i].cause);
}

static void only_what_will_run_again_is_saved(void **state)
{
	const struct cr_job_view batch = { .is_batch = 1, .may_requeue = 1 };
	const struct cr_job_view once = { .is_batch = 1 };
	const struct cr_job_view interactive = { .may_requeue = 1 };
	static const enum cr_cause saving[] = { CR_CAUSE_PREEMPT,
						CR_CAUSE_REQUEUE,
						CR_CAUSE_TIME_LIMIT };

	(void)state;
	for (size_t i = 0; i < NR(saving); i++) {
		assert_true(cr_cause_saves(saving[i], &batch));
		assert_false(cr_cause_saves(saving[i], &once));
		assert_false(cr_cause_saves(saving[i], &interactive));
	}
	assert_false(cr_cause_saves(CR_CAUSE_SIGNAL, &batch));
	assert_false(cr_cause_saves(CR_CAUSE_CANCEL, &batch));
	/* rather an image too many than a run lost */
	assert_true(cr_cause_saves(CR_CAUSE_UNKNOWN, &once));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_record_tells_the_cause),
		cmocka_unit_test(only_what_will_run_again_is_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
