/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_pdeathsig.c - the parent-death signal is kept, is not sent by the
 * restart itself, and comes when the parent ends
 */
#include <sys/prctl.h>

#include "program.h"

static volatile sig_atomic_t nr_signals;

static void handler(int signal)
{
	(void)signal;
	nr_signals++;
}

static void child(void *arg)
{
	int signal = 0, waited;

	(void)arg;
	NEED(sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = handler },
		       NULL));
	NEED(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	program_mark("child");
	program_await("check");
	CHECK(prctl(PR_GET_PDEATHSIG, &signal) == 0 && signal == SIGUSR1,
	      "signal %d", signal);
	CHECK(nr_signals == 0, "%d signals already", (int)nr_signals);
	program_mark("parent-may-end");
	for (waited = 0; !nr_signals && waited < 5000; waited++)
		program_nap(1);
	CHECK(nr_signals == 1, "%d signals", (int)nr_signals);
	program_mark(program_result() ? "child-differs" : "child-checked");
}

static void parent(void *arg)
{
	program_child(child, arg);
	program_await("parent-may-end");
}

int main(int argc, char **argv)
{
	pid_t pid;

	program_start(argc, argv);
	pid = program_child(parent, NULL);
	program_await("child");

	program_ready();

	program_join(pid);
	program_await("child-checked");
	return program_result();
}
