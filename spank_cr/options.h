/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.h - --cr, --cr-dir and the others, in all of Slurm's commands
 *
 * Slurm calls back with each option that was given, in srun, sbatch or salloc
 * first and then in slurmstepd again; values are checked at once and kept.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <slurm/spank.h>

#include "config.h"

/* In slurm_spank_init(), in every context. */
int cr_options_register(spank_t spank, struct cr_error *err);

/* Put what was given over @config.  0 or -EINVAL. */
int cr_options_apply(struct cr_config *config, struct cr_error *err);

#endif /* OPTIONS_H */
