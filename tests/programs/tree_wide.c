/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_wide.c - one parent with 150 children, each with its own state, pids
 * kept; children that are made afterwards get free pids
 */
#include "program.h"

#define NR_CHILDREN 150

static void child(void *arg)
{
	pid_t self = getpid();

	program_await("check");
	CHECK(getpid() == self, "pid");
	_exit(program_result() ? 255 : (int)(long)arg);
}

static void nothing(void *arg)
{
	(void)arg;
}

int main(int argc, char **argv)
{
	pid_t pids[NR_CHILDREN];
	int i, status;

	program_start(argc, argv);
	for (i = 0; i < NR_CHILDREN; i++)
		pids[i] = program_child(child, (void *)(long)i);

	program_ready();

	program_join(program_child(nothing, NULL));
	for (i = 0; i < NR_CHILDREN; i++) {
		CHECK(waitpid(pids[i], &status, 0) == pids[i], "child %d", i);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == i,
		      "status of child %d is %#x", i, status);
	}
	CHECK(waitpid(-1, &status, 0) < 0 && errno == ECHILD, "more children");
	return program_result();
}
