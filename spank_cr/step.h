/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * step.h - who we are: job, step, node, ranks
 *
 * Filled from Slurm in one place (step.c), plain values everywhere else.
 */
#ifndef STEP_H
#define STEP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "identity.h"

#define CR_STEP_COMMAND_MAX 2048
#define CR_STEP_NODES_MAX 2048
#define CR_STEP_RANKS_MAX 4096 /* on one node */
#define CR_STEP_GROUPS_MAX 256
#define CR_STEP_RUN_SIZE 33 /* 32 hex digits */
#define CR_STEP_RUN_VARIABLE "SPANK_CR_RUN"
#define CR_STEP_TERMINAL_VARIABLE "SLURM_PTY_PORT" /* set by srun --pty */
#define CR_STEP_OUTSIDE_VARIABLE "SPANK_CR_OUTSIDE" /* "1": srun in no job */

/* Slurm's numbers for steps that are not srun's */
#define CR_STEP_BATCH 0xfffffffbu
#define CR_STEP_EXTERN 0xfffffffcu
#define CR_STEP_INTERACTIVE 0xfffffffau

/* A plain value: may be copied and sent to another process. */
struct cr_step {
	uint32_t job;
	uint32_t step;
	uint32_t node; /* index of this node in the step, from 0 */
	uint32_t nr_nodes;
	uint32_t nr_ranks; /* of the whole step */
	uint32_t nr_local_ranks;
	uint32_t restart_count; /* of the job */
	uint32_t nr_components; /* a script's, of a heterogeneous job: their
				 * jobs have numbers in a row; 0: it is none */
	uid_t uid;
	gid_t gid;
	uint32_t nr_groups;
	gid_t groups[CR_STEP_GROUPS_MAX]; /* supplementary, cut to fit */
	int has_terminal; /* srun --pty: one of the node's */
	char name[32]; /* "12.0" or "12.batch", for messages */
	char identity[CR_IDENTITY_SIZE]; /* "": not known, or a script */
	char run[CR_STEP_RUN_SIZE]; /* drawn by srun: the same on all nodes;
				     * "": srun had no plugin */
	char nodes[CR_STEP_NODES_MAX]; /* their names, "n[1-4]"; "": not known,
					* or too long */
	char command[CR_STEP_COMMAND_MAX]; /* the ranks' program and its
					    * arguments, cut to fit */
	uint32_t program_length; /* of the former in there */
};

#endif /* STEP_H */
