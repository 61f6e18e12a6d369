/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image_digest.h - which image a manifest means, to the byte
 *
 * SHA-256 of a file's length and of the SHA-256 of each of its pieces: pieces
 * can be digested by several threads.  docs/image-format.md has it exactly.
 */
#ifndef IMAGE_DIGEST_H
#define IMAGE_DIGEST_H

#include <stdint.h>

#include "cr_error.h"

#define CR_DIGEST_PIECE (4u << 20) /* bytes; the last is shorter */
#define CR_DIGEST_NAME "sha256-4m:"
/* The name, 64 characters of hexadecimal, and a zero */
#define CR_DIGEST_SIZE (sizeof(CR_DIGEST_NAME) + 64)

/* Is @text written as one? */
int cr_digest_is_valid(const char *text);

/*
 * Digest the first @size bytes of @fd, which is read by position, with a few
 * threads.  @is_given_up (NULL: never) is asked by the calling thread between
 * pieces.  0, or -ECANCELED: given up; -ENODATA: the file is shorter; -ENOMEM;
 * errors of reading.
 */
int cr_digest_file(int fd, uint64_t size, int (*is_given_up)(void),
		   char text[CR_DIGEST_SIZE], struct cr_error *err);

/* Of @length bytes in memory: plain SHA-256, in hexadecimal.  0 or -ENOMEM. */
int cr_digest_bytes(const void *bytes, uint64_t length, char text[65]);

#endif /* IMAGE_DIGEST_H */
