/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_traced.c - a tree in which one process traces another (a debugger)
 * cannot be stopped by us: the checkpoint fails and harms nobody
 */
#include <sys/ptrace.h>

#include "program.h"

static void child(void *arg)
{
	(void)arg;
	program_await("check");
}

int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	program_start(argc, argv);
	pid = program_child(child, NULL);
	NEED(ptrace(PTRACE_SEIZE, pid, 0, 0));
	program_write("refused", "is traced by process");

	program_ready();

	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
		ptrace(PTRACE_CONT, pid, 0, WSTOPSIG(status));
	CHECK(status == 0, "status %#x", status);
	return program_result();
}
