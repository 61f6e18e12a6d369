/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_cow_deep.c - copy-on-write sharing across three generations whose middle
 * one has remapped and unmapped parts of what it inherited
 */
#include "program.h"

#define NR_PAGES 256ul

static char *memory;

static int shares(pid_t pid, unsigned long i)
{
	return program_frame(pid, memory + i * PROGRAM_PAGE) ==
	       program_frame(getpid(), memory + i * PROGRAM_PAGE);
}

static void grandchild(void *arg)
{
	(void)arg;
	memory[200 * PROGRAM_PAGE] = 'g';
	program_mark("grandchild");
	program_await("compared");
	CHECK(program_filled(memory, 100 * PROGRAM_PAGE, 5), "shared part");
	CHECK(memory[200 * PROGRAM_PAGE] == 'g', "own page");
}

static void child(void *arg)
{
	pid_t pid;

	(void)arg;
	NEED(munmap(memory + 100 * PROGRAM_PAGE, 50 * PROGRAM_PAGE));
	NEED(mprotect(memory, 50 * PROGRAM_PAGE, PROT_READ));
	pid = program_child(grandchild, NULL);
	program_await("compared");
	CHECK(program_filled(memory, 100 * PROGRAM_PAGE, 5), "shared part");
	program_join(pid);
}

int main(int argc, char **argv)
{
	pid_t pid;

	program_start(argc, argv);
	memory =
		NEED(mmap(NULL, NR_PAGES * PROGRAM_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	NEED(madvise(memory, NR_PAGES * PROGRAM_PAGE, MADV_NOHUGEPAGE));
	program_fill(memory, NR_PAGES * PROGRAM_PAGE, 5);
	pid = program_child(child, NULL);
	program_await("grandchild");
	if (!shares(pid, 60))
		program_die(__FILE__, __LINE__, "not shared", 0);

	program_ready();

	CHECK(shares(pid, 60), "page 60");
	CHECK(shares(pid, 250), "page 250");
	program_mark("compared");
	program_join(pid);
	CHECK(program_filled(memory, NR_PAGES * PROGRAM_PAGE, 5), "contents");
	return program_result();
}
