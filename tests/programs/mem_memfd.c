/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_memfd.c - a memfd keeps contents, size, seals and name, and is one object
 * for its descriptors and mappings in two processes
 */
#include "program.h"

#define LENGTH (8 * PROGRAM_PAGE)

static char *memory;

static void child(void *arg)
{
	(void)arg;
	program_await("written");
	CHECK(memory[0] == 'p', "parent's byte");
	memory[1] = 'c';
}

int main(int argc, char **argv)
{
	char before[128] = "", after[128] = "", link[64];
	int fd, seals;
	struct stat st;
	pid_t pid;
	char byte;

	program_start(argc, argv);
	fd = NEED(memfd_create("something", MFD_ALLOW_SEALING));
	NEED(ftruncate(fd, LENGTH));
	memory = NEED(
		mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	program_fill(memory, LENGTH, 6);
	NEED(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	NEED(lseek(fd, 100, SEEK_SET));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	NEED(readlink(link, before, sizeof(before) - 1));
	pid = program_child(child, NULL);

	program_ready();

	CHECK(program_filled(memory, LENGTH, 6), "contents");
	CHECK(readlink(link, after, sizeof(after) - 1) > 0 &&
		      strcmp(before, after) == 0,
	      "name was %s is %s", before, after);
	CHECK(lseek(fd, 0, SEEK_CUR) == 100, "position");
	CHECK(fstat(fd, &st) == 0 && st.st_size == LENGTH, "size");
	seals = fcntl(fd, F_GET_SEALS);
	CHECK(seals == (F_SEAL_SHRINK | F_SEAL_GROW), "seals %#x", seals);
	memory[0] = 'p';
	program_mark("written");
	program_join(pid);
	CHECK(memory[1] == 'c', "child's byte");
	CHECK(pread(fd, &byte, 1, 1) == 1 && byte == 'c', "by read(2)");
	return program_result();
}
