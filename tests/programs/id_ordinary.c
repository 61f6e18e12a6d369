/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * id_ordinary.c - a whole tree of an ordinary user, with threads, a pipe, files
 * of its own and shared memory
 */
#include <grp.h>

#include "program.h"

#define LENGTH (32 * PROGRAM_PAGE)

static int ends[2];
static char *shared;

static void *thread(void *arg)
{
	char byte = 0;

	CHECK(read(ends[0], &byte, 1) == 1 && byte == 'c', "read %d", byte);
	return arg;
}

static void child(void *arg)
{
	(void)arg;
	program_await("check");
	CHECK(getuid() == 1001 && geteuid() == 1001, "uid %d", getuid());
	shared[0] = 'c';
	CHECK(write(ends[1], "c", 1) == 1, "write");
}

int main(int argc, char **argv)
{
	pthread_t other;
	pid_t pid;
	int fd;

	program_start(argc, argv);
	NEED(setgroups(0, NULL));
	NEED(setresgid(1001, 1001, 1001));
	NEED(setresuid(1001, 1001, 1001));
	fd = NEED(open("secret", O_RDWR | O_CREAT, 0600));
	shared = NEED(mmap(NULL, LENGTH, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	program_fill(shared, LENGTH, 1);
	NEED(pipe(ends));
	pid = program_child(child, NULL);
	NEED_ZERO(pthread_create(&other, NULL, thread, NULL));

	program_ready();

	CHECK(program_filled(shared + 8, LENGTH - 8, 2), "shared memory");
	program_join(pid);
	CHECK(pthread_join(other, NULL) == 0, "join");
	CHECK(shared[0] == 'c', "child's byte");
	CHECK(write(fd, "x", 1) == 1, "%s", strerror(errno));
	CHECK(getuid() == 1001 && getegid() == 1001, "ids");
	CHECK(setuid(0) < 0, "became root");
	return program_result();
}
