/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_permission.c - a file that an ordinary user has open, though by now they
 * might not open it again
 */
#include "program.h"

int main(int argc, char **argv)
{
	char got[8] = "";
	int fd;

	program_start(argc, argv);
	program_write("file", "text");
	fd = NEED(open("file", O_RDWR));
	NEED(chmod("file", 0));
	NEED(setresgid(1001, 1001, 1001));
	NEED(setresuid(1001, 1001, 1001));
	if (open("file", O_RDONLY) >= 0)
		program_die(__FILE__, __LINE__, "can be opened", 0);

	program_ready();

	CHECK(read(fd, got, 7) == 4 && strcmp(got, "text") == 0, "read `%s'",
	      got);
	CHECK(write(fd, "more", 4) == 4, "%s", strerror(errno));
	return program_result();
}
