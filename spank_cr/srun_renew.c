/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * srun_renew.c - the environment of an srun whose script has been moved
 *
 * The script has that of its first start.  slurmstepd's PMIx server believes
 * the node list in there, and crashes on a node that is not in it.
 */
#include <slurm/slurm.h>
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

void spank_cr_srun_renew(int was_parked)
{
	static const char *const names[] = { "SLURM_JOB_NODELIST",
					     "SLURM_NODELIST" };
	const char *job = getenv("SLURM_JOB_ID");
	job_info_msg_t *jobs = NULL;

	if (!job || (!was_parked && !has_moved()) ||
	    slurm_load_job(&jobs, (uint32_t)strtoul(job, NULL, 10), 0))
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (jobs->record_count == 1 && jobs->job_array[0].nodes &&
		    getenv(names[i]))
			setenv(names[i], jobs->job_array[0].nodes, 1);
	slurm_free_job_info_msg(jobs);
}
