// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_read.c - an image's records in file order
 *
 * Nothing that is read is trusted: a length is compared with what can be
 * there before anything is allocated, and no record is handed out before its
 * checksum has been found right.  Works on streams; small reads go through a
 * window that is read ahead.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc.h"
#include "image_chunk.h"
#include "image_reader.h"

static size_t padding(uint64_t length)
{
	return (size_t)(-length & (CR_WIRE_ALIGN - 1));
}

static int reserve_payload(struct cr_image *image, size_t length,
			   struct cr_error *err)
{
	uint8_t *payload;

	if (length <= image->payload_max)
		return 0;
	payload = realloc(image->payload, length);
	if (!payload)
		return cr_error_set(err, -ENOMEM,
				    "no memory for a record of %zu bytes",
				    length);
	image->payload = payload;
	image->payload_max = length;
	return 0;
}

/* What lies between the end of a payload and the next record. */
static int check_padding(struct cr_image *image, uint64_t end,
			 struct cr_error *err)
{
	static const uint8_t zeros[CR_WIRE_ALIGN];
	uint8_t bytes[CR_WIRE_ALIGN];
	int rc = cr_image_read_at(image, end, bytes, padding(end), err);

	if (rc)
		return rc;
	if (memcmp(bytes, zeros, padding(end)))
		return cr_error_set(err, -EBADMSG,
				    "padding at byte %llu is not zero",
				    (unsigned long long)end);
	return 0;
}

static int read_plain(struct cr_image *image, struct cr_error *err)
{
	struct cr_wire_record header = image->header;
	size_t length = (size_t)header.length;
	uint32_t crc;
	int rc;

	if (header.length > CR_WIRE_PAYLOAD_MAX)
		return cr_error_set(err, -EBADMSG, "record is too large");
	rc = reserve_payload(image, length + 1, err);
	if (!rc)
		rc = cr_image_read_at(image, image->offset + sizeof(header),
				      image->payload, length, err);
	if (rc)
		return rc;
	header.crc = 0;
	crc = cr_crc32c(cr_crc32c(0, &header, sizeof(header)), image->payload,
			length);
	if (crc != image->header.crc)
		return cr_error_set(err, -EBADMSG,
				    "record with a wrong checksum");
	return 0;
}

static int check_chunk_data(struct cr_image *image, struct cr_error *err)
{
	const struct cr_wire_chunk *chunk = cr_chunk_of(image->payload);
	uint8_t *data = image->payload + CR_CHUNK_HEADER_MAX;
	int rc = cr_image_read_at(image, image->offset + chunk->data_offset,
				  data, (size_t)chunk->stored_length, err);

	if (rc)
		return rc;
	if (cr_crc32c(0, data, (size_t)chunk->stored_length) != chunk->data_crc)
		return cr_error_set(err, -EBADMSG,
				    "chunk whose data has a wrong checksum");
	return 0;
}

/* The header, with runs, into image->payload; data only to be checked. */
static int read_chunk(struct cr_image *image, bool verify_data,
		      struct cr_error *err)
{
	struct cr_wire_chunk chunk;
	int rc;

	if (image->header.length <
	    CR_CHUNK_HEADER_MIN - sizeof(struct cr_wire_record))
		return cr_error_set(err, -EBADMSG, "chunk is too small");
	rc = cr_image_read_at(image,
			      image->offset + sizeof(struct cr_wire_record),
			      &chunk, sizeof(chunk), err);
	if (!rc)
		rc = cr_chunk_check_sizes(&image->header, &chunk, err);
	if (!rc)
		rc = reserve_payload(image,
				     CR_CHUNK_HEADER_MAX +
					     (verify_data ? CR_WIRE_CHUNK_MAX :
							    0),
				     err);
	if (!rc)
		rc = cr_image_read_at(image, image->offset, image->payload,
				      (size_t)chunk.data_offset, err);
	if (!rc)
		rc = cr_chunk_check_header(image->payload, err);
	if (rc)
		return rc;
	if ((image->offset + chunk.data_offset) % CR_WIRE_PAGE)
		return cr_error_set(err, -EBADMSG,
				    "chunk whose data is not aligned");
	return verify_data ? check_chunk_data(image, err) : 0;
}

static int check_tail(const struct cr_image *image, uint64_t end,
		      struct cr_error *err)
{
	struct cr_wire_tail tail;

	if (image->header.length != sizeof(tail))
		return cr_error_set(err, -EBADMSG, "tail of a wrong length");
	memcpy(&tail, image->payload, sizeof(tail));
	if (tail.magic != CR_WIRE_TAIL_MAGIC || tail.length != end ||
	    tail.nr_records != image->nr_records || !image->index_offset ||
	    tail.index_offset != image->index_offset)
		return cr_error_set(err, -EBADMSG,
				    "tail does not fit the image");
	if (image->is_regular && image->size != end)
		return cr_error_set(err, -EBADMSG,
				    "something follows the image's tail");
	return 0;
}

static int check_type(struct cr_image *image, struct cr_error *err)
{
	int type = image->header.type;

	if (type == CR_RECORD_INDEX) {
		if (image->index_offset)
			return cr_error_set(err, -EBADMSG, "second index");
		image->index_offset = image->offset;
	}
	if ((type == CR_RECORD_HEAD) != (image->offset == 0))
		return cr_error_set(err, -EBADMSG, "head in a wrong place");
	if ((type >= CR_RECORD_HEAD && type <= CR_RECORD_VDSO) ||
	    (type >= CR_RECORD_CHUNK && type <= CR_RECORD_TAIL))
		return 0;
	if (image->header.flags & CR_RECORD_F_REQUIRED)
		return cr_error_set(err, -EPROTONOSUPPORT,
				    "unknown record of type %d: the image is "
				    "newer than this program",
				    type);
	return 0;
}

/* Read and check the record at image->offset and move on to the next. */
static int read_record(struct cr_image *image, bool verify_data,
		       struct cr_error *err)
{
	struct cr_wire_record *header = &image->header;
	uint64_t end;
	int rc = cr_image_read_at(image, image->offset, header, sizeof(*header),
				  err);

	if (rc)
		return rc;
	if (header->reserved)
		return cr_error_set(err, -EBADMSG, "damaged record header");
	if (header->length > image->size ||
	    image->offset + sizeof(*header) + header->length > image->size)
		return cr_image_cut_short(image->size, err);
	rc = header->type == CR_RECORD_CHUNK ?
		     read_chunk(image, verify_data, err) :
		     read_plain(image, err);
	if (!rc)
		rc = check_type(image, err);
	end = image->offset + sizeof(*header) + header->length;
	if (!rc)
		rc = check_padding(image, end, err);
	if (rc)
		return rc;
	end += padding(end);
	image->nr_records++;
	if (header->type == CR_RECORD_TAIL) {
		rc = check_tail(image, end, err);
		image->has_ended = true;
	}
	image->offset = end;
	return rc;
}

static int check_head(const struct cr_wire_head *head, struct cr_error *err)
{
	if (head->version != CR_WIRE_VERSION)
		return cr_error_set(err, -EPROTONOSUPPORT,
				    "image has version %u, this program reads "
				    "version %u",
				    head->version, CR_WIRE_VERSION);
	if (head->arch != CR_WIRE_ARCH_X86_64 ||
	    head->page_size != CR_WIRE_PAGE || (head->flags & ~CR_HEAD_F_PIDNS))
		return cr_error_set(err, -EPROTONOSUPPORT,
				    "image is of another architecture or has "
				    "features unknown here");
	if (head->release[sizeof(head->release) - 1] ||
	    head->node[sizeof(head->node) - 1])
		return cr_error_set(err, -EBADMSG,
				    "head with a name that does not end");
	return 0;
}

static int read_head(struct cr_image *image, struct cr_error *err)
{
	struct {
		struct cr_wire_record record;
		uint64_t magic;
	} start;
	int rc = cr_image_read_at(image, 0, &start, sizeof(start), err);

	if (rc)
		return rc;
	if (start.record.type != CR_RECORD_HEAD || start.magic != CR_WIRE_MAGIC)
		return cr_error_set(err, -EBADMSG, "not a checkpoint image");
	rc = read_record(image, false, err);
	if (rc)
		return rc;
	image->is_head_next = true;
	/* A newer head may be longer; its version comes first. */
	if (image->header.length < sizeof(start.magic) + sizeof(uint32_t))
		return cr_error_set(err, -EBADMSG, "head is too small");
	if (image->header.length != sizeof(struct cr_wire_head)) {
		uint32_t version;

		memcpy(&version, image->payload + sizeof(start.magic),
		       sizeof(version));
		return cr_error_set(err,
				    version > CR_WIRE_VERSION ?
					    -EPROTONOSUPPORT :
					    -EBADMSG,
				    "head of a wrong length, version %u",
				    version);
	}
	return check_head((const void *)image->payload, err);
}

static int look_at(struct cr_image *image, struct cr_error *err)
{
	struct stat stat;
	off_t base;

	if (fstat(image->fd, &stat))
		return cr_error_errno(err, "look at the image");
	if (S_ISDIR(stat.st_mode))
		return cr_error_set(err, -EISDIR, "image is a directory");
	image->size = INT64_MAX;
	if (!S_ISREG(stat.st_mode))
		return 0;
	base = lseek(image->fd, 0, SEEK_CUR);
	if (base < 0)
		return cr_error_errno(err, "look at the image");
	image->is_regular = true;
	image->base = (uint64_t)base;
	image->size = stat.st_size > base ? (uint64_t)(stat.st_size - base) : 0;
	return 0;
}

int cr_image_open_fd(int fd, struct cr_image **imagep, struct cr_error *err)
{
	struct cr_image *image = calloc(1, sizeof(*image));
	int rc;

	if (!image)
		return cr_error_set(err, -ENOMEM, "no memory for an image");
	image->fd = fd;
	image->window = malloc(CR_IMAGE_WINDOW);
	rc = image->window ?
		     look_at(image, err) :
		     cr_error_set(err, -ENOMEM, "no memory for an image");
	if (!rc)
		rc = read_head(image, err);
	if (rc) {
		image->fd = -1;
		cr_image_close(image);
		return rc;
	}
	*imagep = image;
	return 0;
}

int cr_image_open(int dirfd, const char *name, struct cr_image **imagep,
		  struct cr_error *err)
{
	int rc, fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return cr_error_errno(err, "open %s", name);
	rc = cr_image_open_fd(fd, imagep, err);
	if (rc)
		close(fd);
	return rc && err ? cr_error_prefix(err, "%s", name) : rc;
}

int cr_image_fd(const struct cr_image *image)
{
	return image->fd;
}

int cr_image_raise_fd(struct cr_image *image, int floor, struct cr_error *err)
{
	int fd;

	if (image->fd >= floor)
		return 0;
	fd = fcntl(image->fd, F_DUPFD_CLOEXEC, floor);
	if (fd < 0)
		return cr_error_errno(err, "moving the image's descriptor");
	close(image->fd);
	image->fd = fd;
	return 0;
}

int cr_image_next(struct cr_image *image, struct cr_record *record,
		  int verify_data, struct cr_error *err)
{
	uint64_t offset = image->offset;
	int rc = 0;

	if (image->has_ended)
		return 0;
	if (image->is_head_next)
		offset = 0;
	else
		rc = read_record(image, verify_data != 0, err);
	image->is_head_next = false;
	if (rc)
		return rc;
	record->type = image->header.type;
	record->vpid = image->header.vpid;
	record->offset = offset;
	record->length = image->header.length;
	record->payload =
		image->header.type == CR_RECORD_CHUNK ? NULL : image->payload;
	return 1;
}

void cr_image_close(struct cr_image *image)
{
	int saved_errno = errno;

	if (!image)
		return;
	if (image->fd >= 0)
		close(image->fd);
	free(image->payload);
	free(image->window);
	free(image->entries);
	free(image);
	errno = saved_errno;
}
