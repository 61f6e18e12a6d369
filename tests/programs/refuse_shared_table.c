/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_shared_table.c - two processes with one descriptor table
 * (CLONE_FILES). That is not supported: it must be refused.
 */
#include <linux/sched.h>

#include "program.h"

int main(int argc, char **argv)
{
	struct clone_args args = { .flags = CLONE_FILES,
				   .exit_signal = SIGCHLD };
	pid_t pid;

	program_start(argc, argv);
	pid = (pid_t)NEED(syscall(SYS_clone3, &args, sizeof(args)));
	if (pid == 0) {
		program_await("check");
		_exit(dup2(1, 77) == 77 ? 0 : 1);
	}
	program_write("refused", "descriptor");

	program_ready();

	program_join(pid);
	CHECK(fcntl(77, F_GETFD) == 0, "the table is not shared");
	return program_result();
}
