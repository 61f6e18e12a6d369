/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * id_address_space.c - a process whose limit of address space is reached, and
 * stays as it was
 */
#include <sys/resource.h>

#include "program.h"

int main(int argc, char **argv)
{
	struct rlimit limit, after;
	char line[128];

	program_start(argc, argv);
	program_line("/proc/self/status", "VmSize:", line, sizeof(line));
	NEED(getrlimit(RLIMIT_AS, &limit));
	/* half of what a checkpoint maps at most */
	limit.rlim_cur = (strtoul(line + 7, NULL, 10) << 10) + 40960;
	NEED(setrlimit(RLIMIT_AS, &limit));

	program_ready();

	NEED(getrlimit(RLIMIT_AS, &after));
	CHECK(after.rlim_cur == limit.rlim_cur, "%llu, was %llu",
	      (unsigned long long)after.rlim_cur,
	      (unsigned long long)limit.rlim_cur);
	CHECK(after.rlim_max == limit.rlim_max, "hard: %llu, was %llu",
	      (unsigned long long)after.rlim_max,
	      (unsigned long long)limit.rlim_max);
	return program_result();
}
