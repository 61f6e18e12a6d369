/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signal_churn.c - signals come all the time, also while the tree is stopped
 * and started again: each once, in order, and none ends a call that the kernel
 * starts again
 */
#include <pthread.h>
#include <sys/mman.h>

#include "program.h"

#define SIGNALS_PER_BYTE 16

static struct shared {
	volatile int is_over;
	volatile long nr_sent;
} * shared;

static int ends[2];
static volatile long nr_got, nr_wrong;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (info->si_value.sival_int != nr_got)
		nr_wrong++;
	nr_got++;
}

/* Signals to the parent, and between them bytes that are numbered, too. */
static void sends(void *arg)
{
	const pid_t parent = (pid_t)(long)arg;
	unsigned char byte = 0;

	for (int i = 0; !shared->is_over; i++) {
		const union sigval value = { .sival_int = i };

		while (sigqueue(parent, SIGRTMIN, value) < 0 && errno == EAGAIN)
			program_nap(1);
		shared->nr_sent = i + 1;
		if (i % SIGNALS_PER_BYTE)
			continue;
		CHECK(write(ends[1], &byte, 1) == 1, "%s", strerror(errno));
		byte++;
		usleep(100);
	}
	close(ends[1]);
}

static void *read_all(void *arg)
{
	unsigned char byte, expected = 0;
	sigset_t set;
	ssize_t n;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	while ((n = read(ends[0], &byte, 1)) == 1)
		if (byte != expected++)
			break;
	CHECK(n == 0, "read %zd, %s, after byte %d", n, strerror(errno),
	      expected);
	return NULL;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_sigaction = on_signal,
					  .sa_flags = SA_SIGINFO | SA_RESTART };
	pthread_t reader;
	sigset_t set;
	pid_t pid;

	program_start(argc, argv);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	NEED(pipe(ends));
	NEED(sigaction(SIGRTMIN, &action, NULL));
	/* the reader alone gets them */
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pid = program_child(sends, (void *)(long)getpid());
	close(ends[1]);
	NEED_ZERO(pthread_create(&reader, NULL, read_all, NULL));
	program_nap(20);

	program_ready();

	program_nap(50);
	shared->is_over = 1;
	program_join(pid);
	pthread_join(reader, NULL);
	/* what is pending comes before this returns */
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	CHECK(nr_got == shared->nr_sent && !nr_wrong,
	      "%ld signals of %ld, %ld not in their place", nr_got,
	      shared->nr_sent, nr_wrong);
	return program_result();
}
