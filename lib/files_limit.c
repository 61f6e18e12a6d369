/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files_limit.c - how many descriptors we may have
 *
 * Whoever saves a tree has all its files open, and whoever restarts a task has
 * some above the task's own: its limit need not be ours.
 */
#include <sys/resource.h>

#include "files.h"
#include "procfs.h"

uint64_t cr_files_raise_limit(void)
{
	/* the most that a limit may be */
	const rlim_t most = cr_proc_number("/proc/sys/fs/nr_open");
	struct rlimit limit = { most, most };

	if (most && setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return limit.rlim_max;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}
