/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_leader_gone.c - the first thread has ended, the process lives on in
 * another one.  Restarting that is not supported: it must be refused.
 */
#include "program.h"

static void *survivor(void *arg)
{
	char stat[256];

	do {
		program_nap(1);
		program_line("/proc/self/status", "State", stat, sizeof(stat));
	} while (!strchr(stat, 'Z'));
	program_write("refused", "thread has ended");
	program_ready();
	exit(program_result());
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	program_start(argc, argv);
	NEED_ZERO(pthread_create(&thread, NULL, survivor, NULL));
	pthread_exit(NULL);
}
