/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_lease.c - a lease on a file is refused by name, and is still held
 */
#include "program.h"

int main(int argc, char **argv)
{
	int fd;

	program_start(argc, argv);
	fd = NEED(open("file", O_RDONLY | O_CREAT, 0600));
	NEED(fcntl(fd, F_SETLEASE, F_RDLCK));
	program_expect_refusal(fd);

	program_ready();

	CHECK(fcntl(fd, F_GETLEASE) == F_RDLCK, "the lease is gone");
	return program_result();
}
