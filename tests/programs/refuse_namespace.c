/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_namespace.c - a child with a PID namespace of its own, and its
 * children in there, are refused
 */
#include <sched.h>

#include "program.h"

static void inner(void *arg)
{
	(void)arg;
	program_mark("inner");
	program_await("check");
}

static void outer(void *arg)
{
	pid_t pid;

	(void)arg;
	NEED(unshare(CLONE_NEWPID));
	pid = program_child(inner, NULL);
	program_join(pid);
}

int main(int argc, char **argv)
{
	pid_t pid;

	program_start(argc, argv);
	pid = program_child(outer, NULL);
	program_await("inner");
	program_write("refused", "namespace");

	program_ready();

	program_join(pid);
	return program_result();
}
