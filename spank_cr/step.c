/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * step.c - ask Slurm who we are; see slurm_step.h
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slurm_step.h"

#define COMPONENTS_MAX 128 /* as in slurmctld */

static void fill_command(spank_t spank, struct cr_step *step)
{
	size_t used = 0, length;
	char **argv = NULL;
	int argc = 0;

	if (spank_get_item(spank, S_JOB_ARGV, &argc, &argv) != ESPANK_SUCCESS)
		return;
	/* a batch script's path is the spool file's, other on each node */
	if (step->step == CR_STEP_BATCH)
		return;
	for (int i = 0; i < argc && argv[i]; i++) {
		length = strlen(argv[i]);
		if (used + length + 2 > sizeof(step->command))
			return;
		if (used)
			step->command[used++] = ' ';
		memcpy(step->command + used, argv[i], length);
		used += length;
		if (!i)
			step->program_length = (uint32_t)used;
	}
}

static void fill_groups(spank_t spank, struct cr_step *step)
{
	gid_t *groups = NULL;
	int nr = 0;

	if (spank_get_item(spank, S_JOB_SUPPLEMENTARY_GIDS, &groups, &nr) !=
	    ESPANK_SUCCESS)
		return;
	for (int i = 0; i < nr && i < CR_STEP_GROUPS_MAX; i++)
		step->groups[step->nr_groups++] = groups[i];
}

/* Slurm tells it for batch scripts; steps have what the script passes on. */
static void fill_restart_count(spank_t spank, struct cr_step *step)
{
	char text[16];

	if (spank_get_item(spank, S_SLURM_RESTART_COUNT,
			   &step->restart_count) != ESPANK_SUCCESS)
		step->restart_count = 0;
	if (!step->restart_count &&
	    spank_getenv(spank, "SLURM_RESTART_COUNT", text, sizeof(text)) ==
		    ESPANK_SUCCESS)
		step->restart_count = (uint32_t)strtoul(text, NULL, 10);
}

/* A script is of the first. */
static void fill_components(spank_t spank, struct cr_step *step)
{
	char text[16];
	unsigned long nr = 0;

	if (step->step == CR_STEP_BATCH &&
	    spank_getenv(spank, "SLURM_HET_SIZE", text, sizeof(text)) ==
		    ESPANK_SUCCESS)
		nr = strtoul(text, NULL, 10);
	step->nr_components = nr <= COMPONENTS_MAX ? (uint32_t)nr : 0;
}

static void fill_identity(spank_t spank, struct cr_step *step)
{
	if (step->step == CR_STEP_BATCH ||
	    spank_getenv(spank, CR_IDENTITY_VARIABLE, step->identity,
			 sizeof(step->identity)) != ESPANK_SUCCESS ||
	    !cr_identity_is_valid(step->identity))
		step->identity[0] = '\0';
}

static void fill_run(spank_t spank, struct cr_step *step)
{
	if (spank_getenv(spank, CR_STEP_RUN_VARIABLE, step->run,
			 sizeof(step->run)) != ESPANK_SUCCESS ||
	    strspn(step->run, "0123456789abcdef") != sizeof(step->run) - 1)
		step->run[0] = '\0';
}

/* For words only: a list that is cut would name others. */
static void fill_nodes(spank_t spank, struct cr_step *step)
{
	if (spank_getenv(spank, "SLURM_STEP_NODELIST", step->nodes,
			 sizeof(step->nodes)) != ESPANK_SUCCESS)
		step->nodes[0] = '\0';
}

/* Slurm tells no plugin of --pty, but srun tells the ranks where its window's
 * size is to be had. */
static void fill_terminal(spank_t spank, struct cr_step *step)
{
	char text[16];

	step->has_terminal =
		step->step != CR_STEP_BATCH &&
		spank_getenv(spank, CR_STEP_TERMINAL_VARIABLE, text,
			     sizeof(text)) != ESPANK_ENV_NOEXIST;
}

int cr_step_fill(spank_t spank, struct cr_step *step, struct cr_error *err)
{
	const struct {
		spank_item_t item;
		void *value;
		const char *name;
	} items[] = {
		{ S_JOB_ID, &step->job, "job" },
		{ S_JOB_STEPID, &step->step, "step" },
		{ S_JOB_UID, &step->uid, "uid" },
		{ S_JOB_GID, &step->gid, "gid" },
		{ S_JOB_NODEID, &step->node, "node number" },
		{ S_JOB_NNODES, &step->nr_nodes, "number of nodes" },
		{ S_JOB_TOTAL_TASK_COUNT, &step->nr_ranks, "ranks" },
		{ S_JOB_LOCAL_TASK_COUNT, &step->nr_local_ranks,
		  "ranks of this node" },
	};
	spank_err_t rc;

	memset(step, 0, sizeof(*step));
	for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++) {
		rc = spank_get_item(spank, items[i].item, items[i].value);
		if (rc != ESPANK_SUCCESS)
			return cr_error_set(err, -ENODATA,
					    "Slurm does not tell the %s: %s",
					    items[i].name, spank_strerror(rc));
	}
	fill_restart_count(spank, step);
	fill_components(spank, step);
	fill_terminal(spank, step);
	/* a batch script runs on the first node only, whatever the job has */
	if (step->step == CR_STEP_BATCH)
		step->nr_nodes = 1;
	if (step->step == CR_STEP_BATCH)
		snprintf(step->name, sizeof(step->name), "%u.batch", step->job);
	else
		snprintf(step->name, sizeof(step->name), "%u.%u", step->job,
			 step->step);
	fill_identity(spank, step);
	fill_run(spank, step);
	fill_nodes(spank, step);
	fill_command(spank, step);
	fill_groups(spank, step);
	return 0;
}

int cr_step_rank(spank_t spank, uint32_t *rankp, uint32_t *localp,
		 struct cr_error *err)
{
	int local = 0;

	if (spank_get_item(spank, S_TASK_GLOBAL_ID, rankp) != ESPANK_SUCCESS ||
	    spank_get_item(spank, S_TASK_ID, &local) != ESPANK_SUCCESS)
		return cr_error_set(err, -ENODATA,
				    "Slurm does not tell the rank");
	*localp = (uint32_t)local;
	return 0;
}
