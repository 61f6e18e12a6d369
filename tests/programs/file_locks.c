/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_locks.c - flock(2) locks, record locks of a process and of an open file,
 * whole and in parts, still keep others away
 */
#include <sys/file.h>

#include "program.h"

static struct flock range(short type, off_t start, off_t length)
{
	struct flock lock = { .l_type = type,
			      .l_whence = SEEK_SET,
			      .l_start = start,
			      .l_len = length };

	return lock;
}

static int fails(int fd, int command, short type, off_t start)
{
	struct flock lock = range(type, start, 1);

	return fcntl(fd, command, &lock) < 0 &&
	       (errno == EAGAIN || errno == EACCES);
}

/* Somebody else, who opens the files anew. */
static void stranger(void *arg)
{
	int fd;

	program_await(arg);
	fd = NEED(open("flock", O_RDWR));
	CHECK(flock(fd, LOCK_SH | LOCK_NB) < 0, "flock is not held");
	fd = NEED(open("posix", O_RDWR));
	CHECK(fails(fd, F_SETLK, F_RDLCK, 15), "posix write lock");
	CHECK(fails(fd, F_SETLK, F_WRLCK, 1 << 20), "posix read lock");
	CHECK(!fails(fd, F_SETLK, F_RDLCK, 1 << 20), "posix read lock shared");
	CHECK(!fails(fd, F_SETLK, F_WRLCK, 50), "posix gap");
	fd = NEED(open("ofd", O_RDWR));
	CHECK(fails(fd, F_OFD_SETLK, F_WRLCK, 25), "ofd");
	CHECK(!fails(fd, F_OFD_SETLK, F_WRLCK, 5), "ofd gap");
}

int main(int argc, char **argv)
{
	struct flock lock;
	int fd, ofd;

	program_start(argc, argv);
	fd = NEED(open("flock", O_RDWR | O_CREAT, 0600));
	NEED(flock(fd, LOCK_EX));
	fd = NEED(open("posix", O_RDWR | O_CREAT, 0600));
	lock = range(F_WRLCK, 10, 10);
	NEED(fcntl(fd, F_SETLK, &lock));
	lock = range(F_RDLCK, 1000, 0);
	NEED(fcntl(fd, F_SETLK, &lock));
	ofd = NEED(open("ofd", O_RDWR | O_CREAT, 0600));
	lock = range(F_WRLCK, 20, 10);
	NEED(fcntl(ofd, F_OFD_SETLK, &lock));
	program_mark("now");
	program_join(program_child(stranger, "now"));

	program_ready();

	program_join(program_child(stranger, "check"));
	lock = range(F_UNLCK, 0, 0);
	CHECK(fcntl(ofd, F_OFD_SETLK, &lock) == 0, "%s", strerror(errno));
	return program_result();
}
