/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_rseq.c - the kernel goes on telling each thread its CPU through the
 * rseq area that the C library registered
 */
#include <sched.h>
#include <sys/rseq.h>

#include "program.h"

static pthread_barrier_t prepared, checked;

static unsigned int cpu_of_rseq(void)
{
	volatile struct rseq *area =
		(void *)((char *)__builtin_thread_pointer() + __rseq_offset);

	return area->cpu_id;
}

/* Move from CPU to CPU; rseq must follow. */
static void check_follows(void)
{
	cpu_set_t allowed, one;
	int cpu;

	NEED(sched_getaffinity(0, sizeof(allowed), &allowed));
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		NEED(sched_setaffinity(0, sizeof(one), &one));
		CHECK(cpu_of_rseq() == (unsigned int)cpu, "rseq says %u on %d",
		      cpu_of_rseq(), cpu);
	}
}

static void *thread(void *arg)
{
	pthread_barrier_wait(&prepared);
	pthread_barrier_wait(&checked);
	check_follows();
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t other;

	program_start(argc, argv);
	if (!__rseq_size)
		program_lacks("rseq");
	NEED_ZERO(pthread_barrier_init(&prepared, NULL, 2));
	NEED_ZERO(pthread_barrier_init(&checked, NULL, 2));
	NEED_ZERO(pthread_create(&other, NULL, thread, NULL));
	pthread_barrier_wait(&prepared);

	program_ready();

	pthread_barrier_wait(&checked);
	check_follows();
	CHECK(pthread_join(other, NULL) == 0, "join");
	return program_result();
}
