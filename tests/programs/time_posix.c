/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_posix.c - POSIX timers keep their ids (with gaps), clocks, ways to tell,
 * remaining times and intervals, and go off
 */
#include "program.h"

#define NR_TIMERS 5

static volatile sig_atomic_t value_of[2];

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)context;
	value_of[signal != SIGUSR1] = info->si_value.sival_int;
}

static timer_t make(clockid_t clock, int notify, int signal, int value)
{
	struct sigevent event = { .sigev_notify = notify,
				  .sigev_signo = signal,
				  .sigev_value.sival_int = value };
	timer_t timer;

	if (notify == SIGEV_THREAD_ID)
		event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	NEED(timer_create(clock, &event, &timer));
	return timer;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = handler,
				    .sa_flags = SA_SIGINFO };
	struct itimerspec far = { { 7, 8 }, { 5000, 0 } }, now;
	struct itimerspec soon = { { 0, 0 }, { 1, 500000000 } };
	timer_t timers[NR_TIMERS];
	uint64_t began;
	long passed;
	int i;

	program_start(argc, argv);
	program_write("gap", "2");
	NEED(sigaction(SIGUSR1, &action, NULL));
	NEED(sigaction(SIGUSR2, &action, NULL));
	timers[0] = make(CLOCK_REALTIME, SIGEV_SIGNAL, SIGRTMIN, 0);
	timers[1] = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 11);
	timers[2] = make(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGUSR2, 12);
	timers[3] = make(CLOCK_BOOTTIME, SIGEV_NONE, 0, 0);
	timers[4] = make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0);
	NEED(timer_delete(timers[0]));
	began = program_now(CLOCK_MONOTONIC);
	NEED(timer_settime(timers[1], 0, &soon, NULL));
	NEED(timer_settime(timers[2], 0, &soon, NULL));
	NEED(timer_settime(timers[3], 0, &far, NULL));
	program_mark("ready");
	program_nap(1000);
	CHECK((!value_of[0] && !value_of[1]) ||
		      program_now(CLOCK_MONOTONIC) - began >= 1500000000,
	      "too early");
	program_await("check");

	for (i = 0; (!value_of[0] || !value_of[1]) && i < 5000; i++)
		program_nap(1);
	CHECK(value_of[0] == 11 && value_of[1] == 12, "values %d and %d",
	      (int)value_of[0], (int)value_of[1]);
	CHECK(timer_gettime(timers[3], &now) == 0, "%s", strerror(errno));
	passed = (long)((program_now(CLOCK_MONOTONIC) - began) / 1000000000);
	CHECK(now.it_value.tv_sec >= 4997 - passed &&
		      now.it_value.tv_sec < 5000,
	      "%ld s left after %ld", (long)now.it_value.tv_sec, passed);
	CHECK(now.it_interval.tv_sec == 7 && now.it_interval.tv_nsec == 8,
	      "interval");
	CHECK(timer_gettime(timers[4], &now) == 0 && now.it_value.tv_sec == 0,
	      "disarmed timer");
	CHECK(timer_gettime(timers[0], &now) < 0, "deleted timer is back");
	for (i = 1; i < NR_TIMERS; i++)
		CHECK(timer_delete(timers[i]) == 0, "delete %d", i);
	return program_result();
}
