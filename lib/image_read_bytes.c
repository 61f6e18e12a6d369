// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_read_bytes.c - bytes of an image, from a file or a stream
 *
 * Small reads go through a window that is read ahead.  On a stream it can only
 * move forward: what lies between is read and dropped.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "image_reader.h"

int cr_image_cut_short(uint64_t offset, struct cr_error *err)
{
	return cr_error_set(err, -ENODATA, "image is cut short at byte %llu",
			    (unsigned long long)offset);
}

/* One read of up to @length bytes at @offset; a stream must stand there.
 * Returns how many, at least 1, or a negative errno. */
static ssize_t read_some(struct cr_image *image, uint64_t offset, void *to,
			 size_t length, struct cr_error *err)
{
	ssize_t got;

	do {
		got = image->is_regular ? pread(image->fd, to, length,
						(off_t)(image->base + offset)) :
					  read(image->fd, to, length);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return cr_error_errno(err, "read the image at byte %llu",
				      (unsigned long long)offset);
	if (got == 0)
		return cr_image_cut_short(offset, err);
	image->position = offset + (uint64_t)got;
	return got;
}

/* Make the window begin at @offset, which is outside of it. */
static int move_window(struct cr_image *image, uint64_t offset,
		       struct cr_error *err)
{
	ssize_t got;

	image->window_length = 0;
	while (!image->is_regular && image->position < offset) {
		uint64_t left = offset - image->position;

		got = read_some(image, image->position, image->window,
				left < CR_IMAGE_WINDOW ? left : CR_IMAGE_WINDOW,
				err);
		if (got < 0)
			return (int)got;
	}
	got = read_some(image, offset, image->window, CR_IMAGE_WINDOW, err);
	if (got < 0)
		return (int)got;
	image->window_start = offset;
	image->window_length = (size_t)got;
	return 0;
}

int cr_image_read_at(struct cr_image *image, uint64_t offset, void *buffer,
		     size_t length, struct cr_error *err)
{
	uint8_t *to = buffer;
	size_t part;
	int rc;

	while (length) {
		uint64_t skip = offset - image->window_start;

		if (offset < image->window_start ||
		    skip >= image->window_length) {
			rc = move_window(image, offset, err);
			if (rc)
				return rc;
			skip = 0;
		}
		part = image->window_length - skip;
		if (part > length)
			part = length;
		memcpy(to, image->window + skip, part);
		to += part;
		offset += part;
		length -= part;
	}
	return 0;
}

int cr_image_pread(const struct cr_image *image, uint64_t offset, void *to,
		   size_t length, struct cr_error *err)
{
	while (length) {
		ssize_t got = pread(image->fd, to, length,
				    (off_t)(image->base + offset));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cr_error_errno(err,
					      "read the image at byte %llu",
					      (unsigned long long)offset);
		if (got == 0)
			return cr_image_cut_short(offset, err);
		to = (uint8_t *)to + got;
		offset += (uint64_t)got;
		length -= (size_t)got;
	}
	return 0;
}
