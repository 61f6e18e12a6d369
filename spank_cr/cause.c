/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cause.c - read the cause of a signal from the job's record; see cause.h
 */
#include <slurm/slurm.h>

#include "cause.h"

enum cr_cause cr_cause_of(const struct cr_job_view *job)
{
	switch (job->state & JOB_STATE_BASE) {
	case JOB_PENDING:
		return CR_CAUSE_REQUEUE;
	case JOB_RUNNING:
	case JOB_SUSPENDED:
		if (job->state &
		    (JOB_REQUEUE | JOB_REQUEUE_HOLD | JOB_SPECIAL_EXIT))
			return CR_CAUSE_REQUEUE;
		return job->preempt_time ? CR_CAUSE_PREEMPT : CR_CAUSE_SIGNAL;
	case JOB_TIMEOUT:
		/* the end of the grace time looks like one */
		return job->preempt_time ? CR_CAUSE_PREEMPT :
					   CR_CAUSE_TIME_LIMIT;
	case JOB_PREEMPTED:
		return CR_CAUSE_PREEMPT;
	case JOB_NODE_FAIL:
		return CR_CAUSE_REQUEUE;
	default:
		return CR_CAUSE_CANCEL;
	}
}

int cr_cause_saves(enum cr_cause cause, const struct cr_job_view *job)
{
	switch (cause) {
	case CR_CAUSE_SIGNAL:
	case CR_CAUSE_CANCEL:
		return 0;
	case CR_CAUSE_UNKNOWN:
		return 1;
	default:
		return job->is_batch && job->may_requeue;
	}
}

const char *cr_cause_name(enum cr_cause cause)
{
	switch (cause) {
	case CR_CAUSE_SIGNAL:
		return "a signal";
	case CR_CAUSE_CANCEL:
		return "cancelled";
	case CR_CAUSE_PREEMPT:
		return "preempted";
	case CR_CAUSE_REQUEUE:
		return "requeued";
	case CR_CAUSE_TIME_LIMIT:
		return "out of time";
	default:
		return "unknown: slurmctld does not answer";
	}
}
