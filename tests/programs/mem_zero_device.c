/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_zero_device.c - memory from /dev/zero, private and shared with a child
 */
#include "program.h"

#define LENGTH (8 * PROGRAM_PAGE)

static char *shared;

static void child(void *arg)
{
	(void)arg;
	program_await("written");
	CHECK(shared[0] == 'p', "parent's byte");
	shared[1] = 'c';
}

int main(int argc, char **argv)
{
	char *private;
	pid_t pid;
	int fd;

	program_start(argc, argv);
	fd = NEED(open("/dev/zero", O_RDWR));
	private = NEED(
		mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	shared = NEED(
		mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	program_fill(private, LENGTH, 1);
	program_fill(shared, LENGTH, 2);
	pid = program_child(child, NULL);

	program_ready();

	CHECK(program_filled(private, LENGTH, 1), "private");
	CHECK(program_filled(shared, LENGTH, 2), "shared");
	shared[0] = 'p';
	program_mark("written");
	program_join(pid);
	CHECK(shared[1] == 'c', "child's byte");
	return program_result();
}
