/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_shared_anon.c - shared anonymous memory is still one object for parent,
 * child and grandchild, also where one of them has mapped only a part
 */
#include "program.h"

#define LENGTH (32 * PROGRAM_PAGE)

static char *memory;

static void grandchild(void *arg)
{
	(void)arg;
	NEED(munmap(memory, 16 * PROGRAM_PAGE));
	program_mark("grandchild");
	program_await("parent-wrote");
	CHECK(memory[20 * PROGRAM_PAGE] == 'p', "parent's byte");
	memory[21 * PROGRAM_PAGE] = 'g';
}

static void child(void *arg)
{
	pid_t pid;

	(void)arg;
	pid = program_child(grandchild, NULL);
	program_await("parent-wrote");
	CHECK(memory[20 * PROGRAM_PAGE] == 'p', "parent's byte");
	program_join(pid);
	CHECK(memory[21 * PROGRAM_PAGE] == 'g', "grandchild's byte");
	memory[1] = 'c';
}

int main(int argc, char **argv)
{
	pid_t pid;

	program_start(argc, argv);
	memory = NEED(mmap(NULL, LENGTH, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	program_fill(memory, LENGTH / 2, 4);
	pid = program_child(child, NULL);
	program_await("grandchild");

	program_ready();

	CHECK(program_filled(memory, LENGTH / 2, 4), "contents");
	memory[20 * PROGRAM_PAGE] = 'p';
	program_mark("parent-wrote");
	program_join(pid);
	CHECK(memory[21 * PROGRAM_PAGE] == 'g', "grandchild's byte");
	CHECK(memory[1] == 'c', "child's byte");
	return program_result();
}
