/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_code.c - code that the program made itself at run time still runs
 */
#include "program.h"

int main(int argc, char **argv)
{
	/* mov $42, %eax; ret */
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	char *memory;
	int (*made)(void);

	program_start(argc, argv);
	memory = NEED(mmap(NULL, PROGRAM_PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	memcpy(memory, code, sizeof(code));
	NEED(mprotect(memory, PROGRAM_PAGE, PROT_READ | PROT_EXEC));
	memcpy(&made, &memory, sizeof(made));
	if (made() != 42)
		program_die(__FILE__, __LINE__, "made code", 0);

	program_ready();

	CHECK(made() == 42, "result");
	return program_result();
}
