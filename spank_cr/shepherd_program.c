/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shepherd_program.c - how a rank's program begins, and how its shepherd ends
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "cr_error.h"
#include "shepherd_program.h"

#define TEXT_TIMEOUT_MS 1000

void cr_shepherd_pass_on(const char *text)
{
	struct pollfd pollfd = { .fd = 2, .events = POLLOUT };
	char line[CR_ERROR_TEXT_MAX + 16];
	int length;

	length = snprintf(line, sizeof(line), "spank_cr: %s\n", text);
	if (poll(&pollfd, 1, TEXT_TIMEOUT_MS) == 1 &&
	    write(2, line, (size_t)length) < 0)
		return; /* nobody reads it: there is no other place */
}

void cr_shepherd_say(const struct cr_shepherd *shepherd, const char *fmt, ...)
{
	char text[CR_ERROR_TEXT_MAX];
	va_list args;
	int used;

	used = snprintf(text, sizeof(text), "rank %u: ", shepherd->rank);
	va_start(args, fmt);
	vsnprintf(text + used, sizeof(text) - (size_t)used, fmt, args);
	va_end(args);
	cr_shepherd_pass_on(text);
}

/* End as the program did: the same code, or the same signal. */
void __attribute__((noreturn)) cr_shepherd_end_like(int status)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t set;
	int signal;

	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	signal = WTERMSIG(status);
	setrlimit(RLIMIT_CORE, &no_core);
	sigemptyset(&set);
	sigaddset(&set, signal);
	sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	kill(getpid(), signal);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + signal);
}

/* Ignoring a signal forgets it. */
static void drop_pending(int signal)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction before;

	sigaction(signal, &ignore, &before);
	sigaction(signal, &before, NULL);
}

/* A terminal that was our session's becomes the program's session's. */
int cr_shepherd_give_up_terminal(void)
{
	int has = isatty(0) && tcgetsid(0) == getpid();

	if (!has)
		return 0;
	ioctl(0, TIOCNOTTY);
	drop_pending(SIGHUP); /* what this sends to us */
	drop_pending(SIGCONT);
	return 1;
}

/* In the child: be what slurmstepd had made of this process. */
void cr_shepherd_become_program(const struct cr_shepherd *shepherd,
				const sigset_t *mask, int has_terminal)
{
	setsid();
	if (has_terminal)
		ioctl(0, TIOCSCTTY, 0);
	if (chdir(shepherd->cwd) < 0) {
		const int code = errno;

		cr_shepherd_say(shepherd, "working directory %s: %s%s",
				shepherd->cwd, strerror(code),
				chdir("/") < 0 ? "" : ": going to / instead");
	}
	sigprocmask(SIG_SETMASK, mask, NULL);
}
