/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_vdso_fault.c - threads that give functions of the vdso bad addresses, and
 * catch the fault, go on doing so, and keep their signal masks
 */
#include <setjmp.h>

#include "program.h"

#define NR 8

static __thread sigjmp_buf back;
static unsigned long faults[NR];
static int is_over;

static void caught(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static void *give_bad_addresses(void *arg)
{
	unsigned long *count = arg;
	sigset_t mask, wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &wanted, NULL);
	while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE)) {
		if (sigsetjmp(back, 1) == 0)
			clock_gettime(CLOCK_REALTIME, (void *)8);
		__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
	}
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	return memcmp(&mask, &wanted, 8) ? "another mask" : NULL;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = caught };
	unsigned long before[NR];
	pthread_t threads[NR];
	void *wrong;

	program_start(argc, argv);
	NEED(sigaction(SIGSEGV, &action, NULL));
	for (int i = 0; i < NR; i++)
		NEED_ZERO(pthread_create(&threads[i], NULL, give_bad_addresses,
					 &faults[i]));

	program_ready();

	for (int i = 0; i < NR; i++)
		before[i] = __atomic_load_n(&faults[i], __ATOMIC_RELAXED);
	program_nap(200);
	__atomic_store_n(&is_over, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < NR; i++) {
		NEED_ZERO(pthread_join(threads[i], &wrong));
		CHECK(faults[i] > before[i], "thread %d does not go on", i);
		CHECK(!wrong, "thread %d: %s", i, (char *)wrong);
	}
	return program_result();
}
