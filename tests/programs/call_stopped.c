/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_stopped.c - processes that are stopped in poll(2), which they have been
 * in again before, or are about to be: in restart_syscall(2), that is
 */
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "program.h"

enum { FIRST, AGAIN, LEAVING, RETURNING, NR };

static int ends[NR][2];

static void polls(void *arg)
{
	const long which = (long)arg;
	struct pollfd fd = { ends[which][0], POLLIN, 0 };
	int rc = poll(&fd, 1, 60000);

	CHECK(rc == 1, "child %ld: %d, %s", which, rc, strerror(errno));
	CHECK(fd.revents == POLLIN, "child %ld: %#x", which, fd.revents);
}

static void stop(pid_t pid)
{
	int status;

	NEED(kill(pid, SIGSTOP));
	NEED(waitpid(pid, &status, WUNTRACED));
	if (!WIFSTOPPED(status))
		program_die(__FILE__, __LINE__, "not stopped", 0);
}

/* As the kernel leaves the registers of one that goes back into its call. */
static void send_back(pid_t pid, int is_returning)
{
	struct user_regs_struct regs;

	NEED(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	NEED(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	NEED(waitpid(pid, NULL, 0));
	NEED(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
	regs.rax = SYS_restart_syscall;
	regs.rip -= 2;
	if (is_returning)
		regs.orig_rax = (unsigned long)-1;
	NEED(ptrace(PTRACE_SETREGS, pid, NULL, &regs));
	NEED(ptrace(PTRACE_DETACH, pid, NULL, NULL));
}

int main(int argc, char **argv)
{
	pid_t pids[NR];

	program_start(argc, argv);
	for (long i = 0; i < NR; i++) {
		NEED(pipe(ends[i]));
		pids[i] = program_child(polls, (void *)i);
		program_await_blocked(pids[i], SYS_poll);
		stop(pids[i]);
	}
	NEED(kill(pids[AGAIN], SIGCONT));
	program_await_blocked(pids[AGAIN], SYS_restart_syscall);
	stop(pids[AGAIN]);
	send_back(pids[LEAVING], 0);
	send_back(pids[RETURNING], 1);

	program_ready();

	for (int i = 0; i < NR; i++) {
		CHECK(kill(pids[i], SIGCONT) == 0, "%s", strerror(errno));
		program_nap(50);
		CHECK(waitpid(pids[i], NULL, WNOHANG) == 0,
		      "child %d has not waited", i);
		CHECK(write(ends[i][1], "x", 1) == 1, "%s", strerror(errno));
		program_join(pids[i]);
	}
	return program_result();
}
