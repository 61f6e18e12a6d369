// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_read_fill.c - read a space's memory to where it belongs
 *
 * Uncompressed chunks are read straight into their places and checked there.
 * Only positioned reads and no shared state of the image: several processes
 * fill from one open image at once.  The index has been checked when it was
 * loaded, but the file may have changed since: each chunk is checked again.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cr_fault.h"
#include "crc.h"
#include "huge_page.h"
#include "image_chunk.h"
#include "image_reader.h"
#include "kmod.h"

#define WORKERS_MAX 8
/* Less than this is not worth another thread. */
#define BYTES_PER_WORKER (8u << 20)

struct fill {
	const struct cr_image *image;
	uint32_t space;
	cr_locate_fn locate;
	void *arg;
	bool huge_pages_allowed;
	size_t end; /* behind the space's last entry */
	atomic_size_t next; /* entry that nobody has taken yet */
	pthread_mutex_t lock;
	struct cr_error error; /* the first of any worker */
};

/* A worker's buffers. */
struct filler {
	struct cr_kmod *kmod; /* NULL: we read ourselves */
	uint8_t header[CR_CHUNK_HEADER_MAX];
	struct iovec pieces[CR_CHUNK_RUNS_MAX], left[CR_CHUNK_RUNS_MAX];
	size_t nr_pieces;
	uint8_t *stored, *raw; /* of packed chunks */
	size_t stored_max, raw_max;
	bool takes_huge_pages;
};

_Static_assert(CR_CHUNK_RUNS_MAX <= 1024, "one chunk fits one preadv(2)");

static int no_place(const struct fill *fill, uint64_t address,
		    struct cr_error *err)
{
	return cr_error_set(err, -EBADMSG, "space %u has no page at %#llx",
			    fill->space, (unsigned long long)address);
}

/* Where the chunk's pages go: worker->pieces. */
static int locate_runs(const struct fill *fill, struct filler *filler,
		       struct cr_error *err)
{
	const struct cr_wire_chunk *chunk = cr_chunk_of(filler->header);
	const struct cr_wire_run *runs = cr_chunk_runs(filler->header);

	filler->nr_pieces = 0;
	for (uint32_t i = 0; i < chunk->nr_runs; i++) {
		uint64_t address = runs[i].address, left = runs[i].length;

		while (left) {
			uint64_t length = left;
			void *place = fill->locate(fill->arg, address, &length);

			if (!place || length == 0 || length > left ||
			    length % CR_WIRE_PAGE)
				return no_place(fill, address, err);
			filler->pieces[filler->nr_pieces++] =
				(struct iovec){ place, (size_t)length };
			address += length;
			left -= length;
		}
	}
	return 0;
}

static int check_crc(const struct filler *filler, uint32_t crc,
		     struct cr_error *err)
{
	const struct cr_wire_chunk *chunk = cr_chunk_of(filler->header);

	if (crc == chunk->data_crc)
		return 0;
	return cr_error_set(err, -EBADMSG,
			    "memory of space %u at %#llx has a wrong checksum",
			    chunk->space,
			    (unsigned long long)cr_chunk_runs(filler->header)
				    ->address);
}

static int read_pieces(const struct cr_image *image, struct filler *filler,
		       uint64_t offset, struct cr_error *err)
{
	struct iovec *left = filler->left;
	size_t nr = filler->nr_pieces;

	memcpy(left, filler->pieces, nr * sizeof(*left));
	while (nr) {
		ssize_t got = cr_fault(CR_FAULT_FILL) ?
				      -1 :
				      preadv(image->fd, left, (int)nr,
					     (off_t)(image->base + offset));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cr_error_errno(err,
					      "read the image at byte %llu",
					      (unsigned long long)offset);
		if (got == 0)
			return cr_error_set(err, -ENODATA,
					    "image is cut short");
		offset += (uint64_t)got;
		for (; nr && (size_t)got >= left->iov_len; left++, nr--)
			got -= (ssize_t)left->iov_len;
		if (nr) {
			left->iov_base = (uint8_t *)left->iov_base + got;
			left->iov_len -= (size_t)got;
		}
	}
	return 0;
}

/*
 * Fresh pages all at once take a fifth less time than a fault for each.  And
 * where a filesystem is full, this is an error and not a SIGBUS later.
 */
static int populate(struct filler *filler, struct cr_error *err)
{
	for (size_t i = 0; i < filler->nr_pieces; i++) {
		const struct iovec *piece = &filler->pieces[i];

		if (filler->takes_huge_pages && piece->iov_len >= CR_HUGE_PAGE)
			filler->takes_huge_pages =
				cr_huge_pages_take(piece->iov_base,
						   piece->iov_len);
		/* Older kernels do not know it: EINVAL. */
		if (madvise(piece->iov_base, piece->iov_len,
			    MADV_POPULATE_WRITE) &&
		    (errno == EFAULT || errno == ENOMEM))
			return cr_error_errno(err, "no memory for a space");
	}
	return 0;
}

/* By the kernel's module.  Returns 1 if that is done, 0 if it is ours to do. */
static int fill_by_kernel(const struct fill *fill, struct filler *filler,
			  uint64_t data, struct cr_error *err)
{
	const struct cr_image *image = fill->image;
	uint32_t crc;
	int rc;

	if (!filler->kmod)
		return 0;
	rc = cr_kmod_fill(filler->kmod, image->fd, image->base + data,
			  filler->pieces, filler->nr_pieces, &crc);
	if (rc == 0)
		rc = check_crc(filler, crc, err);
	else if (rc == -ENODATA)
		cr_error_set(err, rc, "image is cut short");
	else
		cr_error_set(err, rc, "the kernel engine: filling space %u: %s",
			     fill->space, strerror(-rc));
	return rc < 0 ? rc : 1;
}

static int fill_plain(const struct fill *fill, struct filler *filler,
		      uint64_t data, struct cr_error *err)
{
	uint32_t crc = 0;
	int rc = fill_by_kernel(fill, filler, data, err);

	if (rc)
		return rc < 0 ? rc : 0;
	rc = populate(filler, err);
	if (!rc)
		rc = read_pieces(fill->image, filler, data, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < filler->nr_pieces; i++)
		crc = cr_crc32c(crc, filler->pieces[i].iov_base,
				filler->pieces[i].iov_len);
	return check_crc(filler, crc, err);
}

static int reserve(uint8_t **buffer, size_t *max, size_t length)
{
	if (length <= *max)
		return 0;
	free(*buffer);
	*buffer = malloc(length);
	*max = *buffer ? length : 0;
	return *buffer ? 0 : -ENOMEM;
}

static int fill_packed(const struct fill *fill, struct filler *filler,
		       uint64_t data, struct cr_error *err)
{
	const struct cr_wire_chunk *chunk = cr_chunk_of(filler->header);
	size_t stored = (size_t)chunk->stored_length;
	const uint8_t *from;
	int rc;

	if (reserve(&filler->stored, &filler->stored_max, stored) ||
	    reserve(&filler->raw, &filler->raw_max, (size_t)chunk->raw_length))
		return cr_error_set(err, -ENOMEM, "no memory to unpack");
	rc = cr_image_pread(fill->image, data, filler->stored, stored, err);
	if (!rc)
		rc = check_crc(filler, cr_crc32c(0, filler->stored, stored),
			       err);
	if (rc)
		return rc;
	if (cr_chunk_unpack(chunk->compression, filler->stored, stored,
			    filler->raw, (size_t)chunk->raw_length))
		return cr_error_set(err, -EBADMSG, "chunk cannot be unpacked");
	rc = populate(filler, err);
	if (rc)
		return rc;
	from = filler->raw;
	for (size_t i = 0; i < filler->nr_pieces; i++) {
		memcpy(filler->pieces[i].iov_base, from,
		       filler->pieces[i].iov_len);
		from += filler->pieces[i].iov_len;
	}
	return 0;
}

static int fill_chunk(const struct fill *fill, struct filler *filler, size_t i,
		      struct cr_error *err)
{
	const struct cr_wire_chunk *chunk = cr_chunk_of(filler->header);
	uint64_t data;
	int rc = cr_image_read_header(fill->image, i, filler->header, err);

	if (!rc)
		rc = locate_runs(fill, filler, err);
	if (rc)
		return rc;
	data = fill->image->entries[i].offset + chunk->data_offset;
	if (chunk->compression == CR_COMPRESS_NONE)
		return fill_plain(fill, filler, data, err);
	return fill_packed(fill, filler, data, err);
}

static void fail(struct fill *fill, const struct cr_error *err)
{
	/* The others find nothing more to do. */
	atomic_store(&fill->next, fill->end);
	pthread_mutex_lock(&fill->lock);
	if (!fill->error.code)
		fill->error = *err;
	pthread_mutex_unlock(&fill->lock);
}

/* Only if asked for by name: it has hardly been faster (docs/kernel.md). */
static enum cr_engine engine_of(const struct cr_image *image)
{
	return image->engine == CR_ENGINE_KERNEL ? CR_ENGINE_KERNEL :
						   CR_ENGINE_USER;
}

static void *filler_main(void *arg)
{
	struct fill *fill = arg;
	struct filler *filler = calloc(1, sizeof(*filler));
	struct cr_error err = { 0 };
	int rc = 0;

	if (!filler)
		rc = cr_error_set(&err, -ENOMEM, "no memory to fill a space");
	else
		rc = cr_kmod_open(engine_of(fill->image), &filler->kmod, &err);
	if (filler)
		filler->takes_huge_pages = fill->huge_pages_allowed;
	while (!rc) {
		size_t i = atomic_fetch_add(&fill->next, 1);

		if (i >= fill->end)
			break;
		rc = fill_chunk(fill, filler, i, &err);
	}
	if (rc)
		fail(fill, &err);
	if (filler) {
		cr_kmod_close(filler->kmod);
		free(filler->stored);
		free(filler->raw);
	}
	free(filler);
	return NULL;
}

static unsigned int choose_workers(unsigned int wanted, uint64_t bytes)
{
	uint64_t fits = bytes / BYTES_PER_WORKER;
	cpu_set_t cpus;
	uint64_t nr = wanted;

	if (!nr)
		nr = sched_getaffinity(0, sizeof(cpus), &cpus) ?
			     1 :
			     (uint64_t)CPU_COUNT(&cpus);
	if (nr > fits)
		nr = fits;
	if (nr > WORKERS_MAX)
		nr = WORKERS_MAX;
	return nr ? (unsigned int)nr : 1;
}

void cr_image_set_engine(struct cr_image *image, enum cr_engine engine)
{
	image->engine = engine;
}

int cr_image_fill(struct cr_image *image, uint32_t space, cr_locate_fn locate,
		  void *arg, unsigned int nr_workers, struct cr_error *err)
{
	struct fill fill = {
		.image = image,
		.space = space,
		.locate = locate,
		.arg = arg,
		.next = cr_image_first_entry(image, space),
		.end = cr_image_first_entry(image, (uint64_t)space + 1),
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	pthread_t threads[WORKERS_MAX];
	unsigned int nr_threads = 0;
	uint64_t bytes;

	if (!image->is_regular)
		return cr_error_set(err, -ESPIPE,
				    "memory cannot be read from a stream");
	bytes = cr_image_space_bytes(image, space);
	/* most spaces of a tree are too small for one: do not even ask */
	fill.huge_pages_allowed =
		bytes >= CR_HUGE_PAGE && cr_huge_pages_are_allowed();
	nr_workers = choose_workers(nr_workers, bytes);
	/* The caller is a worker too; without the others it does all. */
	while (nr_threads + 1 < nr_workers &&
	       !pthread_create(&threads[nr_threads], NULL, filler_main, &fill))
		nr_threads++;
	filler_main(&fill);
	while (nr_threads)
		pthread_join(threads[--nr_threads], NULL);
	if (fill.error.code)
		return cr_error_set(err, fill.error.code, "%s",
				    fill.error.text);
	return 0;
}

struct whole {
	char *base;
	uint64_t length;
};

static void *locate_in_whole(void *arg, uint64_t address, uint64_t *length)
{
	const struct whole *whole = arg;

	if (address >= whole->length)
		return NULL;
	if (*length > whole->length - address)
		*length = whole->length - address;
	return whole->base + address;
}

int cr_image_fill_whole(struct cr_image *image, uint32_t space, void *base,
			uint64_t length, unsigned int nr_workers,
			struct cr_error *err)
{
	struct whole whole = { base, length };

	return cr_image_fill(image, space, locate_in_whole, &whole, nr_workers,
			     err);
}
