/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_itimer_due.c - an interval timer that is due, whose signal is blocked,
 * goes on when the signal has been taken
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
	const struct itimerval set = { { 0, 50000 }, { 0, 50000 } };
	struct itimerval now;
	sigset_t alarms, pending;
	int i;

	program_start(argc, argv);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	NEED(sigprocmask(SIG_BLOCK, &alarms, NULL));
	signal(SIGALRM, handler);
	NEED(setitimer(ITIMER_REAL, &set, NULL));
	do
		NEED(sigpending(&pending));
	while (!sigismember(&pending, SIGALRM));

	program_ready();

	NEED(sigprocmask(SIG_UNBLOCK, &alarms, NULL));
	for (i = 0; nr_alarms < 3 && i < 5000; i++)
		program_nap(1);
	CHECK(nr_alarms >= 3, "%d alarms", (int)nr_alarms);
	NEED(getitimer(ITIMER_REAL, &now));
	CHECK(now.it_interval.tv_sec == 0 && now.it_interval.tv_usec == 50000,
	      "interval %ld.%06ld", (long)now.it_interval.tv_sec,
	      (long)now.it_interval.tv_usec);
	return program_result();
}
