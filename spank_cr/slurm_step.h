/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slurm_step.h - a struct cr_step out of Slurm
 *
 * step.c is the only file that knows S_JOB_* and S_TASK_*.
 */
#ifndef SLURM_STEP_H
#define SLURM_STEP_H

#include <slurm/spank.h>

#include "cr_error.h"
#include "step.h"

/* In slurmstepd.  0, or -ENODATA if Slurm does not tell. */
int cr_step_fill(spank_t spank, struct cr_step *step, struct cr_error *err);

/* In a rank's process: number in the step and on the node. */
int cr_step_rank(spank_t spank, uint32_t *rankp, uint32_t *localp,
		 struct cr_error *err);

#endif /* SLURM_STEP_H */
