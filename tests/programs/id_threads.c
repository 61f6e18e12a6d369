/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * id_threads.c - a thread that has another effective user than its process, as
 * file servers have (by the raw system call)
 */
#include "program.h"

static pthread_barrier_t prepared, checked;

static void *thread(void *arg)
{
	NEED(syscall(SYS_setresuid, -1, 1001, -1));
	NEED(syscall(SYS_setfsuid, 0));
	pthread_barrier_wait(&prepared);
	pthread_barrier_wait(&checked);
	CHECK(geteuid() == 1001 && getuid() == 0, "uid %d, effective %d",
	      getuid(), geteuid());
	CHECK(syscall(SYS_setfsuid, -1) == 0, "filesystem uid %ld",
	      syscall(SYS_setfsuid, -1));
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t other;

	program_start(argc, argv);
	NEED_ZERO(pthread_barrier_init(&prepared, NULL, 2));
	NEED_ZERO(pthread_barrier_init(&checked, NULL, 2));
	NEED_ZERO(pthread_create(&other, NULL, thread, NULL));
	pthread_barrier_wait(&prepared);

	program_ready();

	pthread_barrier_wait(&checked);
	CHECK(geteuid() == 0, "effective uid %d", geteuid());
	CHECK(pthread_join(other, NULL) == 0, "join");
	return program_result();
}
