/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guard.c - see guard.h
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard.h"

#define GUARD_SIGNAL SIGSYS /* our death; nobody sends that otherwise */

static void __attribute__((noreturn))
be_guard(void (*undo)(const void *arg), const void *arg, pid_t parent)
{
	sigset_t death;

	sigemptyset(&death);
	sigaddset(&death, GUARD_SIGNAL);
	prctl(PR_SET_PDEATHSIG, GUARD_SIGNAL);
	if (getppid() == parent)
		sigwaitinfo(&death, NULL);
	undo(arg);
	_exit(0);
}

pid_t cr_guard_start(void (*undo)(const void *arg), const void *arg)
{
	const pid_t self = getpid();
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	/* nobody but us shall hear of its end */
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES, NULL, NULL, NULL, 0);
	if (pid == 0)
		be_guard(undo, arg, self);
	if (pid < 0)
		pid = -errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

void cr_guard_end(pid_t guard)
{
	if (guard <= 0)
		return;
	kill(guard, SIGKILL);
	while (waitpid(guard, NULL, __WALL) < 0 && errno == EINTR)
		;
}
