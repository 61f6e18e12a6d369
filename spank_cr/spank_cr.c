/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spank_cr.c - the plugin's entry points, and nothing else
 *
 * Slurm calls the same symbol in srun, sbatch, salloc, slurmd and slurmstepd.
 * Each place has its own file; here we only choose.
 */
#include "plugin.h"

#pragma GCC visibility push(default)

SPANK_PLUGIN(spank_cr, 1);

int slurm_spank_init(spank_t spank, int argc, char **argv)
{
	switch (spank_context()) {
	case S_CTX_LOCAL:
	case S_CTX_ALLOCATOR:
		return spank_cr_srun_init(spank, argc, argv);
	case S_CTX_REMOTE:
		return spank_cr_stepd_init(spank, argc, argv);
	default:
		return ESPANK_SUCCESS;
	}
}

int slurm_spank_init_post_opt(spank_t spank, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	switch (spank_context()) {
	case S_CTX_LOCAL:
	case S_CTX_ALLOCATOR:
		return spank_cr_srun_init_post_opt();
	case S_CTX_REMOTE:
		return spank_cr_stepd_init_post_opt(spank);
	default:
		return ESPANK_SUCCESS;
	}
}

/* In srun only, when the step has been created. */
int slurm_spank_local_user_init(spank_t spank, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return spank_cr_srun_created(spank);
}

int slurm_spank_task_init_privileged(spank_t spank, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return spank_cr_stepd_task_init_privileged(spank);
}

int slurm_spank_task_init(spank_t spank, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return spank_cr_stepd_task_init(spank);
}

int slurm_spank_task_exit(spank_t spank, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return spank_cr_stepd_task_exit(spank);
}

int slurm_spank_exit(spank_t spank, int argc, char **argv)
{
	(void)spank;
	(void)argc;
	(void)argv;
	if (spank_context() != S_CTX_REMOTE)
		return ESPANK_SUCCESS;
	return spank_cr_stepd_exit();
}

#pragma GCC visibility pop
