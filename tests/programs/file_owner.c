/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_owner.c - who is told by which signal that a descriptor has become
 * ready: F_SETOWN, F_SETSIG, O_ASYNC
 */
#include "program.h"

static volatile sig_atomic_t got_signal, got_fd;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)context;
	got_signal = signal;
	got_fd = info->si_fd;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = handler,
				    .sa_flags = SA_SIGINFO };
	struct f_owner_ex owner = { 0 };
	int ends[2], i;

	program_start(argc, argv);
	NEED(sigaction(SIGRTMIN + 1, &action, NULL));
	NEED(pipe(ends));
	NEED(fcntl(ends[0], F_SETOWN, getpid()));
	NEED(fcntl(ends[0], F_SETSIG, SIGRTMIN + 1));
	NEED(fcntl(ends[0], F_SETFL, O_ASYNC));

	program_ready();

	CHECK(fcntl(ends[0], F_GETOWN_EX, &owner) == 0 &&
		      owner.type == F_OWNER_PID && owner.pid == getpid(),
	      "owner %d", owner.pid);
	CHECK(fcntl(ends[0], F_GETSIG) == SIGRTMIN + 1, "signal");
	CHECK(write(ends[1], "x", 1) == 1, "write");
	for (i = 0; !got_signal && i < 2000; i++)
		program_nap(1);
	CHECK(got_signal == SIGRTMIN + 1 && got_fd == ends[0],
	      "signal %d of fd %d", (int)got_signal, (int)got_fd);
	return program_result();
}
