/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_huge_full.c - memory in huge pages comes back in huge pages, though it
 * has never been advised; what refuses them has none
 */
#include "program.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define HUGE (2ul << 20)
#define LENGTH (8 * HUGE)
#define ENABLED "/sys/kernel/mm/transparent_hugepage/enabled"

/* A hole before and behind, so that it is never merged with another. */
static char *map_area(uint64_t seed)
{
	char *memory = NEED(mmap(NULL, LENGTH + 3 * HUGE, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	memory += 2 * HUGE - (uintptr_t)memory % HUGE;
	NEED(mprotect(memory, LENGTH, PROT_READ | PROT_WRITE));
	program_fill(memory, LENGTH, seed);
	return memory;
}

static void need_huge_pages(char *memory)
{
	char text[64] = "[never]";
	FILE *file = fopen(ENABLED, "re");

	if (file && !fgets(text, sizeof(text), file))
		strcpy(text, "[never]");
	if (file)
		fclose(file);
	if (strstr(text, "[never]") || madvise(memory, LENGTH, MADV_COLLAPSE))
		program_lacks("transparent huge pages and MADV_COLLAPSE");
}

static unsigned long huge_kib(const char *memory)
{
	unsigned long kib = 0;
	char line[256];

	program_smaps(memory, "AnonHugePages", line, sizeof(line));
	sscanf(line, "AnonHugePages: %lu", &kib);
	return kib;
}

int main(int argc, char **argv)
{
	char *plain, *without;

	program_start(argc, argv);
	plain = map_area(21);
	need_huge_pages(plain);
	without = map_area(22);
	NEED(madvise(without, LENGTH, MADV_NOHUGEPAGE));

	program_ready();

	CHECK(program_filled(plain, LENGTH, 21), "contents");
	CHECK(program_filled(without, LENGTH, 22), "contents without");
	/* not each: there may be none left */
	CHECK(huge_kib(plain) >= HUGE >> 10, "%lu KiB", huge_kib(plain));
	CHECK(huge_kib(without) == 0, "%lu KiB", huge_kib(without));
	return program_result();
}
