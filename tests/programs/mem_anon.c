/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_anon.c - private anonymous memory keeps its contents, its holes, and the
 * protection of every mapping
 */
#include "program.h"

#define LENGTH (64 * PROGRAM_PAGE)

static const int prots[] = { PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE,
			     PROT_READ | PROT_WRITE | PROT_EXEC,
			     PROT_READ | PROT_EXEC };
#define NR_PROTS (sizeof(prots) / sizeof(prots[0]))

int main(int argc, char **argv)
{
	char before[NR_PROTS][256], after[256];
	char *memory[NR_PROTS];
	size_t i;

	program_start(argc, argv);
	for (i = 0; i < NR_PROTS; i++) {
		memory[i] = NEED(mmap(NULL, LENGTH, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		/* the second half is never touched */
		program_fill(memory[i], LENGTH / 2, i);
		NEED(mprotect(memory[i], LENGTH, prots[i]));
		program_smaps(memory[i], NULL, before[i], sizeof(before[i]));
	}

	program_ready();

	for (i = 0; i < NR_PROTS; i++) {
		program_smaps(memory[i], NULL, after, sizeof(after));
		CHECK(strcmp(before[i], after) == 0, "was %s is %s", before[i],
		      after);
		NEED(mprotect(memory[i], LENGTH, PROT_READ | PROT_WRITE));
		CHECK(program_filled(memory[i], LENGTH / 2, i),
		      "contents of %zu", i);
		CHECK(memory[i][LENGTH - 1] == 0, "untouched half of %zu", i);
		memory[i][0] = 1;
		memory[i][LENGTH - 1] = 1;
	}
	return program_result();
}
