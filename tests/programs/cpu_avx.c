/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_avx.c - the YMM registers, upper halves included,
 * in a loop that makes no system call until another thread tells it to leave
 */
#include "program.h"

#define NR_REGISTERS 16
#define LENGTH (NR_REGISTERS * 32)

static volatile int leave;
static char in[LENGTH] __attribute__((aligned(64)));
static char out[LENGTH] __attribute__((aligned(64)));

static void *watcher(void *arg)
{
	program_ready();
	leave = 1;
	return arg;
}

__attribute__((target("avx"), noinline)) static void keep(void)
{
	__asm__ volatile("vmovdqa 0(%[in]), %%ymm0\n\t"
			 "vmovdqa 32(%[in]), %%ymm1\n\t"
			 "vmovdqa 64(%[in]), %%ymm2\n\t"
			 "vmovdqa 96(%[in]), %%ymm3\n\t"
			 "vmovdqa 128(%[in]), %%ymm4\n\t"
			 "vmovdqa 160(%[in]), %%ymm5\n\t"
			 "vmovdqa 192(%[in]), %%ymm6\n\t"
			 "vmovdqa 224(%[in]), %%ymm7\n\t"
			 "vmovdqa 256(%[in]), %%ymm8\n\t"
			 "vmovdqa 288(%[in]), %%ymm9\n\t"
			 "vmovdqa 320(%[in]), %%ymm10\n\t"
			 "vmovdqa 352(%[in]), %%ymm11\n\t"
			 "vmovdqa 384(%[in]), %%ymm12\n\t"
			 "vmovdqa 416(%[in]), %%ymm13\n\t"
			 "vmovdqa 448(%[in]), %%ymm14\n\t"
			 "vmovdqa 480(%[in]), %%ymm15\n\t"
			 "1:\tcmpl $0, (%[leave])\n\t"
			 "je 1b\n\t"
			 "vmovdqa %%ymm0, 0(%[out])\n\t"
			 "vmovdqa %%ymm1, 32(%[out])\n\t"
			 "vmovdqa %%ymm2, 64(%[out])\n\t"
			 "vmovdqa %%ymm3, 96(%[out])\n\t"
			 "vmovdqa %%ymm4, 128(%[out])\n\t"
			 "vmovdqa %%ymm5, 160(%[out])\n\t"
			 "vmovdqa %%ymm6, 192(%[out])\n\t"
			 "vmovdqa %%ymm7, 224(%[out])\n\t"
			 "vmovdqa %%ymm8, 256(%[out])\n\t"
			 "vmovdqa %%ymm9, 288(%[out])\n\t"
			 "vmovdqa %%ymm10, 320(%[out])\n\t"
			 "vmovdqa %%ymm11, 352(%[out])\n\t"
			 "vmovdqa %%ymm12, 384(%[out])\n\t"
			 "vmovdqa %%ymm13, 416(%[out])\n\t"
			 "vmovdqa %%ymm14, 448(%[out])\n\t"
			 "vmovdqa %%ymm15, 480(%[out])\n\t"
			 :
			 : [in] "r"(in), [out] "r"(out), [leave] "r"(&leave)
			 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			   "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
			   "xmm12", "xmm13", "xmm14", "xmm15", "memory");
}

int main(int argc, char **argv)
{
	pthread_t thread;
	size_t i;

	program_start(argc, argv);
	if (!__builtin_cpu_supports("avx"))
		program_lacks("AVX");
	program_fill(in, LENGTH, 31);
	NEED_ZERO(pthread_create(&thread, NULL, watcher, NULL));

	keep();

	for (i = 0; i < NR_REGISTERS; i++)
		CHECK(memcmp(in + i * 32, out + i * 32, 32) == 0,
		      "register %zu", i);
	CHECK(pthread_join(thread, NULL) == 0, "join");
	return program_result();
}
