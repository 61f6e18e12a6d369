/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_x87.c - the x87 stack, the control words of x87 and SSE, and exception
 * flags, in a loop that makes no system call until it is told to leave
 */
#include <fenv.h>

#include "program.h"

static volatile int leave;

static void *watcher(void *arg)
{
	program_ready();
	leave = 1;
	return arg;
}

int main(int argc, char **argv)
{
	long double in[4] = { 1.25L, -3.5L, 1e300L, 0x1.23456789abcdefp0L };
	unsigned int mxcsr_in, mxcsr_out;
	unsigned short cw_in, cw_out;
	long double out[4] = { 0 };
	pthread_t thread;
	size_t i;

	program_start(argc, argv);
	NEED_ZERO(pthread_create(&thread, NULL, watcher, NULL));
	fesetround(FE_UPWARD);
	feraiseexcept(FE_INEXACT | FE_OVERFLOW);
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1"
			 : "=m"(mxcsr_in), "=m"(cw_in));
	__asm__ volatile("fldt (%[in])\n\t"
			 "fldt 16(%[in])\n\t"
			 "fldt 32(%[in])\n\t"
			 "fldt 48(%[in])\n\t"
			 "1:\tcmpl $0, (%[leave])\n\t"
			 "je 1b\n\t"
			 "fstpt 48(%[out])\n\t"
			 "fstpt 32(%[out])\n\t"
			 "fstpt 16(%[out])\n\t"
			 "fstpt (%[out])\n\t"
			 :
			 : [in] "r"(in), [out] "r"(out), [leave] "r"(&leave)
			 : "st", "st(1)", "st(2)", "st(3)", "memory");
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1"
			 : "=m"(mxcsr_out), "=m"(cw_out));
	for (i = 0; i < 4; i++)
		CHECK(memcmp(&in[i], &out[i], 10) == 0, "st(%zu) is %Lg", i,
		      out[i]);
	CHECK(mxcsr_in == mxcsr_out, "mxcsr %#x", mxcsr_out);
	CHECK(cw_in == cw_out, "control word %#x", cw_out);
	CHECK(fegetround() == FE_UPWARD, "rounding %#x", fegetround());
	CHECK(fetestexcept(FE_OVERFLOW), "exception flags");
	CHECK(pthread_join(thread, NULL) == 0, "join");
	return program_result();
}
