/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_advice.c - what madvise(2) was told about a mapping stays with it, as
 * VmFlags of smaps show it
 */
#include "program.h"

#define LENGTH (4ul << 20)

static const struct {
	int advice;
	const char *name;
} advices[] = {
	{ MADV_DONTFORK, "MADV_DONTFORK" },
	{ MADV_WIPEONFORK, "MADV_WIPEONFORK" },
	{ MADV_DONTDUMP, "MADV_DONTDUMP" },
	{ MADV_HUGEPAGE, "MADV_HUGEPAGE" },
	{ MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE" },
	{ MADV_RANDOM, "MADV_RANDOM" },
	{ MADV_SEQUENTIAL, "MADV_SEQUENTIAL" },
	{ MADV_MERGEABLE, "MADV_MERGEABLE" },
};
#define NR_ADVICES (sizeof(advices) / sizeof(advices[0]))

int main(int argc, char **argv)
{
	char before[NR_ADVICES][256], after[256];
	char *memory[NR_ADVICES];
	int has[NR_ADVICES];
	size_t i;

	program_start(argc, argv);
	for (i = 0; i < NR_ADVICES; i++) {
		/* a hole around each, so that they are never merged */
		memory[i] = NEED(mmap(NULL, 3 * LENGTH, PROT_NONE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		memory[i] += LENGTH;
		NEED(mprotect(memory[i], LENGTH, PROT_READ | PROT_WRITE));
		program_fill(memory[i], 16 * PROGRAM_PAGE, i);
		/* a kernel may be built without KSM or THP */
		has[i] = madvise(memory[i], LENGTH, advices[i].advice) == 0;
		program_smaps(memory[i], "VmFlags", before[i],
			      sizeof(before[i]));
	}

	program_ready();

	for (i = 0; i < NR_ADVICES; i++) {
		program_smaps(memory[i], "VmFlags", after, sizeof(after));
		CHECK(!has[i] || strcmp(before[i], after) == 0,
		      "%s: was %s is %s", advices[i].name, before[i], after);
		CHECK(program_filled(memory[i], 16 * PROGRAM_PAGE, i),
		      "contents of %s", advices[i].name);
	}
	return program_result();
}
