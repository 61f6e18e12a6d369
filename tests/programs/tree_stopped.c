/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_stopped.c - a child that was stopped is still stopped, its parent is not
 * told once more, and SIGCONT lets it go on
 */
#include "program.h"

static void child(void *arg)
{
	(void)arg;
	raise(SIGSTOP);
	program_mark("continued");
}

static char state_of(pid_t pid)
{
	char path[64], line[128];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	program_line(path, "State", line, sizeof(line));
	return line[0] ? line[7] : '?';
}

int main(int argc, char **argv)
{
	int status = 0, waited;
	pid_t pid;

	program_start(argc, argv);
	pid = program_child(child, NULL);
	NEED(waitpid(pid, &status, WUNTRACED));
	if (!WIFSTOPPED(status))
		program_die(__FILE__, __LINE__, "not stopped", 0);

	program_ready();

	/* it may be on its way from our stop into its own */
	for (waited = 0; state_of(pid) != 'T' && waited < 1000; waited++)
		program_nap(1);
	CHECK(state_of(pid) == 'T', "state %c", state_of(pid));
	CHECK(access("continued", F_OK) < 0, "it went on");
	CHECK(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0,
	      "told again: %#x", status);
	CHECK(kill(pid, SIGCONT) == 0, "%s", strerror(errno));
	program_join(pid);
	CHECK(access("continued", F_OK) == 0, "it did not go on");
	return program_result();
}
