/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_seccomp_strict.c - a process that any system call but read, write and
 * exit would end is refused, and lives
 */
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "program.h"

static int ends[2];

static void confined(void *arg)
{
	char byte;

	(void)arg;
	NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	syscall(SYS_exit, read(ends[0], &byte, 1) == 1 ? 0 : 1);
}

int main(int argc, char **argv)
{
	pid_t pid;

	program_start(argc, argv);
	NEED(pipe(ends));
	pid = program_child(confined, NULL);
	program_await_blocked(pid, SYS_read);
	program_write("refused", "strict seccomp mode");

	program_ready();

	NEED(write(ends[1], "x", 1));
	program_join(pid);
	return program_result();
}
