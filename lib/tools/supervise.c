/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * supervise.c - pass signals on to a program and wait for its end
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "supervise.h"

static const int passed[] = { SIGTERM, SIGINT,	SIGHUP,	 SIGQUIT,
			      SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH };

static sigset_t before; /* mask that the program shall start with */

static void passed_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		sigaddset(set, passed[i]);
}

void cr_supervise_begin(void)
{
	sigset_t set;

	passed_set(&set);
	sigprocmask(SIG_BLOCK, &set, &before);
}

void cr_supervise_child(void)
{
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* Reap what has ended; returns 1 and *@statusp when @pid has. */
static int reap(pid_t pid, int *statusp)
{
	pid_t ended;
	int status;

	while ((ended = waitpid(-1, &status, WNOHANG | __WALL)) != 0) {
		if (ended == pid) {
			*statusp = status;
			return 1;
		}
		if (ended < 0 && errno == ECHILD) {
			*statusp = 0;
			return 1;
		}
	}
	return 0;
}

int cr_supervise(pid_t pid)
{
	sigset_t set;
	int status, signal;

	passed_set(&set);
	while (!reap(pid, &status)) {
		if (sigwait(&set, &signal) == 0 && signal != SIGCHLD)
			kill(pid, signal);
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}
