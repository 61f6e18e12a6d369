/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_vfork.c - a parent inside vfork(2) cannot be stopped while its child
 * has its memory: the checkpoint must fail in bounded time and harm nobody
 */
#include "program.h"

int main(int argc, char **argv)
{
	pid_t pid;

	program_start(argc, argv);
	program_write("refused", "");
	pid = NEED(vfork());
	if (pid == 0) {
		/* by raw calls: the parent's memory is in use here */
		syscall(SYS_creat, "ready", 0600);
		while (syscall(SYS_access, "check", F_OK) < 0)
			syscall(SYS_sched_yield);
		_exit(0);
	}
	program_join(pid);
	return program_result();
}
