/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crc.h - CRC32C, the checksum of everything in an image
 *
 * Private to lib/.  The Castagnoli polynomial, reflected, as in iSCSI and
 * ext4: cr_crc32c(0, "123456789", 9) is 0xe3069283.
 */
#ifndef CRC_H
#define CRC_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what @crc is the checksum of (0: nothing) followed by
 * @length bytes at @data. */
uint32_t cr_crc32c(uint32_t crc, const void *data, size_t length);

#endif /* CRC_H */
