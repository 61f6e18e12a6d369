/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shepherd.h - the process that Slurm takes for the rank
 *
 * It never runs the program: it forks it into the step's namespaces, or has
 * it restarted there, passes signals on, holds the rank's standard streams,
 * and ends as the program has ended.  SIGTERM it does not pass on before the
 * agent has said what it means.  Without an agent (it has died) it passes on
 * everything.
 */
#ifndef SHEPHERD_H
#define SHEPHERD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cr_error.h"

struct cr_shepherd {
	int agent; /* socket to the agent, -1: none any more */
	int lifeline; /* the namespaces live as long as somebody has it */
	int is_restart;
	uint32_t rank, local;
	char cwd[4096];
};

/*
 * As root, in the rank's process: ask over slurmstepd's sockets @agents for the
 * one that has this rank, and enter the namespaces.  0 or a negative errno.
 */
int cr_shepherd_enter(struct cr_shepherd *shepherd, const int *agents,
		      size_t nr_agents, uint32_t rank, uint32_t local,
		      struct cr_error *err);

/*
 * As the user, last thing before the program is executed.  Returns only in a
 * new process, which is to execute the program; or a negative errno.
 */
int cr_shepherd_run(struct cr_shepherd *shepherd, struct cr_error *err);

#endif /* SHEPHERD_H */
