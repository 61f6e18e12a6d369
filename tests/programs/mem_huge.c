/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_huge.c - transparent huge pages: contents, a page of which one part was
 * given back, and the advice
 */
#include "program.h"

#define HUGE (2ul << 20)
#define LENGTH (8 * HUGE)

int main(int argc, char **argv)
{
	char *memory, before[256], after[256];

	program_start(argc, argv);
	memory = NEED(mmap(NULL, LENGTH + HUGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	memory += HUGE - (uintptr_t)memory % HUGE;
	NEED(madvise(memory, LENGTH, MADV_HUGEPAGE));
	program_fill(memory, LENGTH, 21);
	NEED(madvise(memory + 7 * PROGRAM_PAGE, PROGRAM_PAGE, MADV_DONTNEED));
	program_smaps(memory, "VmFlags", before, sizeof(before));

	program_ready();

	CHECK(program_filled(memory, 7 * PROGRAM_PAGE, 21), "before the hole");
	CHECK(memory[7 * PROGRAM_PAGE] == 0, "the hole");
	CHECK(program_filled(memory + 8 * PROGRAM_PAGE,
			     LENGTH - 8 * PROGRAM_PAGE,
			     21 + 8 * PROGRAM_PAGE / 8),
	      "behind the hole");
	program_smaps(memory, "VmFlags", after, sizeof(after));
	CHECK(strcmp(before, after) == 0, "was %s is %s", before, after);
	return program_result();
}
