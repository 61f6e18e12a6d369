/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup.h - put processes into the cgroups of another one
 *
 * Private to lib/.  Works for v1, v2 and both at once.  The files are opened
 * by the coordinator and written by each task that is born outside.
 */
#ifndef CGROUP_H
#define CGROUP_H

#include <sys/types.h>

#include "cr_error.h"

#define CR_CGROUPS_MAX 32 /* hierarchies; Linux has 14 controllers */

struct cr_cgroups {
	int fds[CR_CGROUPS_MAX]; /* of cgroup.procs, close-on-exec */
	int nr;
	int memory; /* 1 + index of what counts memory; 0: unknown */
};

/*
 * Open the cgroup.procs of all cgroups of @pid, at descriptors of at least
 * @fd_floor.  Left out are hierarchies that are not mounted below
 * /sys/fs/cgroup, and cgroups that the caller is in, too, if they cannot be
 * opened.  Returns 0 or a negative errno: -EOPNOTSUPP if that leaves none of
 * those that the caller is not in.
 */
int cr_cgroups_open(struct cr_cgroups *cgroups, pid_t pid, int fd_floor,
		    struct cr_error *err);

/* Move the caller into them.  Returns 0 or a negative errno. */
int cr_cgroups_join(const struct cr_cgroups *cgroups, struct cr_error *err);

/* Only into the one by which memory is counted, if that is known. */
int cr_cgroups_join_memory(const struct cr_cgroups *cgroups,
			   struct cr_error *err);

/* Errno is preserved. */
void cr_cgroups_close(struct cr_cgroups *cgroups);

#endif /* CGROUP_H */
