/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_reserve.c - eight terabytes of PROT_NONE reservation, of which a few
 * pages are in use, cost nothing and come back
 */
#include "program.h"

#define LENGTH (8ul << 40)
#define STEP (1ul << 40)

int main(int argc, char **argv)
{
	char *memory, *page;
	unsigned long i;

	program_start(argc, argv);
	memory = NEED(mmap(NULL, LENGTH, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	for (i = 0; i < LENGTH / STEP; i++) {
		page = memory + i * STEP + 5 * PROGRAM_PAGE;
		NEED(mprotect(page, PROGRAM_PAGE, PROT_READ | PROT_WRITE));
		program_fill(page, PROGRAM_PAGE, i);
	}

	program_ready();

	for (i = 0; i < LENGTH / STEP; i++)
		CHECK(program_filled(memory + i * STEP + 5 * PROGRAM_PAGE,
				     PROGRAM_PAGE, i),
		      "page %lu", i);
	page = memory + LENGTH - PROGRAM_PAGE;
	CHECK(mprotect(page, PROGRAM_PAGE, PROT_READ | PROT_WRITE) == 0, "%s",
	      strerror(errno));
	page[0] = 1;
	CHECK(munmap(memory, LENGTH) == 0, "%s", strerror(errno));
	return program_result();
}
