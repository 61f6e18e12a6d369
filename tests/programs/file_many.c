/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_many.c - a thousand descriptors, some with high numbers, some closed
 * standard streams
 */
#include <sys/resource.h>

#include "program.h"

#define NR_FILES 1000
#define HIGH 15000

int main(int argc, char **argv)
{
	struct rlimit limit;
	int fds[NR_FILES], i, high;
	char byte;

	program_start(argc, argv);
	NEED(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	NEED(setrlimit(RLIMIT_NOFILE, &limit));
	program_write("text", "0123456789");
	for (i = 0; i < NR_FILES; i++) {
		fds[i] = NEED(open("text", O_RDONLY));
		NEED(lseek(fds[i], i % 10, SEEK_SET));
	}
	/* not the very last: restart needs some of its own meanwhile */
	high = limit.rlim_cur > HIGH ? HIGH : (int)limit.rlim_cur / 2;
	NEED(dup2(fds[3], high));
	close(0);

	program_ready();

	for (i = 0; i < NR_FILES; i++)
		CHECK(read(fds[i], &byte, 1) == 1 && byte == '0' + i % 10,
		      "file %d", i);
	CHECK(read(high, &byte, 1) == 1 && byte == '4', "high number");
	CHECK(fcntl(0, F_GETFD) < 0 && errno == EBADF, "stdin is open");
	return program_result();
}
