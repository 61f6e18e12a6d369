/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_churn.c - threads are made and end all the time, also while the
 * process is being frozen
 */
#include "program.h"

#define NR_MAKERS 3

static volatile int is_over;

static void *short_lived(void *arg)
{
	return (void *)((unsigned long)arg * 2);
}

static void *maker(void *arg)
{
	unsigned long n = 0;
	pthread_t thread;
	void *result;

	(void)arg;
	while (!is_over) {
		n++;
		NEED_ZERO(
			pthread_create(&thread, NULL, short_lived, (void *)n));
		CHECK(pthread_join(thread, &result) == 0, "join");
		CHECK(result == (void *)(n * 2), "result of %lu", n);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[NR_MAKERS];
	int i;

	program_start(argc, argv);
	for (i = 0; i < NR_MAKERS; i++)
		NEED_ZERO(pthread_create(&threads[i], NULL, maker, NULL));
	program_nap(50);

	program_ready();

	program_nap(50);
	is_over = 1;
	for (i = 0; i < NR_MAKERS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0, "join %d", i);
	return program_result();
}
