/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_pause.c - pause(2) until a signal comes
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
	int rc;
	pid_t waker;

	program_start(argc, argv);
	NEED(sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = handler },
		       NULL));
	waker = program_waker(SYS_pause, 20, wake, NULL);

	rc = pause();

	CHECK(rc == -1 && errno == EINTR, "%d, %s", rc, strerror(errno));
	CHECK(nr_signals == 1, "%d signals", (int)nr_signals);
	program_join(waker);
	return program_result();
}
