/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_growsdown.c - a MAP_GROWSDOWN mapping of the program's own goes on
 * growing downwards
 */
#include "program.h"

#define ROOM (4ul << 20)

int main(int argc, char **argv)
{
	char *room, *memory;

	program_start(argc, argv);
	room = NEED(mmap(NULL, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0));
	NEED(munmap(room, ROOM));
	memory = NEED(mmap(room + ROOM - 2 * PROGRAM_PAGE, 2 * PROGRAM_PAGE,
			   PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN |
				   MAP_FIXED_NOREPLACE,
			   -1, 0));
	program_fill(memory, 2 * PROGRAM_PAGE, 5);
	memory[-1] = 'a';

	program_ready();

	CHECK(program_filled(memory, 2 * PROGRAM_PAGE, 5), "contents");
	CHECK(memory[-1] == 'a', "grown page");
	memory[-(long)PROGRAM_PAGE - 1] = 'b';
	CHECK(memory[-(long)PROGRAM_PAGE - 1] == 'b', "grows on");
	return program_result();
}
