// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * make_seeds.c - write good images for a fuzzer to begin with
 *
 *	make_seeds DIRECTORY
 *
 * Run again, and its files committed, when the format has changed.
 */
#include "small_image.h"

static int make_seed(int dirfd, const char *name, int compression,
		     uint64_t pages, int has_tcp)
{
	const struct cr_image_write_options options = {
		.compression = compression,
		.nr_workers = 1,
	};
	struct cr_image_writer *writer;
	struct small_image small;
	struct cr_error err;
	int rc;

	small_image_init(&small);
	small.heap_pages = pages;
	small.has_tcp = has_tcp;
	rc = cr_image_writer_create(dirfd, name, &options, &writer, &err);
	if (!rc)
		rc = small_image_write(&small, writer);
	if (!rc)
		rc = cr_image_writer_commit(writer, NULL, &err);
	if (rc)
		fprintf(stderr, "%s: %s\n", name, err.text);
	return rc;
}

int main(int argc, char **argv)
{
	int dirfd = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;

	if (dirfd < 0) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	return make_seed(dirfd, "seed-plain", CR_COMPRESS_NONE, 2, 0) ||
	       make_seed(dirfd, "seed-lz4", CR_COMPRESS_LZ4, 1, 0) ||
	       make_seed(dirfd, "seed-zstd", CR_COMPRESS_ZSTD, 1, 0) ||
	       make_seed(dirfd, "seed-tcp", CR_COMPRESS_NONE, 1, 1);
}
