/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_sessions.c - sessions and process groups: a leader with members, a group
 * inside a session, a member of a sibling's group
 */
#include "program.h"

struct place {
	const char *name;
	int session; /* setsid() */
	pid_t group; /* -1: none, 0: own, else join this */
};

static void child(void *arg)
{
	struct place *place = arg;
	pid_t sid, pgid;

	if (place->session)
		NEED(setsid());
	if (place->group >= 0)
		NEED(setpgid(0, place->group));
	sid = getsid(0);
	pgid = getpgrp();
	program_mark(place->name);
	program_await("check");
	CHECK(getsid(0) == sid, "%s: session %d was %d", place->name, getsid(0),
	      sid);
	CHECK(getpgrp() == pgid, "%s: group %d was %d", place->name, getpgrp(),
	      pgid);
}

static pid_t start(const char *name, int session, pid_t group)
{
	struct place place = { name, session, group };
	pid_t pid = program_child(child, &place);

	program_await(name);
	return pid;
}

/* A session of its own that has a leader, members and two groups. */
static void session(void *arg)
{
	pid_t member, leader, second;

	(void)arg;
	NEED(setsid());
	member = start("member", 0, -1);
	leader = start("group-leader", 0, 0);
	second = start("group-member", 0, leader);
	program_mark("session");
	program_await("check");
	CHECK(getsid(0) == getpid() && getpgrp() == getpid(), "leader");
	CHECK(getpgid(second) == leader, "group of the second");
	program_join(second);
	program_join(leader);
	program_join(member);
}

int main(int argc, char **argv)
{
	pid_t pids[3], sid = getsid(0), pgid = getpgrp();
	size_t i;

	program_start(argc, argv);
	pids[0] = program_child(session, NULL);
	program_await("session");
	pids[1] = start("lone-session", 1, -1);
	pids[2] = start("own-group", 0, 0);

	program_ready();

	CHECK(getsid(0) == sid, "session %d was %d", getsid(0), sid);
	CHECK(getpgrp() == pgid, "group %d was %d", getpgrp(), pgid);
	for (i = 0; i < 3; i++)
		program_join(pids[i]);
	return program_result();
}
