/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_states.c - one process with a thread that computes, one in a futex,
 * one asleep, one reading a pipe, one waiting for a signal
 */
#include "program.h"

static volatile unsigned long spins;
static volatile int is_over;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static int ends[2];

static void *spinner(void *arg)
{
	(void)arg;
	while (!is_over)
		spins++;
	return NULL;
}

static void *locker(void *arg)
{
	(void)arg;
	CHECK(pthread_mutex_lock(&held) == 0, "lock");
	pthread_mutex_unlock(&held);
	return NULL;
}

static void *sleeper(void *arg)
{
	(void)arg;
	while (!is_over)
		program_nap(300);
	return NULL;
}

static void *reader(void *arg)
{
	char byte = 0;

	(void)arg;
	CHECK(read(ends[0], &byte, 1) == 1 && byte == 'r', "read %d", byte);
	return NULL;
}

static void *waiter(void *arg)
{
	sigset_t set;
	int signal = 0;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(sigwait(&set, &signal) == 0 && signal == SIGUSR1, "signal %d",
	      signal);
	return NULL;
}

int main(int argc, char **argv)
{
	static void *(*const works[])(void *) = { spinner, locker, sleeper,
						  reader, waiter };
	pthread_t threads[5];
	unsigned long before;
	sigset_t set;
	size_t i;

	program_start(argc, argv);
	NEED(pipe(ends));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	NEED_ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
	pthread_mutex_lock(&held);
	for (i = 0; i < 5; i++)
		NEED_ZERO(pthread_create(&threads[i], NULL, works[i], NULL));
	program_nap(50);

	program_ready();

	before = spins;
	for (i = 0; spins == before && i < 100; i++)
		program_nap(100);
	CHECK(spins != before, "spinner stands still");
	is_over = 1;
	pthread_mutex_unlock(&held);
	CHECK(write(ends[1], "r", 1) == 1, "write");
	CHECK(pthread_kill(threads[4], SIGUSR1) == 0, "kill");
	for (i = 0; i < 5; i++)
		CHECK(pthread_join(threads[i], NULL) == 0, "join %zu", i);
	return program_result();
}
