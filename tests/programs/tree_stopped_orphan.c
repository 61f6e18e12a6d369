/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_stopped_orphan.c - a process is stopped in a group that was orphaned
 * before: no restart may orphan it again, or the kernel hangs up on it
 */
#include <sys/prctl.h>

#include "program.h"

static volatile sig_atomic_t nr_hangups;

static void on_hangup(int signal)
{
	(void)signal;
	nr_hangups++;
}

static void member(void *arg)
{
	const pid_t leader = (pid_t)(long)arg;

	signal(SIGHUP, on_hangup);
	NEED(setpgid(0, 0));
	while (getppid() == leader)
		program_nap(1);
	raise(SIGSTOP);
	CHECK(!nr_hangups, "hung up on %d times", (int)nr_hangups);
	CHECK(getsid(0) == leader, "session %d was %d", getsid(0), leader);
	CHECK(getpgrp() == getpid(), "group %d", getpgrp());
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
	int status = 0;
	pid_t pid;

	program_start(argc, argv);
	NEED(prctl(PR_SET_CHILD_SUBREAPER, 1));
	program_join(program_child(leads, NULL));
	program_read("member", text, sizeof(text));
	pid = atoi(text);
	NEED(waitpid(pid, &status, WUNTRACED));
	if (!WIFSTOPPED(status))
		program_die(__FILE__, __LINE__, "not stopped", 0);

	program_ready();

	program_nap(100);
	CHECK(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0,
	      "told again: %#x", status);
	CHECK(kill(pid, SIGCONT) == 0, "%s", strerror(errno));
	program_join(pid);
	return program_result();
}
