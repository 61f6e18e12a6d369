/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_devices.c - the devices that every program may have open: null, zero,
 * full, random, urandom
 */
#include "program.h"

int main(int argc, char **argv)
{
	static const char *const names[] = { "/dev/null", "/dev/zero",
					     "/dev/full", "/dev/random",
					     "/dev/urandom" };
	struct stat before[5], after;
	char byte = 1;
	int fds[5], i;

	program_start(argc, argv);
	for (i = 0; i < 5; i++) {
		fds[i] = NEED(open(names[i], O_RDWR));
		NEED(fstat(fds[i], &before[i]));
	}

	program_ready();

	for (i = 0; i < 5; i++) {
		CHECK(fstat(fds[i], &after) == 0 &&
			      after.st_rdev == before[i].st_rdev,
		      "%s", names[i]);
		CHECK((fcntl(fds[i], F_GETFL) & O_ACCMODE) == O_RDWR, "%s",
		      names[i]);
	}
	CHECK(read(fds[0], &byte, 1) == 0, "null");
	CHECK(read(fds[1], &byte, 1) == 1 && byte == 0, "zero");
	CHECK(write(fds[2], &byte, 1) < 0 && errno == ENOSPC, "full");
	CHECK(read(fds[4], &byte, 1) == 1, "urandom");
	return program_result();
}
