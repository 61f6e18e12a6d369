/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmix_redirect.h - lead a rank to the relay instead of to the PMIx server,
 * and tell an MPI what it takes to be moved
 */
#ifndef PMIX_REDIRECT_H
#define PMIX_REDIRECT_H

#include <slurm/spank.h>

/*
 * In a rank's process, before its program begins: if Slurm has given it a PMIx
 * server on this node, ask the agent (socket @agent) for the relay's port and
 * put it into the environment.  Without a server, or if the relay cannot be
 * had, nothing is changed.
 */
void cr_pmix_redirect(spank_t spank, int agent);

/* In a batch script's process: have an mpirun of its own keep files that are
 * mapped out of /tmp, if the user says nothing else. */
void cr_pmix_keep_out_of_tmp(spank_t spank);

#endif /* PMIX_REDIRECT_H */
