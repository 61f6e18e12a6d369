/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_regular.c - open files keep offset, access mode and flags, and go on
 * where they were: reading, writing, appending
 */
#include "program.h"

static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";

static int open_text(int flags, off_t at)
{
	int fd = NEED(open("text", flags));

	NEED(lseek(fd, at, SEEK_SET));
	return fd;
}

int main(int argc, char **argv)
{
	static const int flags[] = { O_RDONLY, O_RDWR | O_NONBLOCK | O_NOATIME,
				     O_WRONLY | O_DSYNC, O_RDONLY | O_CLOEXEC };
	int fds[4], before[4], append, beyond;
	char got[64];
	size_t i;

	program_start(argc, argv);
	program_write("text", text);
	for (i = 0; i < 4; i++) {
		fds[i] = open_text(flags[i], (off_t)(i * 7));
		before[i] = NEED(fcntl(fds[i], F_GETFL));
	}
	append = NEED(open("log", O_WRONLY | O_CREAT | O_APPEND, 0644));
	NEED(write(append, "one ", 4));
	beyond = NEED(open("beyond", O_RDWR | O_CREAT, 0600));
	NEED(lseek(beyond, 1 << 20, SEEK_SET));

	program_ready();

	for (i = 0; i < 4; i++) {
		CHECK(fcntl(fds[i], F_GETFL) == before[i], "flags %#x were %#x",
		      fcntl(fds[i], F_GETFL), before[i]);
		CHECK(lseek(fds[i], 0, SEEK_CUR) == (off_t)(i * 7),
		      "position of %zu", i);
	}
	CHECK(fcntl(fds[3], F_GETFD) == FD_CLOEXEC, "close on exec");
	CHECK(fcntl(fds[0], F_GETFD) == 0, "close on exec of another");
	CHECK(read(fds[0], got, 3) == 3 && memcmp(got, "012", 3) == 0, "read");
	CHECK(write(fds[2], "EFG", 3) == 3, "%s", strerror(errno));
	CHECK(pread(fds[1], got, 3, 14) == 3 && memcmp(got, "EFG", 3) == 0,
	      "read what was written");
	CHECK(lseek(beyond, 0, SEEK_CUR) == 1 << 20, "position beyond the end");
	CHECK(write(append, "two", 3) == 3, "%s", strerror(errno));
	program_read("log", got, sizeof(got));
	CHECK(strcmp(got, "one two") == 0, "log is `%s'", got);
	return program_result();
}
