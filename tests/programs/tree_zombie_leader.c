/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_zombie_leader.c - a zombie that leads a session and a group of which
 * another process is a member
 */
#include "program.h"

static void member(void *arg)
{
	pid_t leader = (pid_t)(long)arg;

	NEED(setpgid(0, leader));
	program_mark("member");
	program_await("check");
	CHECK(getpgrp() == leader, "group %d was %d", getpgrp(), leader);
}

static void leads(void *arg)
{
	(void)arg;
	NEED(setpgid(0, 0));
	program_mark("leader");
	program_await("member");
	_exit(3);
}

static void session(void *arg)
{
	(void)arg;
	NEED(setsid());
	_exit(4);
}

int main(int argc, char **argv)
{
	pid_t leader, other, lone;
	siginfo_t info;
	int status;

	program_start(argc, argv);
	leader = program_child(leads, NULL);
	program_await("leader");
	other = program_child(member, (void *)(long)leader);
	lone = program_child(session, NULL);
	NEED(waitid(P_PID, (id_t)leader, &info, WEXITED | WNOWAIT));
	NEED(waitid(P_PID, (id_t)lone, &info, WEXITED | WNOWAIT));

	program_ready();

	CHECK(getpgid(leader) == leader, "group of the zombie");
	CHECK(getsid(lone) == lone, "session of the zombie");
	CHECK(waitpid(leader, &status, 0) == leader && status == 3 << 8,
	      "status %#x", status);
	CHECK(waitpid(lone, &status, 0) == lone && status == 4 << 8,
	      "status %#x", status);
	program_join(other);
	return program_result();
}
