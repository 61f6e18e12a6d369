/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_edges.c - mappings at the lowest and the highest address that a program
 * may have
 */
#include "program.h"

#define LOWEST 0x10000ul
#define HIGHEST 0x7ffffffff000ul

static char *map_at(unsigned long address)
{
	return NEED(mmap((void *)address, PROGRAM_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			 0));
}

int main(int argc, char **argv)
{
	char *low, *high;

	program_start(argc, argv);
	low = map_at(LOWEST);
	high = map_at(HIGHEST - PROGRAM_PAGE);
	program_fill(low, PROGRAM_PAGE, 1);
	program_fill(high, PROGRAM_PAGE, 2);

	program_ready();

	CHECK(program_filled(low, PROGRAM_PAGE, 1), "lowest page");
	CHECK(program_filled(high, PROGRAM_PAGE, 2), "highest page");
	return program_result();
}
