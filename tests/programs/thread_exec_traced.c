/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_exec_traced.c - a thread calls execve(2) while its process is being
 * stopped: the kernel lets nobody trace more threads then until those that are
 * traced have ended and their tracer has seen it
 */
#include "program.h"

#include <sched.h>

#define NR_THREADS 1000

static char *self;

static pid_t first_idle;

static void *idle(void *arg)
{
	if (!arg)
		first_idle = gettid();
	for (;;)
		pause();
	return arg;
}

/* Execute as soon as the first of the others is stopped, before the last one
 * is. */
static void *executor(void *arg)
{
	const struct sched_param first = { .sched_priority = 1 };
	char path[64], line[64];

	(void)arg;
	sched_setscheduler(0, SCHED_FIFO, &first);
	snprintf(path, sizeof(path), "/proc/self/task/%d/status",
		 (int)first_idle);
	do {
		program_nap(1);
		program_line(path, "State:", line, sizeof(line));
	} while (strncmp(line, "State:\tt", 8));
	NEED(execl(self, self, ".", "again", NULL));
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_attr_t small;
	pthread_t thread;

	self = argv[0];
	if (argc == 3) {
		program_await("check");
		return 0;
	}
	program_start(argc, argv);
	NEED_ZERO(pthread_attr_init(&small));
	NEED_ZERO(pthread_attr_setstacksize(&small, 65536));
	for (long i = 0; i < NR_THREADS; i++)
		NEED_ZERO(pthread_create(&thread, &small, idle, (void *)i));
	NEED_ZERO(pthread_create(&thread, NULL, executor, NULL));
	program_ready();
	return program_result();
}
