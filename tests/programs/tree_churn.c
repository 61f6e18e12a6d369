/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_churn.c - processes are made and end all the time, also while the tree
 * is being frozen
 */
#include "program.h"

#define NR_MAKERS 3

static void nothing(void *arg)
{
	(void)arg;
}

static void maker(void *arg)
{
	(void)arg;
	while (access("check", F_OK) < 0 && !program_result())
		program_join(program_child(nothing, NULL));
}

int main(int argc, char **argv)
{
	pid_t pids[NR_MAKERS];
	int i;

	program_start(argc, argv);
	for (i = 0; i < NR_MAKERS; i++)
		pids[i] = program_child(maker, NULL);
	program_nap(50);

	program_ready();

	for (i = 0; i < NR_MAKERS; i++)
		program_join(pids[i]);
	return program_result();
}
