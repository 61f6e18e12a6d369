/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signal_pending.c - blocked signals that wait, for the process and for one
 * thread, come in their order with all that was sent along
 */
#include "program.h"

#define NR_QUEUED 5

static sigset_t all;
static pthread_barrier_t prepared, checked;

/* The next pending signal must be @signal from us, with @value. */
static void expect(int signal, int code, int value)
{
	struct timespec at_once = { 0, 0 };
	siginfo_t info = { 0 };
	/* not by sigtimedwait(3), which makes SI_USER of SI_TKILL */
	int got = (int)syscall(SYS_rt_sigtimedwait, &all, &info, &at_once, 8);

	CHECK(got == signal, "signal %d instead of %d", got, signal);
	CHECK(info.si_code == code, "code %d of %d", info.si_code, signal);
	CHECK(info.si_pid == getpid() && info.si_uid == getuid(),
	      "sender %d of %d", info.si_pid, signal);
	CHECK(code != SI_QUEUE || info.si_value.sival_int == value,
	      "value %d instead of %d", info.si_value.sival_int, value);
}

static void *thread(void *arg)
{
	NEED_ZERO(pthread_kill(pthread_self(), SIGRTMIN + 7));
	NEED_ZERO(pthread_kill(pthread_self(), SIGWINCH));
	pthread_barrier_wait(&prepared);
	pthread_barrier_wait(&checked);
	expect(SIGWINCH, SI_TKILL, 0);
	expect(SIGRTMIN + 7, SI_TKILL, 0);
	return arg;
}

int main(int argc, char **argv)
{
	struct timespec at_once = { 0, 0 };
	union sigval value;
	pthread_t other;
	int i;

	program_start(argc, argv);
	sigfillset(&all);
	NEED(sigprocmask(SIG_BLOCK, &all, NULL));
	NEED_ZERO(pthread_barrier_init(&prepared, NULL, 2));
	NEED_ZERO(pthread_barrier_init(&checked, NULL, 2));
	NEED_ZERO(pthread_create(&other, NULL, thread, NULL));
	pthread_barrier_wait(&prepared);
	for (i = 0; i < NR_QUEUED; i++) {
		value.sival_int = 100 + i;
		NEED(sigqueue(getpid(), SIGRTMIN + 3, value));
	}
	NEED(kill(getpid(), SIGUSR1));
	NEED_ZERO(pthread_kill(pthread_self(), SIGUSR2));

	program_ready();

	pthread_barrier_wait(&checked);
	CHECK(pthread_join(other, NULL) == 0, "join");
	expect(SIGUSR2, SI_TKILL, 0);
	expect(SIGUSR1, SI_USER, 0);
	for (i = 0; i < NR_QUEUED; i++)
		expect(SIGRTMIN + 3, SI_QUEUE, 100 + i);
	CHECK(sigtimedwait(&all, NULL, &at_once) < 0, "more signals");
	return program_result();
}
