/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_sparse.c - of 512 MiB every 50th page is in use: the others stay holes,
 * and zeros that were only read take no memory
 */
#include <sys/resource.h>

#include "program.h"

#define LENGTH (512ul << 20)
#define STEP (50 * PROGRAM_PAGE)

static long rss_kib(void)
{
	char line[128];

	program_line("/proc/self/status", "RssAnon", line, sizeof(line));
	return atol(line + strlen("RssAnon:"));
}

int main(int argc, char **argv)
{
	long before, after;
	char *memory;
	size_t at;

	program_start(argc, argv);
	memory = NEED(mmap(NULL, LENGTH, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	NEED(madvise(memory, LENGTH, MADV_NOHUGEPAGE));
	for (at = 0; at < LENGTH; at += STEP)
		program_fill(memory + at, PROGRAM_PAGE, at);
	before = rss_kib();

	program_ready();

	after = rss_kib();
	CHECK(after < before + 4096, "%ld KiB resident, were %ld", after,
	      before);
	for (at = 0; at < LENGTH; at += STEP)
		CHECK(program_filled(memory + at, PROGRAM_PAGE, at), "at %zu",
		      at);
	for (at = PROGRAM_PAGE; at < LENGTH; at += STEP)
		CHECK(memory[at] == 0, "hole at %zu", at);
	return program_result();
}
