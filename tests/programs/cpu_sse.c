/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_sse.c - the XMM registers
 * in a loop that makes no system call until another thread tells it to leave
 */
#include "program.h"

#define NR_REGISTERS 16
#define LENGTH (NR_REGISTERS * 16)

static volatile int leave;
static char in[LENGTH] __attribute__((aligned(64)));
static char out[LENGTH] __attribute__((aligned(64)));

static void *watcher(void *arg)
{
	program_ready();
	leave = 1;
	return arg;
}

__attribute__((noinline)) static void keep(void)
{
	__asm__ volatile("movdqa 0(%[in]), %%xmm0\n\t"
			 "movdqa 16(%[in]), %%xmm1\n\t"
			 "movdqa 32(%[in]), %%xmm2\n\t"
			 "movdqa 48(%[in]), %%xmm3\n\t"
			 "movdqa 64(%[in]), %%xmm4\n\t"
			 "movdqa 80(%[in]), %%xmm5\n\t"
			 "movdqa 96(%[in]), %%xmm6\n\t"
			 "movdqa 112(%[in]), %%xmm7\n\t"
			 "movdqa 128(%[in]), %%xmm8\n\t"
			 "movdqa 144(%[in]), %%xmm9\n\t"
			 "movdqa 160(%[in]), %%xmm10\n\t"
			 "movdqa 176(%[in]), %%xmm11\n\t"
			 "movdqa 192(%[in]), %%xmm12\n\t"
			 "movdqa 208(%[in]), %%xmm13\n\t"
			 "movdqa 224(%[in]), %%xmm14\n\t"
			 "movdqa 240(%[in]), %%xmm15\n\t"
			 "1:\tcmpl $0, (%[leave])\n\t"
			 "je 1b\n\t"
			 "movdqa %%xmm0, 0(%[out])\n\t"
			 "movdqa %%xmm1, 16(%[out])\n\t"
			 "movdqa %%xmm2, 32(%[out])\n\t"
			 "movdqa %%xmm3, 48(%[out])\n\t"
			 "movdqa %%xmm4, 64(%[out])\n\t"
			 "movdqa %%xmm5, 80(%[out])\n\t"
			 "movdqa %%xmm6, 96(%[out])\n\t"
			 "movdqa %%xmm7, 112(%[out])\n\t"
			 "movdqa %%xmm8, 128(%[out])\n\t"
			 "movdqa %%xmm9, 144(%[out])\n\t"
			 "movdqa %%xmm10, 160(%[out])\n\t"
			 "movdqa %%xmm11, 176(%[out])\n\t"
			 "movdqa %%xmm12, 192(%[out])\n\t"
			 "movdqa %%xmm13, 208(%[out])\n\t"
			 "movdqa %%xmm14, 224(%[out])\n\t"
			 "movdqa %%xmm15, 240(%[out])\n\t"
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
	program_fill(in, LENGTH, 31);
	NEED_ZERO(pthread_create(&thread, NULL, watcher, NULL));

	keep();

	for (i = 0; i < NR_REGISTERS; i++)
		CHECK(memcmp(in + i * 16, out + i * 16, 16) == 0,
		      "register %zu", i);
	CHECK(pthread_join(thread, NULL) == 0, "join");
	return program_result();
}
