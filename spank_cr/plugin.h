/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plugin.h - the plugin's halves: srun, sbatch, salloc; and slurmstepd
 *
 * All functions return what the SPANK hook returns: ESPANK_SUCCESS or
 * ESPANK_ERROR, with the reason logged.
 */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <slurm/spank.h>

#include "cr_error.h"

/* srun.c */
int spank_cr_srun_init(spank_t spank, int argc, char **argv);
int spank_cr_srun_init_post_opt(void);
int spank_cr_srun_created(spank_t spank);

/* srun_renew.c: variables that name the job's nodes, if they may be those of an
 * earlier run */
void spank_cr_srun_renew(int was_parked);

/* slurmstepd.c */
int spank_cr_stepd_init(spank_t spank, int argc, char **argv);
int spank_cr_stepd_init_post_opt(spank_t spank);
int spank_cr_stepd_task_init_privileged(spank_t spank);
int spank_cr_stepd_task_init(spank_t spank);
int spank_cr_stepd_task_exit(spank_t spank);
int spank_cr_stepd_exit(void);

/* slurm_log.c: log "spank_cr: WHAT: why" as an error, return ESPANK_ERROR */
int spank_cr_fail(const struct cr_error *err);

#endif /* PLUGIN_H */
