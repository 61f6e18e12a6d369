/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_deep.c - a chain of sixty generations: each has its parent, its pid and
 * its own variable
 */
#include "program.h"

#define DEPTH 60

static void generation(void *arg)
{
	unsigned long n = (unsigned long)arg, own = n * n;
	pid_t parent = getppid(), self = getpid(), child = 0;

	__asm__ volatile("" : "+m"(own));
	if (n < DEPTH)
		child = program_child(generation, (void *)(n + 1));
	else
		program_mark("deepest");
	program_await("check");
	CHECK(getppid() == parent, "parent is %d was %d", getppid(), parent);
	CHECK(getpid() == self, "pid is %d was %d", getpid(), self);
	CHECK(own == n * n, "variable of %lu", n);
	if (child)
		program_join(child);
}

int main(int argc, char **argv)
{
	pid_t pid;

	program_start(argc, argv);
	pid = program_child(generation, (void *)1);
	program_await("deepest");

	program_ready();

	program_join(pid);
	return program_result();
}
