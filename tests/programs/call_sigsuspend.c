/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_sigsuspend.c - sigsuspend(2) with its own mask; the old one comes back
 */
#include "program.h"

static volatile sig_atomic_t nr_signals;

static void handler(int signal)
{
	(void)signal;
	nr_signals++;
}

static void wake(void *arg)
{
	(void)arg;
	CHECK(kill(getppid(), SIGUSR1) == 0, "%s", strerror(errno));
}

int main(int argc, char **argv)
{
	sigset_t set;
	int rc;
	pid_t waker;

	program_start(argc, argv);
	NEED(sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = handler },
		       NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL));
	sigemptyset(&set);
	waker = program_waker(SYS_rt_sigsuspend, 20, wake, NULL);

	rc = sigsuspend(&set);

	CHECK(rc == -1 && errno == EINTR, "%d, %s", rc, strerror(errno));
	CHECK(nr_signals == 1, "%d signals", (int)nr_signals);
	sigprocmask(SIG_SETMASK, NULL, &set);
	CHECK(sigismember(&set, SIGUSR1) && sigismember(&set, SIGUSR2),
	      "mask before the call");
	program_join(waker);
	return program_result();
}
