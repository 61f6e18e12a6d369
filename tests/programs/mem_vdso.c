/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_vdso.c - clock_gettime(3) and friends work through the vDSO where the
 * program found it at its start, and the auxiliary vector is the same
 */
#include <elf.h>
#include <sched.h>
#include <sys/auxv.h>

#include "program.h"

int main(int argc, char **argv)
{
	char before[1024], after[1024], line[256];
	uint64_t past, now;
	unsigned long vdso;
	size_t length;

	program_start(argc, argv);
	length = program_read("/proc/self/auxv", before, sizeof(before));
	vdso = getauxval(AT_SYSINFO_EHDR);
	past = program_now(CLOCK_REALTIME);
	(void)sched_getcpu();

	program_ready();

	now = program_now(CLOCK_REALTIME);
	CHECK(now > past, "time goes backwards: %llu after %llu",
	      (unsigned long long)now, (unsigned long long)past);
	CHECK(sched_getcpu() >= 0, "%s", strerror(errno));
	CHECK(length == program_read("/proc/self/auxv", after, sizeof(after)) &&
		      memcmp(before, after, length) == 0,
	      "auxiliary vector");
	if (vdso) {
		program_smaps((void *)vdso, NULL, line, sizeof(line));
		CHECK(strstr(line, "[vdso]"), "%s", line);
		CHECK(memcmp((void *)vdso, ELFMAG, SELFMAG) == 0, "ELF");
	}
	return program_result();
}
