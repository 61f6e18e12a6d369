/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_lock.c - locked memory stays locked, locked on fault or at once
 */
#include "program.h"

#define LENGTH (16 * PROGRAM_PAGE)

int main(int argc, char **argv)
{
	char *at_once, *on_fault, before[2][256], after[2][256], locked[128];
	size_t i;

	program_start(argc, argv);
	at_once = NEED(mmap(NULL, LENGTH, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	on_fault = NEED(mmap(NULL, LENGTH, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	program_fill(at_once, LENGTH, 1);
	program_fill(on_fault, LENGTH / 2, 2);
	NEED(mlock(at_once, LENGTH));
	NEED(mlock2(on_fault, LENGTH, MLOCK_ONFAULT));
	program_smaps(at_once, "VmFlags", before[0], sizeof(before[0]));
	program_smaps(on_fault, "VmFlags", before[1], sizeof(before[1]));
	program_line("/proc/self/status", "VmLck", locked, sizeof(locked));

	program_ready();

	program_smaps(at_once, "VmFlags", after[0], sizeof(after[0]));
	program_smaps(on_fault, "VmFlags", after[1], sizeof(after[1]));
	for (i = 0; i < 2; i++)
		CHECK(strcmp(before[i], after[i]) == 0, "was %s is %s",
		      before[i], after[i]);
	CHECK(program_filled(at_once, LENGTH, 1), "contents");
	CHECK(program_filled(on_fault, LENGTH / 2, 2), "contents on fault");
	program_line("/proc/self/status", "VmLck", after[0], sizeof(after[0]));
	CHECK(strcmp(locked, after[0]) == 0, "was %s is %s", locked, after[0]);
	return program_result();
}
