/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * srun_renew.c - the environment of an srun whose script has been moved
 *
 * The script has that of its first start.  slurmstepd's PMIx server believes
 * the node list in there, and crashes on a node that is not in it.
 */
#include <slurm/slurm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin.h"

/* Does the script run on another node than its environment says?  That may be
 * said wrongly where nodes have names that are not their hosts'. */
static int has_moved(void)
{
	const char *node = getenv("SLURMD_NODENAME");
	char host[256] = "";

	return node && !gethostname(host, sizeof(host) - 1) &&
	       strcmp(node, host) != 0;
}

/* More than the job itself come with it: all of its array; or the other
 * components of a heterogeneous job, whose variables are theirs. */
static const char *find_nodes(const job_info_msg_t *jobs, uint32_t id)
{
	for (uint32_t i = 0; i < jobs->record_count; i++)
		if (jobs->job_array[i].job_id == id)
			return jobs->job_array[i].het_job_id ?
				       NULL :
				       jobs->job_array[i].nodes;
	return NULL;
}

static void renew_nodes(const char *nodes)
{
	static const char *const names[] = { "SLURM_JOB_NODELIST",
					     "SLURM_NODELIST" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (getenv(names[i]))
			setenv(names[i], nodes, 1);
}

static int count_nodes(const char *nodes)
{
	hostlist_t list = slurm_hostlist_create(nodes);
	int nr = list ? slurm_hostlist_count(list) : 0;

	slurm_hostlist_destroy(list);
	return nr;
}

/* srun takes it for what is asked for.  What the script has put there itself
 * stays. */
static void renew_number(const char *name, int before, int now)
{
	const char *value = getenv(name);
	char number[16];

	if (!value || atoi(value) != before || !now)
		return;
	snprintf(number, sizeof(number), "%d", now);
	setenv(name, number, 1);
}

void spank_cr_srun_renew(int was_parked)
{
	const char *job = getenv("SLURM_JOB_ID");
	const char *old = getenv("SLURM_JOB_NODELIST");
	const uint32_t id = (uint32_t)strtoul(job ? job : "0", NULL, 10);
	job_info_msg_t *jobs = NULL;
	const char *nodes;
	int before, now;

	if (!id || (!was_parked && !has_moved()) ||
	    slurm_load_job(&jobs, id, 0))
		return;
	nodes = find_nodes(jobs, id);
	if (nodes && old) {
		before = count_nodes(old);
		now = count_nodes(nodes);
		renew_number("SLURM_NNODES", before, now);
		renew_number("SLURM_JOB_NUM_NODES", before, now);
	}
	if (nodes)
		renew_nodes(nodes);
	slurm_free_job_info_msg(jobs);
}
