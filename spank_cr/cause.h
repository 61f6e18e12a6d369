/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cause.h - why did the ranks get SIGTERM?
 *
 * Slurm sends the same signal for everything; the job's record tells.
 */
#ifndef CAUSE_H
#define CAUSE_H

#include <stdint.h>

enum cr_cause {
	CR_CAUSE_UNKNOWN, /* slurmctld did not answer */
	CR_CAUSE_SIGNAL, /* the job runs on: somebody sent just a signal */
	CR_CAUSE_CANCEL, /* the job is to end for good */
	CR_CAUSE_PREEMPT, /* grace time runs; it is to be requeued later */
	CR_CAUSE_REQUEUE, /* it is being requeued */
	CR_CAUSE_TIME_LIMIT,
};

/* What of the job's record matters. */
struct cr_job_view {
	uint32_t state; /* job_state with its flags */
	int is_batch; /* only batch jobs can be requeued */
	int may_requeue; /* not --no-requeue */
	int64_t preempt_time; /* seconds since 1970, 0: not preempted */
	uint32_t restart_count;
	uint32_t leader; /* job by whose number it is requeued: itself, or the
			  * first component of a heterogeneous job */
	uint32_t kill_wait; /* seconds from SIGTERM to SIGKILL */
};

enum cr_cause cr_cause_of(const struct cr_job_view *job);

/* Is there anything to gain from an image: will the job run again? */
int cr_cause_saves(enum cr_cause cause, const struct cr_job_view *job);

const char *cr_cause_name(enum cr_cause cause);

#endif /* CAUSE_H */
