/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_posix_shm.c - POSIX shared memory: one object that still has its name and
 * one that was unlinked at once, both shared with a child
 */
#include "program.h"

#define LENGTH (8 * PROGRAM_PAGE)

static char *named, *unlinked;
static char name[64];

static char *make(const char *which, int unlink_it)
{
	char *memory;
	int fd;

	snprintf(name, sizeof(name), "/cr-test-%s-%lld", which,
		 (long long)program_now(CLOCK_REALTIME));
	fd = NEED(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
	NEED(ftruncate(fd, LENGTH));
	memory = NEED(
		mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	program_fill(memory, LENGTH, (uint64_t)unlink_it);
	if (unlink_it)
		NEED(shm_unlink(name));
	close(fd);
	return memory;
}

static void child(void *arg)
{
	(void)arg;
	program_await("written");
	CHECK(named[0] == 'p' && unlinked[0] == 'p', "parent's bytes");
	named[1] = 'c';
	unlinked[1] = 'c';
}

int main(int argc, char **argv)
{
	pid_t pid;
	char byte;
	int fd;

	program_start(argc, argv);
	unlinked = make("unlinked", 1);
	named = make("named", 0);
	pid = program_child(child, NULL);

	program_ready();

	CHECK(program_filled(named, LENGTH, 0), "contents of the named");
	CHECK(program_filled(unlinked, LENGTH, 1), "contents of the unlinked");
	named[0] = 'p';
	unlinked[0] = 'p';
	program_mark("written");
	program_join(pid);
	CHECK(named[1] == 'c' && unlinked[1] == 'c', "child's bytes");
	fd = shm_open(name, O_RDONLY, 0);
	CHECK(fd >= 0 && pread(fd, &byte, 1, 1) == 1 && byte == 'c',
	      "opened by name");
	shm_unlink(name);
	return program_result();
}
