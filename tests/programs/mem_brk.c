/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_brk.c - the heap keeps its contents and its break, and grows and shrinks
 */
#include "program.h"

#define LENGTH (1ul << 20)

int main(int argc, char **argv)
{
	char *memory, *end, line[256];

	program_start(argc, argv);
	memory = NEED((char *)sbrk(LENGTH));
	program_fill(memory, LENGTH, 12);
	end = sbrk(0);

	program_ready();

	CHECK(sbrk(0) == end, "break is %p, was %p", sbrk(0), (void *)end);
	CHECK(program_filled(memory, LENGTH, 12), "contents");
	CHECK(sbrk(LENGTH) == end, "growing");
	program_fill(end, LENGTH, 13);
	CHECK(program_filled(memory, LENGTH, 12), "contents");
	CHECK(sbrk(-(intptr_t)(2 * LENGTH)) != (void *)-1, "shrinking");
	CHECK(sbrk(0) == memory, "break after shrinking");
	/* last, as stdio takes memory from the heap */
	program_smaps(memory, NULL, line, sizeof(line));
	CHECK(strstr(line, "[heap]"), "%s", line);
	return program_result();
}
