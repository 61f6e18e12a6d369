/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_futex_until.c - a condition variable waits until an absolute time
 */
#include "program.h"

int main(int argc, char **argv)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_condattr_t attributes;
	pthread_cond_t changed;
	struct timespec until;
	int rc;
	uint64_t start;
	pid_t waker;

	program_start(argc, argv);
	NEED_ZERO(pthread_condattr_init(&attributes));
	NEED_ZERO(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
	NEED_ZERO(pthread_cond_init(&changed, &attributes));
	start = program_now(CLOCK_MONOTONIC);
	NEED(clock_gettime(CLOCK_MONOTONIC, &until));
	until.tv_sec += CALL_MS / 1000;
	until.tv_nsec += CALL_MS % 1000 * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&lock);
	waker = program_waker(SYS_futex, CALL_READY_MS, NULL, NULL);

	rc = pthread_cond_timedwait(&changed, &lock, &until);

	program_check_elapsed(start);
	CHECK(rc == ETIMEDOUT, "%s", strerror(rc));
	program_join(waker);
	return program_result();
}
