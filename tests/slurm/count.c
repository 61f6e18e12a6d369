/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * count.c - the job of the end-to-end tests: counts, one line a number
 *
 * A line is "count NUMBER TOKEN HOST".  TOKEN is drawn once, when the program
 * starts, and kept in memory only: all lines from 1 to the last with the same
 * token, none twice, prove that one and the same program wrote them.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static void usage(void)
{
	fputs("usage: count [-n LAST] [-p MILLISECONDS] [-m MIB [-f]]\n"
	      "             [-x EXIT-CODE | -k SIGNAL]\n",
	      stderr);
	exit(2);
}

/* Pages that an image has to hold; zero pages would be left out. */
static void fill_memory(size_t mib)
{
	size_t words = (mib << 20) / sizeof(uint64_t);
	volatile uint64_t *memory = malloc((mib << 20) + 1);

	if (!memory)
		exit(3);
	for (size_t i = 0; i < words; i++)
		memory[i] = i * 0x9e3779b97f4a7c15 + 1;
}

/* A child that shares the memory copy-on-write; it ends with its parent. */
static void make_child(void)
{
	const pid_t child = fork();

	if (child < 0)
		exit(3);
	if (child)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static void pause_for(long milliseconds)
{
	struct timespec time = { milliseconds / 1000,
				 milliseconds % 1000 * 1000000 };

	while (nanosleep(&time, &time))
		;
}

int main(int argc, char **argv)
{
	long last = 60, period = 200;
	int option, exit_code = 0, signal = 0;
	uint64_t token;
	char host[64];

	while ((option = getopt(argc, argv, "n:p:m:fx:k:")) != -1) {
		if (option == 'n')
			last = atol(optarg);
		else if (option == 'p')
			period = atol(optarg);
		else if (option == 'm')
			fill_memory((size_t)atol(optarg));
		else if (option == 'f')
			make_child();
		else if (option == 'x')
			exit_code = atoi(optarg);
		else if (option == 'k')
			signal = atoi(optarg);
		else
			usage();
	}
	if (getrandom(&token, sizeof(token), 0) != sizeof(token))
		return 3;
	for (long i = 1; i <= last; i++) {
		if (gethostname(host, sizeof(host)))
			return 3;
		printf("count %ld %016lx %s\n", i, (unsigned long)token, host);
		fflush(stdout);
		pause_for(period);
	}
	if (signal)
		raise(signal);
	return exit_code;
}
