/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_avx512.c - the thirty-two ZMM registers
 * in a loop that makes no system call until another thread tells it to leave
 */
#include "program.h"

#define NR_REGISTERS 32
#define LENGTH (NR_REGISTERS * 64)

static volatile int leave;
static char in[LENGTH] __attribute__((aligned(64)));
static char out[LENGTH] __attribute__((aligned(64)));

static void *watcher(void *arg)
{
	program_ready();
	leave = 1;
	return arg;
}

__attribute__((target("avx512f"), noinline)) static void keep(void)
{
	__asm__ volatile("vmovdqa64 0(%[in]), %%zmm0\n\t"
			 "vmovdqa64 64(%[in]), %%zmm1\n\t"
			 "vmovdqa64 128(%[in]), %%zmm2\n\t"
			 "vmovdqa64 192(%[in]), %%zmm3\n\t"
			 "vmovdqa64 256(%[in]), %%zmm4\n\t"
			 "vmovdqa64 320(%[in]), %%zmm5\n\t"
			 "vmovdqa64 384(%[in]), %%zmm6\n\t"
			 "vmovdqa64 448(%[in]), %%zmm7\n\t"
			 "vmovdqa64 512(%[in]), %%zmm8\n\t"
			 "vmovdqa64 576(%[in]), %%zmm9\n\t"
			 "vmovdqa64 640(%[in]), %%zmm10\n\t"
			 "vmovdqa64 704(%[in]), %%zmm11\n\t"
			 "vmovdqa64 768(%[in]), %%zmm12\n\t"
			 "vmovdqa64 832(%[in]), %%zmm13\n\t"
			 "vmovdqa64 896(%[in]), %%zmm14\n\t"
			 "vmovdqa64 960(%[in]), %%zmm15\n\t"
			 "vmovdqa64 1024(%[in]), %%zmm16\n\t"
			 "vmovdqa64 1088(%[in]), %%zmm17\n\t"
			 "vmovdqa64 1152(%[in]), %%zmm18\n\t"
			 "vmovdqa64 1216(%[in]), %%zmm19\n\t"
			 "vmovdqa64 1280(%[in]), %%zmm20\n\t"
			 "vmovdqa64 1344(%[in]), %%zmm21\n\t"
			 "vmovdqa64 1408(%[in]), %%zmm22\n\t"
			 "vmovdqa64 1472(%[in]), %%zmm23\n\t"
			 "vmovdqa64 1536(%[in]), %%zmm24\n\t"
			 "vmovdqa64 1600(%[in]), %%zmm25\n\t"
			 "vmovdqa64 1664(%[in]), %%zmm26\n\t"
			 "vmovdqa64 1728(%[in]), %%zmm27\n\t"
			 "vmovdqa64 1792(%[in]), %%zmm28\n\t"
			 "vmovdqa64 1856(%[in]), %%zmm29\n\t"
			 "vmovdqa64 1920(%[in]), %%zmm30\n\t"
			 "vmovdqa64 1984(%[in]), %%zmm31\n\t"
			 "1:\tcmpl $0, (%[leave])\n\t"
			 "je 1b\n\t"
			 "vmovdqa64 %%zmm0, 0(%[out])\n\t"
			 "vmovdqa64 %%zmm1, 64(%[out])\n\t"
			 "vmovdqa64 %%zmm2, 128(%[out])\n\t"
			 "vmovdqa64 %%zmm3, 192(%[out])\n\t"
			 "vmovdqa64 %%zmm4, 256(%[out])\n\t"
			 "vmovdqa64 %%zmm5, 320(%[out])\n\t"
			 "vmovdqa64 %%zmm6, 384(%[out])\n\t"
			 "vmovdqa64 %%zmm7, 448(%[out])\n\t"
			 "vmovdqa64 %%zmm8, 512(%[out])\n\t"
			 "vmovdqa64 %%zmm9, 576(%[out])\n\t"
			 "vmovdqa64 %%zmm10, 640(%[out])\n\t"
			 "vmovdqa64 %%zmm11, 704(%[out])\n\t"
			 "vmovdqa64 %%zmm12, 768(%[out])\n\t"
			 "vmovdqa64 %%zmm13, 832(%[out])\n\t"
			 "vmovdqa64 %%zmm14, 896(%[out])\n\t"
			 "vmovdqa64 %%zmm15, 960(%[out])\n\t"
			 "vmovdqa64 %%zmm16, 1024(%[out])\n\t"
			 "vmovdqa64 %%zmm17, 1088(%[out])\n\t"
			 "vmovdqa64 %%zmm18, 1152(%[out])\n\t"
			 "vmovdqa64 %%zmm19, 1216(%[out])\n\t"
			 "vmovdqa64 %%zmm20, 1280(%[out])\n\t"
			 "vmovdqa64 %%zmm21, 1344(%[out])\n\t"
			 "vmovdqa64 %%zmm22, 1408(%[out])\n\t"
			 "vmovdqa64 %%zmm23, 1472(%[out])\n\t"
			 "vmovdqa64 %%zmm24, 1536(%[out])\n\t"
			 "vmovdqa64 %%zmm25, 1600(%[out])\n\t"
			 "vmovdqa64 %%zmm26, 1664(%[out])\n\t"
			 "vmovdqa64 %%zmm27, 1728(%[out])\n\t"
			 "vmovdqa64 %%zmm28, 1792(%[out])\n\t"
			 "vmovdqa64 %%zmm29, 1856(%[out])\n\t"
			 "vmovdqa64 %%zmm30, 1920(%[out])\n\t"
			 "vmovdqa64 %%zmm31, 1984(%[out])\n\t"
			 :
			 : [in] "r"(in), [out] "r"(out), [leave] "r"(&leave)
			 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			   "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
			   "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17",
			   "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",
			   "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29",
			   "xmm30", "xmm31", "memory");
}

int main(int argc, char **argv)
{
	pthread_t thread;
	size_t i;

	program_start(argc, argv);
	if (!__builtin_cpu_supports("avx512f"))
		program_lacks("AVX-512");
	program_fill(in, LENGTH, 31);
	NEED_ZERO(pthread_create(&thread, NULL, watcher, NULL));

	keep();

	for (i = 0; i < NR_REGISTERS; i++)
		CHECK(memcmp(in + i * 64, out + i * 64, 64) == 0,
		      "register %zu", i);
	CHECK(pthread_join(thread, NULL) == 0, "join");
	return program_result();
}
