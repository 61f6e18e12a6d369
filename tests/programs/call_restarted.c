/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_restarted.c - a read(2) that SA_RESTART restarts after a signal
 */
#include "program.h"

static int ends[2];
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
	program_nap(20);
	CHECK(write(ends[1], "r", 1) == 1, "write");
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = handler,
				    .sa_flags = SA_RESTART };
	char byte = 0;
	ssize_t nr;
	pid_t waker;

	program_start(argc, argv);
	NEED(pipe(ends));
	NEED(sigaction(SIGUSR1, &action, NULL));
	waker = program_waker(SYS_read, 20, wake, NULL);

	nr = read(ends[0], &byte, 1);

	CHECK(nr == 1 && byte == 114, "%zd, %s", nr, strerror(errno));
	CHECK(nr_signals == 1, "%d signals", (int)nr_signals);
	program_join(waker);
	return program_result();
}
