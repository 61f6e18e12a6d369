/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signal_child.c - SIGCHLD of a child that ends after restart tells its pid and
 * status; one that is ignored leaves no zombie
 */
#include "program.h"

static volatile sig_atomic_t child_pid, child_status, nr_signals;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	nr_signals++;
	child_pid = info->si_pid;
	child_status = info->si_status;
}

static void child(void *arg)
{
	program_await(arg);
	_exit(6);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = handler,
				    .sa_flags = SA_SIGINFO | SA_NOCLDWAIT };
	pid_t pid;
	int waited;

	program_start(argc, argv);
	NEED(sigaction(SIGCHLD, &action, NULL));
	pid = program_child(child, "over");

	program_ready();

	CHECK(nr_signals == 0, "%d signals already", (int)nr_signals);
	program_mark("over");
	for (waited = 0; !nr_signals && waited < 5000; waited++)
		program_nap(1);
	CHECK(nr_signals == 1, "%d signals", (int)nr_signals);
	CHECK(child_pid == pid && child_status == 6, "pid %d status %d",
	      (int)child_pid, (int)child_status);
	CHECK(wait(NULL) < 0 && errno == ECHILD, "a zombie is left");
	return program_result();
}
