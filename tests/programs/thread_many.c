/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_many.c - 300 threads with their tids, thread-local storage, stacks and
 * return values; they wait on one condition variable
 */
#include "program.h"

#define NR_THREADS 300

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned long nr_waiting;
static int is_over;
static __thread unsigned long local;

static void *thread(void *arg)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);
	unsigned long n = (unsigned long)arg;
	uint64_t frame[512];

	local = n * 3;
	program_fill(frame, sizeof(frame), n);
	pthread_mutex_lock(&lock);
	nr_waiting++;
	while (!is_over)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	CHECK(local == n * 3, "local is %lu", local);
	CHECK(program_filled(frame, sizeof(frame), n), "stack of %lu", n);
	CHECK(syscall(SYS_gettid) == tid, "tid");
	return (void *)(n + 1);
}

int main(int argc, char **argv)
{
	pthread_t threads[NR_THREADS];
	unsigned long n, waiting = 0;
	void *result;

	program_start(argc, argv);
	for (n = 0; n < NR_THREADS; n++)
		NEED_ZERO(pthread_create(&threads[n], NULL, thread, (void *)n));
	while (waiting < NR_THREADS) {
		program_nap(1);
		pthread_mutex_lock(&lock);
		waiting = nr_waiting;
		pthread_mutex_unlock(&lock);
	}

	program_ready();

	pthread_mutex_lock(&lock);
	is_over = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	for (n = 0; n < NR_THREADS; n++) {
		CHECK(pthread_join(threads[n], &result) == 0, "join %lu", n);
		CHECK(result == (void *)(n + 1), "result of %lu", n);
	}
	return program_result();
}
