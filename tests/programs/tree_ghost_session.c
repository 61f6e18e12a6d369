/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_ghost_session.c - a session whose leader has ended and been reaped lives
 * on in a process that has become an orphan
 */
#include <sys/prctl.h>

#include "program.h"

static void member(void *arg)
{
	pid_t leader = (pid_t)(long)arg;

	while (getppid() == leader)
		program_nap(1);
	program_mark("orphan");
	program_await("check");
	CHECK(getsid(0) == leader, "session %d was %d", getsid(0), leader);
	CHECK(getpgrp() == leader, "group %d was %d", getpgrp(), leader);
}

static void leads(void *arg)
{
	char text[32];

	(void)arg;
	NEED(setsid());
	snprintf(text, sizeof(text), "%d",
		 program_child(member, (void *)(long)getpid()));
	program_write("member", text);
}

int main(int argc, char **argv)
{
	char text[32];
	pid_t leader;

	program_start(argc, argv);
	NEED(prctl(PR_SET_CHILD_SUBREAPER, 1));
	leader = program_child(leads, NULL);
	program_join(leader);
	program_await("orphan");
	program_read("member", text, sizeof(text));

	program_ready();

	CHECK(getsid(atoi(text)) == leader, "session");
	CHECK(kill(leader, 0) < 0 && errno == ESRCH, "the ghost is there");
	program_join(atoi(text));
	return program_result();
}
