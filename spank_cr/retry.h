/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * retry.h - how often a step's restart has failed for reasons that may pass
 *
 * A node that is silent, a port that is taken: the next run of the job may do
 * better.  A file in the step's folder counts such runs since a restart has
 * worked, so that they come to an end.
 */
#ifndef RETRY_H
#define RETRY_H

#include <stdint.h>

#include "cr_error.h"

/* May a restart that has failed with -errno @code work at another time, or on
 * other nodes?  Not if the images, or what they need, are at fault. */
int cr_retry_may_pass(int code);

/* Runs that have failed, counted below @step_dirfd.  What cannot be read counts
 * as none. */
uint32_t cr_retry_count(int step_dirfd);

/*
 * Count this run, the job's @run-th.  More than once for a run, by several
 * nodes, say, counts as once.  0 or a negative errno.
 */
int cr_retry_note(int step_dirfd, uint32_t run, struct cr_error *err);

/* Has @run been counted, as the last one? */
int cr_retry_is_noted(int step_dirfd, uint32_t run);

/* A restart has worked. */
void cr_retry_clear(int step_dirfd);

#endif /* RETRY_H */
