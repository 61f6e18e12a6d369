/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_vdso.c - threads that do nothing but ask the vdso for the time, which is
 * where nearly every stop finds them: time goes on, and never back
 */
#include "program.h"

#define NR 8

struct asker {
	pthread_t thread;
	unsigned long nr, nr_back;
};

static int is_over;

static void *ask(void *arg)
{
	struct asker *asker = arg;
	uint64_t last = 0, now;

	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		now = program_now(CLOCK_MONOTONIC);
		asker->nr_back += now < last;
		last = now;
		__atomic_add_fetch(&asker->nr, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct asker askers[NR];
	unsigned long before[NR];

	program_start(argc, argv);
	for (int i = 0; i < NR; i++)
		NEED_ZERO(pthread_create(&askers[i].thread, NULL, ask,
					 &askers[i]));

	program_ready();

	for (int i = 0; i < NR; i++)
		before[i] = __atomic_load_n(&askers[i].nr, __ATOMIC_RELAXED);
	program_nap(200);
	__atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < NR; i++) {
		NEED_ZERO(pthread_join(askers[i].thread, NULL));
		CHECK(askers[i].nr > before[i], "thread %d does not go on", i);
		CHECK(!askers[i].nr_back, "thread %d: time went back %lu times",
		      i, askers[i].nr_back);
	}
	return program_result();
}
