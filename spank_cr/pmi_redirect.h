/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmi_redirect.h - give a rank the relay's socket instead of slurmstepd's
 */
#ifndef PMI_REDIRECT_H
#define PMI_REDIRECT_H

#include <slurm/spank.h>

/*
 * In a rank's process, before its program begins: if Slurm has given it a
 * socket to a PMI server (PMI_FD), hand that to the agent (socket @agent), and
 * put the one that comes back in its place, under the same number.  Without a
 * server, or if the relay cannot be had, nothing is changed.
 */
void cr_pmi_redirect(spank_t spank, int agent);

#endif /* PMI_REDIRECT_H */
