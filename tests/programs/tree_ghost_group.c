/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_ghost_group.c - a process group whose leader has ended and been reaped
 * still has its number and its two members
 */
#include "program.h"

static pid_t leader;

static void leads(void *arg)
{
	(void)arg;
	NEED(setpgid(0, 0));
	program_mark("leader");
	program_await("members");
}

static void member(void *arg)
{
	NEED(setpgid(0, leader));
	program_mark(arg);
	program_await("check");
	CHECK(getpgrp() == leader, "group %d was %d", getpgrp(), leader);
	program_await("over");
}

int main(int argc, char **argv)
{
	pid_t first, second;

	program_start(argc, argv);
	leader = program_child(leads, NULL);
	program_await("leader");
	first = program_child(member, "first");
	second = program_child(member, "second");
	program_await("first");
	program_await("second");
	program_mark("members");
	program_join(leader);

	program_ready();

	CHECK(getpgid(first) == leader && getpgid(second) == leader,
	      "groups %d and %d", getpgid(first), getpgid(second));
	CHECK(kill(-leader, 0) == 0, "%s", strerror(errno));
	CHECK(kill(leader, 0) < 0 && errno == ESRCH, "the ghost is there");
	program_mark("over");
	program_join(first);
	program_join(second);
	return program_result();
}
