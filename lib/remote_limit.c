/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote_limit.c - limits of a process that leave no room for scratch memory
 *
 * They are lifted for the one call that maps it, and put back by a guard if we
 * are killed meanwhile.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "guard.h"
#include "remote_code.h"

/* Locked memory: mlockall(MCL_FUTURE) is for ours, too. */
static const enum __rlimit_resource resources[CR_REMOTE_LIMITS] = {
	RLIMIT_AS, RLIMIT_MEMLOCK
};

static void put_back(const void *arg)
{
	const struct cr_remote_limits *limits = arg;

	for (size_t i = 0; i < CR_REMOTE_LIMITS; i++)
		prlimit(limits->pid, resources[i], &limits->before[i], NULL);
}

/* As far as we may: root without CAP_SYS_RESOURCE up to the hard limit. */
static int lift_one(pid_t pid, enum __rlimit_resource resource,
		    const struct rlimit *before)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	const struct rlimit hard = { before->rlim_max, before->rlim_max };

	if (before->rlim_cur == RLIM_INFINITY)
		return 0;
	return prlimit(pid, resource, &none, NULL) == 0 ||
	       (before->rlim_cur < before->rlim_max &&
		prlimit(pid, resource, &hard, NULL) == 0);
}

int cr_remote_limits_lift(pid_t pid, struct cr_remote_limits *limits)
{
	int nr_lifted = 0;

	limits->pid = pid;
	for (size_t i = 0; i < CR_REMOTE_LIMITS; i++)
		if (prlimit(pid, resources[i], NULL, &limits->before[i]) < 0)
			return -errno;
	limits->guard = cr_guard_start(put_back, limits);
	if (limits->guard < 0)
		return limits->guard;
	for (size_t i = 0; i < CR_REMOTE_LIMITS; i++)
		nr_lifted += lift_one(pid, resources[i], &limits->before[i]);
	if (nr_lifted)
		return 0;
	cr_guard_end(limits->guard);
	return -EPERM;
}

void cr_remote_limits_put_back(const struct cr_remote_limits *limits)
{
	put_back(limits);
	cr_guard_end(limits->guard);
}
