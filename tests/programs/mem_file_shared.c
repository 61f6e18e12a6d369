/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_file_shared.c - a shared file mapping still is one with the file, in the
 * parent and in the child
 */
#include "program.h"

#define LENGTH (8 * PROGRAM_PAGE)

static char *memory;

static void child(void *arg)
{
	(void)arg;
	memory[1] = 'c';
	program_mark("child");
	program_await("parent-wrote");
	CHECK(memory[2] == 'p', "parent's byte is %d", memory[2]);
	memory[3] = 'C';
}

int main(int argc, char **argv)
{
	pid_t pid;
	char byte;
	int fd;

	program_start(argc, argv);
	fd = NEED(open("data", O_RDWR | O_CREAT, 0600));
	NEED(ftruncate(fd, LENGTH));
	memory = NEED(
		mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	pid = program_child(child, NULL);
	program_await("child");

	program_ready();

	CHECK(memory[1] == 'c', "child's byte before");
	memory[2] = 'p';
	program_mark("parent-wrote");
	program_join(pid);
	CHECK(memory[3] == 'C', "child's byte after");
	CHECK(pread(fd, &byte, 1, 3) == 1 && byte == 'C', "seen by read(2)");
	CHECK(pwrite(fd, "w", 1, 4) == 1 && memory[4] == 'w', "by write(2)");
	return program_result();
}
