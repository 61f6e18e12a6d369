/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_exec_churn.c - programs whose second thread calls execve(2) all the
 * time, while others are there: the kernel ends those first, and the caller
 * waits until all are gone
 */
#include "program.h"

#define NR_PROGRAMS 3
#define NR_THREADS 4

static char *self, *folder;
static pthread_barrier_t all_here;

static void *idle(void *arg)
{
	pthread_barrier_wait(&all_here);
	for (;;)
		pause();
	return arg;
}

static void *executor(void *arg)
{
	pthread_barrier_wait(&all_here);
	if (access("check", F_OK) == 0)
		_exit(0);
	NEED(execl(self, self, folder, "again", NULL));
	return arg;
}

static void start_threads(void *arg)
{
	pthread_t thread;

	(void)arg;
	NEED_ZERO(pthread_barrier_init(&all_here, NULL, NR_THREADS + 1));
	NEED_ZERO(pthread_create(&thread, NULL, executor, NULL));
	for (int i = 0; i < NR_THREADS; i++)
		NEED_ZERO(pthread_create(&thread, NULL, idle, NULL));
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	pid_t pids[NR_PROGRAMS];

	self = argv[0];
	folder = argv[1];
	if (argc == 3)
		start_threads(NULL);
	program_start(argc, argv);
	for (int i = 0; i < NR_PROGRAMS; i++)
		pids[i] = program_child(start_threads, NULL);
	program_nap(50);

	program_ready();

	for (int i = 0; i < NR_PROGRAMS; i++)
		program_join(pids[i]);
	return program_result();
}
