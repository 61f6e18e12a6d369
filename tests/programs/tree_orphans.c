/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_orphans.c - a process whose parent has ended stays a child of the
 * namespace's init.  Without a PID namespace it is no longer of the tree.
 */
#include "program.h"

static void orphan(void *arg)
{
	pid_t middle = (pid_t)(long)arg, parent;

	while (getppid() == middle)
		program_nap(1);
	parent = getppid();
	program_mark("orphan");
	program_await("check");
	CHECK(getppid() == parent, "parent %d was %d", getppid(), parent);
	program_mark(program_result() ? "orphan-differs" : "orphan-checked");
}

static void middle(void *arg)
{
	(void)arg;
	program_child(orphan, (void *)(long)getpid());
}

int main(int argc, char **argv)
{
	program_start(argc, argv);
	program_join(program_child(middle, NULL));
	program_await("orphan");

	program_ready();

	program_await("orphan-checked");
	return program_result();
}
