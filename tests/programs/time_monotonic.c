/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_monotonic.c - CLOCK_MONOTONIC and CLOCK_BOOTTIME go on without a jump,
 * though the program was dead for three seconds
 */
#include "program.h"

#define STEP_MAX_MS 1500 /* a busy machine, and time spent frozen */

int main(int argc, char **argv)
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME,
					    CLOCK_MONOTONIC_RAW };
	uint64_t last[3], now, largest[3] = { 0 };
	size_t i;

	program_start(argc, argv);
	program_write("gap", "3");
	for (i = 0; i < 3; i++)
		last[i] = program_now(clocks[i]);
	program_mark("ready");
	while (access("check", F_OK) < 0) {
		for (i = 0; i < 3; i++) {
			now = program_now(clocks[i]);
			CHECK(now >= last[i], "clock %d goes back by %llu ms",
			      clocks[i],
			      (unsigned long long)(last[i] - now) / 1000000);
			if (now - last[i] > largest[i])
				largest[i] = now - last[i];
			last[i] = now;
		}
		program_nap(5);
	}
	for (i = 0; i < 3; i++)
		CHECK(largest[i] / 1000000 < STEP_MAX_MS,
		      "clock %d jumped by %llu ms", clocks[i],
		      (unsigned long long)largest[i] / 1000000);
	return program_result();
}
