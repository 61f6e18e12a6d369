/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmix_redirect.h - lead a rank to the relay instead of to the PMIx server
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

#endif /* PMIX_REDIRECT_H */
