/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_stack.c - the stack keeps what lies on it and goes on growing
 */
#include "program.h"

#define FRAME 65536

/* A frame of 64 KiB per level; at the deepest one @at_bottom is called. */
static void descend(unsigned int depth, void (*at_bottom)(void))
{
	uint64_t frame[FRAME / 8];

	program_fill(frame, sizeof(frame), depth);
	__asm__ volatile("" : : "r"(frame) : "memory");
	if (depth)
		descend(depth - 1, at_bottom);
	else
		at_bottom();
	CHECK(program_filled(frame, sizeof(frame), depth), "frame %u", depth);
}

static void nothing(void)
{
}

static void deep(void)
{
	char line[256];

	program_ready();
	program_smaps(line, NULL, line, sizeof(line));
	CHECK(strstr(line, "[stack]"), "%s", line);
	descend(50, nothing);
}

int main(int argc, char **argv)
{
	program_start(argc, argv);
	descend(40, deep);
	return program_result();
}
