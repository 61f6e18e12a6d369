/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image_test.h - what the unit tests of images share
 *
 * To be included after cmocka.h.
 */
#ifndef IMAGE_TEST_H
#define IMAGE_TEST_H

#include <unistd.h>

#include "saved.h"
#include "small_image.h"

/* An image in memory: a descriptor at its start. */
static inline int write_image(const struct small_image *image,
			      const struct cr_image_write_options *options,
			      struct cr_image_write_stats *stats)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct cr_image_writer *writer;
	struct cr_error err = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(cr_image_writer_create_fd(fd, options, &writer, &err),
			 0);
	assert_int_equal(small_image_write(image, writer), 0);
	if (cr_image_writer_commit(writer, stats, &err))
		fail_msg("commit: %s", err.text);
	return fd;
}

static inline struct cr_image *open_image(int fd)
{
	struct cr_image *image;
	struct cr_error err = { 0 };

	if (cr_image_open_fd(fd, &image, &err))
		fail_msg("open: %s", err.text);
	return image;
}

struct place {
	uint64_t start, length; /* of the space */
	uint8_t *memory;
	uint64_t piece; /* most that is said to be contiguous */
};

static inline void *locate(void *arg, uint64_t address, uint64_t *length)
{
	const struct place *place = arg;

	if (address < place->start || address - place->start >= place->length)
		return NULL;
	if (*length > place->start + place->length - address)
		*length = place->start + place->length - address;
	if (*length > place->piece)
		*length = place->piece;
	return place->memory + (address - place->start);
}

static inline void make_place(struct place *place, uint64_t start,
			      uint64_t pages)
{
	place->start = start;
	place->length = pages * CR_WIRE_PAGE;
	place->piece = place->length;
	place->memory = mmap(NULL, place->length, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(place->memory, MAP_FAILED);
}

static inline void check_pages(const struct place *place, uint64_t first,
			       uint64_t nr_pages)
{
	const uint64_t *words = (const void *)place->memory;
	const size_t per_page = CR_WIRE_PAGE / 8;

	words += first * per_page;
	for (uint64_t page = 0; page < nr_pages; page++)
		for (size_t i = 0; i < per_page; i++)
			if (*words++ !=
			    small_word(place->start +
					       (first + page) * CR_WIRE_PAGE,
				       i))
				fail_msg("page %llu, word %zu is wrong",
					 (unsigned long long)(first + page), i);
}

/* All that a restart reads.  0 or the first error. */
static inline int read_all(int fd, uint64_t heap_pages, struct cr_error *err)
{
	static struct place heap, shm;
	struct cr_image *image;
	struct cr_saved *saved = NULL;
	int rc;

	if (!heap.memory) {
		make_place(&heap, SMALL_HEAP, heap_pages);
		make_place(&shm, 0, SMALL_SHM_PAGES);
	}
	lseek(fd, 0, SEEK_SET);
	rc = cr_image_open_fd(dup(fd), &image, err);
	if (rc)
		return rc;
	rc = cr_saved_load(image, &saved, err);
	for (uint32_t space = 1; !rc && space <= 3; space++)
		rc = cr_image_fill(image, space, locate,
				   space == SMALL_SPACE_SHM ? &shm : &heap, 1,
				   err);
	cr_saved_free(saved);
	cr_image_close(image);
	return rc;
}

#endif /* IMAGE_TEST_H */
