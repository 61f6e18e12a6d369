/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_file_private.c - a private file mapping keeps the pages that were written
 * and takes the others from the file
 */
#include "program.h"

#define LENGTH (16 * PROGRAM_PAGE)

int main(int argc, char **argv)
{
	static char content[LENGTH];
	char *memory, *offset, before[256], after[256];
	int fd;

	program_start(argc, argv);
	program_fill(content, LENGTH, 3);
	fd = NEED(open("data", O_RDWR | O_CREAT, 0600));
	NEED(write(fd, content, LENGTH));
	memory = NEED(
		mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	offset = NEED(mmap(NULL, 2 * PROGRAM_PAGE, PROT_READ, MAP_PRIVATE, fd,
			   4 * PROGRAM_PAGE));
	close(fd);
	memory[0] = 'x';
	program_fill(memory + 8 * PROGRAM_PAGE, PROGRAM_PAGE, 99);
	program_smaps(memory, NULL, before, sizeof(before));

	program_ready();

	program_smaps(memory, NULL, after, sizeof(after));
	CHECK(strcmp(before, after) == 0, "was %s is %s", before, after);
	CHECK(memory[0] == 'x', "written byte");
	CHECK(memcmp(memory + 1, content + 1, 8 * PROGRAM_PAGE - 1) == 0,
	      "unwritten pages");
	CHECK(program_filled(memory + 8 * PROGRAM_PAGE, PROGRAM_PAGE, 99),
	      "written page");
	CHECK(memcmp(offset, content + 4 * PROGRAM_PAGE, 2 * PROGRAM_PAGE) == 0,
	      "mapping at an offset");
	fd = open("data", O_RDONLY);
	CHECK(pread(fd, memory, 1, 0) == 1 && memory[0] == content[0],
	      "the file itself");
	return program_result();
}
