/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_itimer.c - the three interval timers keep what remained and their
 * intervals, and go off
 */
#include <sys/time.h>

#include "program.h"

static volatile sig_atomic_t nr_alarms;

static void handler(int signal)
{
	(void)signal;
	nr_alarms++;
}

int main(int argc, char **argv)
{
	static const struct itimerval set[] = {
		[ITIMER_REAL] = { { 0, 100000 }, { 1, 500000 } },
		[ITIMER_VIRTUAL] = { { 5, 0 }, { 1000, 0 } },
		[ITIMER_PROF] = { { 0, 0 }, { 2000, 0 } },
	};
	struct itimerval now;
	uint64_t began;
	int i;

	program_start(argc, argv);
	program_write("gap", "2");
	signal(SIGALRM, handler);
	for (i = 1; i < 3; i++)
		NEED(setitimer((__itimer_which_t)i, &set[i], NULL));
	began = program_now(CLOCK_MONOTONIC);
	NEED(setitimer(ITIMER_REAL, &set[ITIMER_REAL], NULL));
	program_mark("ready");
	/* by the clock that the restart does not let jump */
	program_nap(1000);
	CHECK(nr_alarms == 0 ||
		      program_now(CLOCK_MONOTONIC) - began >= 1500000000,
	      "%d alarms too early", (int)nr_alarms);
	program_await("check");
	for (i = 0; nr_alarms < 3 && i < 5000; i++)
		program_nap(1);
	CHECK(nr_alarms >= 3, "%d alarms", (int)nr_alarms);
	for (i = 0; i < 3; i++) {
		CHECK(getitimer((__itimer_which_t)i, &now) == 0, "getitimer");
		CHECK(now.it_interval.tv_sec == set[i].it_interval.tv_sec &&
			      now.it_interval.tv_usec ==
				      set[i].it_interval.tv_usec,
		      "interval of timer %d", i);
		CHECK(now.it_value.tv_sec <= set[i].it_value.tv_sec &&
			      now.it_value.tv_sec >= set[i].it_value.tv_sec - 5,
		      "timer %d has %ld s left", i, (long)now.it_value.tv_sec);
	}
	return program_result();
}
