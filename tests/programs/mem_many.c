/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_many.c - twenty thousand mappings
 */
#include "program.h"

#define NR_PAGES 20000ul

int main(int argc, char **argv)
{
	char *memory;
	unsigned long i;

	program_start(argc, argv);
	memory =
		NEED(mmap(NULL, NR_PAGES * PROGRAM_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	for (i = 0; i < NR_PAGES; i += 2) {
		memory[i * PROGRAM_PAGE] = (char)(i / 2);
		NEED(mprotect(memory + i * PROGRAM_PAGE, PROGRAM_PAGE,
			      PROT_READ));
	}

	program_ready();

	for (i = 0; i < NR_PAGES; i += 2)
		CHECK(memory[i * PROGRAM_PAGE] == (char)(i / 2), "page %lu", i);
	for (i = 1; i < NR_PAGES; i += 2)
		memory[i * PROGRAM_PAGE] = 1;
	return program_result();
}
