/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signal_handlers.c - what each signal does: handlers with flags and masks,
 * ignored ones and defaults, as the kernel has them
 */
#include "program.h"

struct kernel_action {
	uint64_t handler, flags, restorer, mask;
};

static volatile sig_atomic_t got_signal, got_value;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)context;
	got_signal = signal;
	got_value = info->si_value.sival_int;
}

static void get(struct kernel_action *actions)
{
	int i;

	for (i = 1; i < 65; i++)
		syscall(SYS_rt_sigaction, i, NULL, &actions[i], 8);
}

static void check_works(int signal)
{
	union sigval value = { .sival_int = signal * 3 };

	CHECK(sigqueue(getpid(), signal, value) == 0, "%s", strerror(errno));
	CHECK(got_signal == signal && got_value == signal * 3,
	      "got %d with %d for %d", (int)got_signal, (int)got_value, signal);
}

int main(int argc, char **argv)
{
	static struct kernel_action before[65], after[65];
	struct sigaction action = { .sa_sigaction = handler };
	int i;

	program_start(argc, argv);
	for (i = SIGRTMIN; i <= SIGRTMAX; i++) {
		action.sa_flags = SA_SIGINFO | (i % 2 ? SA_RESTART : 0) |
				  (i % 3 ? SA_ONSTACK : 0) |
				  (i % 5 ? 0 : SA_NODEFER);
		sigemptyset(&action.sa_mask);
		sigaddset(&action.sa_mask, i % 30 + 1);
		NEED(sigaction(i, &action, NULL));
	}
	NEED(sigaction(SIGUSR1, &action, NULL));
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	get(before);

	program_ready();

	get(after);
	for (i = 1; i < 65; i++)
		CHECK(memcmp(&before[i], &after[i], sizeof(before[i])) == 0,
		      "signal %d: handler %#llx was %#llx, flags %#llx were %#llx",
		      i, (unsigned long long)after[i].handler,
		      (unsigned long long)before[i].handler,
		      (unsigned long long)after[i].flags,
		      (unsigned long long)before[i].flags);
	check_works(SIGRTMIN);
	check_works(SIGRTMIN + 5);
	check_works(SIGUSR1);
	raise(SIGPIPE);
	return program_result();
}
