/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * static_binary.c - a statically linked program with a thread, a child, a pipe
 * and some memory (linked with -static by tests/CMakeLists.txt)
 */
#include "program.h"

static int ends[2];
static __thread int local = 5;

static void *thread(void *arg)
{
	char byte = 0;

	local = 6;
	CHECK(read(ends[0], &byte, 1) == 1 && byte == 'c', "read %d", byte);
	CHECK(local == 6, "thread-local %d", local);
	return arg;
}

static void child(void *arg)
{
	(void)arg;
	program_await("check");
	CHECK(write(ends[1], "c", 1) == 1, "write");
}

int main(int argc, char **argv)
{
	pthread_t other;
	char *memory;
	pid_t pid;

	program_start(argc, argv);
	NEED(pipe(ends));
	memory = NEED(malloc(1 << 20));
	program_fill(memory, 1 << 20, 2);
	pid = program_child(child, NULL);
	NEED_ZERO(pthread_create(&other, NULL, thread, NULL));

	program_ready();

	program_join(pid);
	CHECK(pthread_join(other, NULL) == 0, "join");
	CHECK(program_filled(memory, 1 << 20, 2), "heap");
	CHECK(local == 5, "thread-local %d", local);
	return program_result();
}
