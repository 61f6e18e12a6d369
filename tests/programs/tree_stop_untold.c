/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_stop_untold.c - a parent that has not heard yet that its child was
 * stopped hears it afterwards; a second SIGSTOP is pending meanwhile
 */
#include "program.h"

static void child(void *arg)
{
	(void)arg;
	raise(SIGSTOP);
	program_mark("continued");
}

int main(int argc, char **argv)
{
	siginfo_t info;
	int status = 0;
	pid_t pid;

	program_start(argc, argv);
	pid = program_child(child, NULL);
	NEED(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT));
	NEED(kill(pid, SIGSTOP));

	program_ready();

	CHECK(waitpid(pid, &status, WUNTRACED | WNOHANG) == pid &&
		      WIFSTOPPED(status),
	      "not told: %#x", status);
	CHECK(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0,
	      "told twice: %#x", status);
	CHECK(access("continued", F_OK) < 0, "it went on");
	CHECK(kill(pid, SIGCONT) == 0, "%s", strerror(errno));
	program_join(pid);
	CHECK(access("continued", F_OK) == 0, "it did not go on");
	return program_result();
}
