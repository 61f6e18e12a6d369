/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_spin.c - a computation without a system call gives the right result: a
 * linear congruential generator against its closed form
 */
#include "program.h"

#define FACTOR 6364136223846793005u
#define INCREMENT 1442695040888963407u

static uint64_t step_by_step(uint64_t x, uint64_t nr)
{
	while (nr--) {
		x = x * FACTOR + INCREMENT;
		__asm__ volatile("" : "+r"(x));
	}
	return x;
}

/* The same in log(nr) steps. */
static uint64_t jump(uint64_t x, uint64_t nr)
{
	uint64_t factor = FACTOR, increment = INCREMENT;

	for (; nr; nr >>= 1) {
		if (nr & 1)
			x = x * factor + increment;
		increment *= factor + 1;
		factor *= factor;
	}
	return x;
}

int main(int argc, char **argv)
{
	uint64_t start, nr = 20000000, x;

	program_start(argc, argv);
	start = program_now(CLOCK_MONOTONIC);
	step_by_step(1, nr);
	/* as many as take some two seconds here */
	nr = nr * 2000000000u / (program_now(CLOCK_MONOTONIC) - start);
	program_mark("ready");

	x = step_by_step(12345, nr);

	CHECK(x == jump(12345, nr), "result %llx", (unsigned long long)x);
	program_await("check");
	return program_result();
}
