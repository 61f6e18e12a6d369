/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_subreaper.c - a child subreaper has adopted an orphan, and adopts the
 * next one after restart
 */
#include <sys/prctl.h>

#include "program.h"

static void orphan(void *arg)
{
	program_await(arg);
	CHECK(getppid() != 1, "adopted by init");
}

static void middle(void *arg)
{
	program_child(orphan, "over");
	program_await(arg);
}

int main(int argc, char **argv)
{
	pid_t first, second, pid;
	int is_set = 0, nr = 0, status;

	program_start(argc, argv);
	NEED(prctl(PR_SET_CHILD_SUBREAPER, 1));
	program_mark("now");
	first = program_child(middle, "now");
	program_join(first);
	second = program_child(middle, "check");

	program_ready();

	CHECK(prctl(PR_GET_CHILD_SUBREAPER, &is_set) == 0 && is_set,
	      "not a subreaper");
	program_join(second);
	program_mark("over");
	while ((pid = wait(&status)) > 0) {
		CHECK(status == 0, "status of %d: %#x", pid, status);
		nr++;
	}
	CHECK(nr == 2, "%d orphans were reaped", nr);
	return program_result();
}
