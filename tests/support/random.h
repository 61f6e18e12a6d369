/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * random.h - the same random numbers on every machine
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

/* The seed; not 0.  xorshift. */
static uint32_t random_state;

static inline uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % limit;
}

#endif /* RANDOM_H */
