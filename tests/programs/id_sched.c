/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * id_sched.c - nice value, policy, I/O priority and CPU affinity, each thread
 * its own
 */
#include <sched.h>
#include <sys/resource.h>

#include "program.h"

#define IO_CLASS_BEST_EFFORT 2
#define IO_WHO_PROCESS 1

static pthread_barrier_t prepared, checked;

struct shown {
	cpu_set_t affinity;
	int nice, policy;
	long io_priority;
};

static void get(struct shown *now)
{
	memset(now, 0, sizeof(*now));
	sched_getaffinity(0, sizeof(now->affinity), &now->affinity);
	now->nice = getpriority(PRIO_PROCESS, 0);
	now->policy = sched_getscheduler(0);
	now->io_priority = syscall(SYS_ioprio_get, IO_WHO_PROCESS, 0);
}

static void check_same(const struct shown *before)
{
	struct shown after;

	get(&after);
	CHECK(CPU_EQUAL(&before->affinity, &after.affinity), "affinity");
	CHECK(before->nice == after.nice, "nice %d was %d", after.nice,
	      before->nice);
	CHECK(before->policy == after.policy, "policy %#x was %#x",
	      after.policy, before->policy);
	CHECK(before->io_priority == after.io_priority, "I/O priority %ld",
	      after.io_priority);
}

static void *thread(void *arg)
{
	struct sched_param none = { 0 };
	struct shown before;
	cpu_set_t first;
	int cpu;

	get(&before);
	for (cpu = 0; !CPU_ISSET(cpu, &before.affinity); cpu++)
		;
	CPU_ZERO(&first);
	CPU_SET(cpu, &first);
	NEED(sched_setaffinity(0, sizeof(first), &first));
	NEED(setpriority(PRIO_PROCESS, 0, 7));
	NEED(sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &none));
	NEED(syscall(SYS_ioprio_set, IO_WHO_PROCESS, 0,
		     IO_CLASS_BEST_EFFORT << 13 | 6));
	get(&before);
	pthread_barrier_wait(&prepared);
	pthread_barrier_wait(&checked);
	check_same(&before);
	return arg;
}

int main(int argc, char **argv)
{
	struct shown before;
	pthread_t other;

	program_start(argc, argv);
	NEED_ZERO(pthread_barrier_init(&prepared, NULL, 2));
	NEED_ZERO(pthread_barrier_init(&checked, NULL, 2));
	NEED_ZERO(pthread_create(&other, NULL, thread, NULL));
	NEED(setpriority(PRIO_PROCESS, 0, 3));
	get(&before);
	pthread_barrier_wait(&prepared);

	program_ready();

	pthread_barrier_wait(&checked);
	check_same(&before);
	CHECK(pthread_join(other, NULL) == 0, "join");
	return program_result();
}
