/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_file_unlinked.c - a mapped file without a name keeps its contents and
 * stays one object for the mapping, the descriptor and a child
 */
#include "program.h"

#define LENGTH (8 * PROGRAM_PAGE)

static char *shared, *private;

static void child(void *arg)
{
	(void)arg;
	program_await("written");
	CHECK(shared[10] == 'p', "parent's byte is %d", shared[10]);
	shared[11] = 'c';
}

int main(int argc, char **argv)
{
	pid_t pid;
	char byte;
	int fd;

	program_start(argc, argv);
	fd = NEED(open("data", O_RDWR | O_CREAT, 0600));
	NEED(ftruncate(fd, LENGTH));
	shared = NEED(
		mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	program_fill(shared, LENGTH, 8);
	private = NEED(
		mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	private[PROGRAM_PAGE] = 'x';
	NEED(unlink("data"));
	pid = program_child(child, NULL);

	program_ready();

	CHECK(program_filled(shared, LENGTH, 8), "shared mapping");
	CHECK(private[PROGRAM_PAGE] == 'x', "written private page");
	CHECK(program_filled(private, PROGRAM_PAGE, 8), "private page");
	CHECK(access("data", F_OK) < 0, "the name is back");
	shared[10] = 'p';
	program_mark("written");
	program_join(pid);
	CHECK(shared[11] == 'c', "child's byte");
	CHECK(pread(fd, &byte, 1, 11) == 1 && byte == 'c', "by read(2)");
	return program_result();
}
