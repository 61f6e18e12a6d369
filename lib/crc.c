// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * crc.c - CRC32C by ISA-L; see crc.h
 *
 * ISA-L uses the best instructions of the CPU that it runs on.  It takes the
 * length as an int and leaves the inversions to its caller.
 */
#include <isa-l/crc.h>

#include "crc.h"

#define STEP ((size_t)1 << 30)

uint32_t cr_crc32c(uint32_t crc, const void *data, size_t length)
{
	/* ISA-L's parameter is not const, but it only reads. */
	unsigned char *bytes = (unsigned char *)(uintptr_t)data;

	crc = ~crc;
	while (length) {
		size_t part = length < STEP ? length : STEP;

		crc = crc32_iscsi(bytes, (int)part, crc);
		bytes += part;
		length -= part;
	}
	return ~crc;
}
