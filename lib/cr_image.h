/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cr_image.h - read a checkpoint image
 *
 * Three levels: records in file order (works on a pipe too), the saved tree
 * as C structures, all checked (struct cr_saved in saved.h), and the memory,
 * read chunk by chunk by several threads straight to where it belongs.
 */
#ifndef CR_IMAGE_H
#define CR_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "cr_engine.h"
#include "cr_error.h"

struct cr_image;

struct cr_record {
	int type; /* enum cr_record_type in image_wire.h */
	uint32_t vpid; /* owner, as numbered inside the tree; or 0 */
	uint64_t offset; /* of the record's header, bytes from the start */
	uint64_t length; /* of the payload, bytes */
	const void *payload; /* valid until the next call; NULL for a chunk */
};

/*
 * Open the image @name in @dirfd (or AT_FDCWD) for reading.  Symbolic links
 * in the last component are not followed.  Checks the head only.
 * On success *@imagep is the caller's, to be closed.
 * Returns 0, or
 *	-EBADMSG		not an image, or the head is damaged
 *	-ENODATA		cut short
 *	-EPROTONOSUPPORT	written by a newer format
 *	-ENOMEM, and whatever openat(2) and read(2) return
 */
int cr_image_open(int dirfd, const char *name, struct cr_image **imagep,
		  struct cr_error *err);

/* The same from a descriptor, which need not be seekable; @fd is consumed on
 * success only. */
int cr_image_open_fd(int fd, struct cr_image **imagep, struct cr_error *err);

/* The image's descriptor, for fstat(2) and messages; it stays the image's. */
int cr_image_fd(const struct cr_image *image);

/* Move that descriptor to @floor or above: a restarting task needs the low
 * numbers for itself.  Returns 0 or -EMFILE. */
int cr_image_raise_fd(struct cr_image *image, int floor, struct cr_error *err);

/*
 * Next record in file order.  Chunk data is checked too if @verify_data, else
 * skipped.  Returns 1 for a record, 0 after the tail, or as cr_image_open().
 */
int cr_image_next(struct cr_image *image, struct cr_record *record,
		  int verify_data, struct cr_error *err);

/*
 * Where pages of a space belong: returns the address in this process for
 * @address of the space and in *@length how many bytes from there are
 * contiguous (at most what was passed in), or NULL if the address is none of
 * the space's (the image is refused with -EBADMSG).  A multiple of the page
 * size; called from several threads at once.
 */
typedef void *(*cr_locate_fn)(void *arg, uint64_t address, uint64_t *length);

/*
 * Read all chunks of @space to where @locate says, with @nr_workers threads
 * (0: as many as fit the size; 1: none but the caller's), data checksums
 * verified.  Needs a seekable image whose cr_saved has been loaded.  Safe in
 * a forked child of the process that loaded it, by several processes at once
 * (only positioned reads).  Untouched pages are holes: they read as zero or as
 * the file below.
 */
int cr_image_fill(struct cr_image *image, uint32_t space, cr_locate_fn locate,
		  void *arg, unsigned int nr_workers, struct cr_error *err);

/* The same for a space of which all @length bytes, whole pages, are at @base.
 */
int cr_image_fill_whole(struct cr_image *image, uint32_t space, void *base,
			uint64_t length, unsigned int nr_workers,
			struct cr_error *err);

/* Who does it: CR_ENGINE_AUTO at first, which is CR_ENGINE_USER here.  The
 * kernel's module leaves what is compressed to the filling process. */
void cr_image_set_engine(struct cr_image *image, enum cr_engine engine);

/* Bytes of memory that the index counts for @space. */
uint64_t cr_image_space_bytes(const struct cr_image *image, uint32_t space);

/*
 * The runs of pages that @space has in the image, sorted; *@runsp is freed by
 * the caller with free(3).  (A hole within a COW family must be told from a
 * page.)
 */
struct cr_wire_run;
int cr_image_space_runs(struct cr_image *image, uint32_t space,
			struct cr_wire_run **runsp, size_t *nr_runsp,
			struct cr_error *err);

/* Close @image and free it.  NULL is allowed; errno is preserved. */
void cr_image_close(struct cr_image *image);

#endif /* CR_IMAGE_H */
