/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signal_mask.c - a blocked signal that comes after restart still waits, and is
 * delivered when it is unblocked
 */
#include "program.h"

static volatile sig_atomic_t nr_signals;

static void handler(int signal)
{
	(void)signal;
	nr_signals++;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = handler };
	sigset_t set;

	program_start(argc, argv);
	NEED(sigaction(SIGTERM, &action, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL));

	program_ready();

	CHECK(kill(getpid(), SIGTERM) == 0, "%s", strerror(errno));
	CHECK(nr_signals == 0, "%d signals", (int)nr_signals);
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0, "unblock");
	CHECK(nr_signals == 1, "%d signals", (int)nr_signals);
	return program_result();
}
