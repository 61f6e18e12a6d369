/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_exit_signal.c - a child that was made by clone(2) tells its end with
 * another signal than SIGCHLD, or with none
 */
#include <linux/sched.h>

#include "program.h"

static volatile sig_atomic_t nr_usr1, nr_chld;

static void handler(int signal)
{
	if (signal == SIGUSR1)
		nr_usr1++;
	else
		nr_chld++;
}

static pid_t start(int exit_signal)
{
	struct clone_args args = { .exit_signal = (uint64_t)exit_signal };
	pid_t pid = (pid_t)NEED(syscall(SYS_clone3, &args, sizeof(args)));

	if (pid == 0) {
		program_await("check");
		_exit(9);
	}
	return pid;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = handler };
	pid_t with, without;
	int status;

	program_start(argc, argv);
	NEED(sigaction(SIGUSR1, &action, NULL));
	NEED(sigaction(SIGCHLD, &action, NULL));
	with = start(SIGUSR1);
	without = start(0);

	program_ready();

	CHECK(waitpid(with, &status, __WALL) == with && status == 9 << 8,
	      "status %#x", status);
	CHECK(waitpid(without, &status, __WALL) == without && status == 9 << 8,
	      "status %#x", status);
	CHECK(nr_usr1 == 1, "%d times SIGUSR1", (int)nr_usr1);
	CHECK(nr_chld == 0, "%d times SIGCHLD", (int)nr_chld);
	return program_result();
}
