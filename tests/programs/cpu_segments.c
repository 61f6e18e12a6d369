/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_segments.c - the fs and gs bases of two threads
 */
#include <asm/prctl.h>

#include "program.h"

static pthread_barrier_t prepared, checked;

static void set_gs(uint64_t *value)
{
	NEED(syscall(SYS_arch_prctl, ARCH_SET_GS, value));
}

static uint64_t read_gs(void)
{
	uint64_t value;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
	return value;
}

static void *thread(void *arg)
{
	static uint64_t value = 222;
	unsigned long fs_before = 0, fs = 1;

	set_gs(&value);
	NEED(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_before));
	pthread_barrier_wait(&prepared);
	pthread_barrier_wait(&checked);
	CHECK(read_gs() == 222, "gs:0 is %llu", (unsigned long long)read_gs());
	CHECK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs) == 0 && fs == fs_before,
	      "fs base %#lx was %#lx", fs, fs_before);
	return arg;
}

int main(int argc, char **argv)
{
	static uint64_t value = 111;
	pthread_t other;

	program_start(argc, argv);
	NEED_ZERO(pthread_barrier_init(&prepared, NULL, 2));
	NEED_ZERO(pthread_barrier_init(&checked, NULL, 2));
	NEED_ZERO(pthread_create(&other, NULL, thread, NULL));
	set_gs(&value);
	pthread_barrier_wait(&prepared);

	program_ready();

	pthread_barrier_wait(&checked);
	CHECK(read_gs() == 111, "gs:0 is %llu", (unsigned long long)read_gs());
	CHECK(pthread_join(other, NULL) == 0, "join");
	return program_result();
}
