/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_names.c - each thread keeps its own name, signal mask and timer slack
 */
#include <sys/prctl.h>

#include "program.h"

#define NR_THREADS 8

static pthread_barrier_t prepared, checked;

static void *thread(void *arg)
{
	unsigned long n = (unsigned long)arg;
	char name[16], now[16];
	sigset_t set;
	int i;

	snprintf(name, sizeof(name), "thread %lu", n);
	NEED(prctl(PR_SET_NAME, name));
	NEED(prctl(PR_SET_TIMERSLACK, 100000 + n));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + (int)n);
	NEED_ZERO(pthread_sigmask(SIG_SETMASK, &set, NULL));
	pthread_barrier_wait(&prepared);
	pthread_barrier_wait(&checked);
	CHECK(prctl(PR_GET_NAME, now) == 0 && strcmp(name, now) == 0,
	      "name is %s", now);
	CHECK(prctl(PR_GET_TIMERSLACK) == 100000 + (int)n, "timer slack %d",
	      prctl(PR_GET_TIMERSLACK));
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	for (i = 0; i < NR_THREADS; i++)
		CHECK(sigismember(&set, SIGRTMIN + i) == (i == (int)n),
		      "mask of thread %lu, signal %d", n, SIGRTMIN + i);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[NR_THREADS];
	unsigned long n;

	program_start(argc, argv);
	NEED_ZERO(pthread_barrier_init(&prepared, NULL, NR_THREADS + 1));
	NEED_ZERO(pthread_barrier_init(&checked, NULL, NR_THREADS + 1));
	for (n = 0; n < NR_THREADS; n++)
		NEED_ZERO(pthread_create(&threads[n], NULL, thread, (void *)n));
	pthread_barrier_wait(&prepared);

	program_ready();

	pthread_barrier_wait(&checked);
	for (n = 0; n < NR_THREADS; n++)
		CHECK(pthread_join(threads[n], NULL) == 0, "join %lu", n);
	return program_result();
}
