/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * id_limits.c - all sixteen resource limits, soft and hard
 */
#include <sys/resource.h>

#include "program.h"

static void get(struct rlimit *limits)
{
	int i;

	for (i = 0; i < 16; i++)
		getrlimit((__rlimit_resource_t)i, &limits[i]);
}

int main(int argc, char **argv)
{
	struct rlimit before[16], after[16];
	int i;

	program_start(argc, argv);
	get(before);
	before[RLIMIT_CORE].rlim_cur = 0;
	before[RLIMIT_NOFILE].rlim_cur = 200;
	before[RLIMIT_NOFILE].rlim_max = 300;
	before[RLIMIT_CPU] = (struct rlimit){ 5000, 6000 };
	before[RLIMIT_FSIZE] = (struct rlimit){ 1 << 20, 1 << 21 };
	for (i = 0; i < 16; i++)
		NEED(setrlimit((__rlimit_resource_t)i, &before[i]));

	program_ready();

	get(after);
	for (i = 0; i < 16; i++)
		CHECK(before[i].rlim_cur == after[i].rlim_cur &&
			      before[i].rlim_max == after[i].rlim_max,
		      "limit %d: %llu, %llu were %llu, %llu", i,
		      (unsigned long long)after[i].rlim_cur,
		      (unsigned long long)after[i].rlim_max,
		      (unsigned long long)before[i].rlim_cur,
		      (unsigned long long)before[i].rlim_max);
	return program_result();
}
