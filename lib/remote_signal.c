/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote_signal.c - the signal that ends a thread's way through our code
 *
 * Its tracer catches it and drops it.  It should do no harm if there is no
 * tracer any more.  Stop signals and SIGCONT would discard each other in the
 * queue, so none of them.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote_code.h"

/* What a thread does with signals, bit N - 1 for signal N. */
struct signals {
	uint64_t pending, ignored, caught;
};

static int read_signals(pid_t tid, struct signals *signals,
			struct cr_error *err)
{
	char path[64], line[256];
	FILE *file;

	memset(signals, 0, sizeof(*signals));
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return cr_error_errno(err, "%s", path);
	while (fgets(line, sizeof(line), file)) {
		uint64_t bits = strtoull(line + 7, NULL, 16);

		if (!strncmp(line, "SigPnd:", 7) ||
		    !strncmp(line, "ShdPnd:", 7))
			signals->pending |= bits;
		else if (!strncmp(line, "SigIgn:", 7))
			signals->ignored = bits;
		else if (!strncmp(line, "SigCgt:", 7)) {
			signals->caught = bits;
			break;
		}
	}
	fclose(file);
	return 0;
}

/* How bad it is if @signal is delivered after all: 0 is not at all. */
static int harm_of(const struct signals *signals, uint64_t mask, int signal)
{
	const uint64_t bit = 1ull << (signal - 1);
	int is_mild =
		signal == SIGURG || signal == SIGWINCH || signal == SIGCHLD;

	if ((signals->ignored & bit) || (is_mild && !(signals->caught & bit)))
		return mask & bit ? 1 : 0; /* 1: it stays pending */
	return is_mild ? 2 : 3; /* 2: its handler is called for nothing */
}

int cr_remote_choose_signal(pid_t tid, uint64_t mask, int *harmp,
			    struct cr_error *err)
{
	static const int choice[] = { SIGURG,  SIGWINCH, SIGCHLD, SIGTRAP,
				      SIGSYS,  SIGXFSZ,	 SIGXCPU, SIGPWR,
				      SIGBUS,  SIGIO,	 SIGUSR2, SIGUSR1,
				      SIGPIPE, SIGHUP };
	struct signals signals;
	int best = 0, rc;

	rc = read_signals(tid, &signals, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < sizeof(choice) / sizeof(choice[0]); i++) {
		int harm = harm_of(&signals, mask, choice[i]);

		if (signals.pending & 1ull << (choice[i] - 1))
			continue;
		if (!best || harm < *harmp) {
			best = choice[i];
			*harmp = harm;
		}
	}
	return best ? best :
		      cr_error_set(err, -EAGAIN,
				   "thread %d has too many pending signals",
				   tid);
}
