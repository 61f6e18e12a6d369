/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_pipe.c - pipes, and what is in them and in FIFOs
 *
 * All descriptions of one pipe are a ring and are made together, by the first
 * task that needs one of them.  An end that nobody holds stays closed; one
 * that is held outside the tree makes the pipe a stream of the rank, or is
 * refused.  The content is copied with tee(2), which takes nothing out.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "file_pipe.h"

struct wire_pipe {
	uint32_t capacity; /* bytes, F_GETPIPE_SZ */
	uint32_t length; /* of the content */
	uint32_t nr_parts; /* the packets of a pipe in packet mode */
	uint32_t is_packet;
	/* uint32_t length[nr_parts], content */
};

struct content {
	struct wire_pipe head;
	uint32_t *parts;
	char *bytes;
};

static int access_mode(const struct cr_file *file)
{
	return (int)(file->wire.open_flags & O_ACCMODE);
}

/* A description of the ring that reads (or writes), or NULL. */
static struct cr_file *find_end(struct cr_file *file, int mode)
{
	struct cr_file *other = file;

	do {
		if (access_mode(other) == mode || access_mode(other) == O_RDWR)
			return other;
		other = other->next_of_inode;
	} while (other != file);
	return NULL;
}

static int is_first_of_ring(const struct cr_file *file)
{
	const struct cr_file *other;

	for (other = file->next_of_inode; other != file;
	     other = other->next_of_inode)
		if (other->wire.id < file->wire.id)
			return 0;
	return 1;
}

/* With only the other end in the tree: does somebody else hold this one? */
static int is_held_outside(const struct cr_file *end)
{
	struct pollfd poll_fd = { .fd = end->fd };

	if (poll(&poll_fd, 1, 0) < 0)
		return 1;
	return !(poll_fd.revents & (POLLHUP | POLLERR));
}

/* The two ends of a pipe of ours that has a copy of the content of @fd. */
static int copy_pipe(int fd, int capacity, int copy[2], struct cr_error *err)
{
	if (pipe2(copy, O_CLOEXEC | O_NONBLOCK) < 0)
		return cr_error_errno(err, "pipe");
	if (fcntl(copy[1], F_SETPIPE_SZ, capacity) < 0)
		return cr_error_errno(err, "pipe of %d bytes", capacity);
	if (tee(fd, copy[1], (size_t)capacity, SPLICE_F_NONBLOCK) < 0 &&
	    errno != EAGAIN)
		return cr_error_errno(err, "tee");
	return 0;
}

/* Each read(2) ends with a packet, where there are packets. */
static int read_parts(int fd, struct content *content, struct cr_error *err)
{
	struct wire_pipe *head = &content->head;

	for (;;) {
		ssize_t n = read(fd, content->bytes + head->length,
				 head->capacity - head->length);

		if (n < 0 && errno != EAGAIN)
			return cr_error_errno(err, "read of a pipe's copy");
		if (n <= 0)
			return 0;
		if (cr_array_grow(&content->parts, head->nr_parts,
				  sizeof(*content->parts)) < 0)
			return cr_error_set(err, -ENOMEM, "out of memory");
		content->parts[head->nr_parts++] = (uint32_t)n;
		head->length += (uint32_t)n;
	}
}

static int peek_content(int fd, struct content *content, struct cr_error *err)
{
	int copy[2] = { -1, -1 };
	int rc;

	content->bytes = malloc(content->head.capacity);
	if (!content->bytes)
		return cr_error_set(err, -ENOMEM, "out of memory");
	rc = copy_pipe(fd, (int)content->head.capacity, copy, err);
	if (rc == 0)
		rc = read_parts(copy[0], content, err);
	if (copy[0] >= 0) {
		close(copy[0]);
		close(copy[1]);
	}
	return rc;
}

static int set_content(struct cr_file *file, const struct content *content,
		       struct cr_error *err)
{
	size_t parts = content->head.nr_parts * sizeof(uint32_t);
	size_t length = sizeof(content->head) + parts + content->head.length;
	char *data = malloc(length);
	int rc;

	if (!data)
		return cr_error_set(err, -ENOMEM, "out of memory");
	memcpy(data, &content->head, sizeof(content->head));
	if (parts)
		memcpy(data + sizeof(content->head), content->parts, parts);
	if (content->head.length)
		memcpy(data + sizeof(content->head) + parts, content->bytes,
		       content->head.length);
	rc = cr_file_set_data(file, data, length, err);
	free(data);
	return rc;
}

/* The first of a ring has the content of all. */
int cr_pipe_save_content(struct cr_file *file, struct cr_error *err)
{
	const struct cr_file *reader = find_end(file, O_RDONLY);
	const struct cr_file *writer = find_end(file, O_WRONLY);
	struct content content = { 0 };
	int capacity, rc = 0;

	capacity = fcntl(file->fd, F_GETPIPE_SZ);
	if (capacity < 0)
		return cr_error_errno(err, "size of a pipe");
	content.head.capacity = (uint32_t)capacity;
	if (reader && is_first_of_ring(file))
		rc = peek_content(reader->fd, &content, err);
	content.head.is_packet = content.head.nr_parts > 1 ||
				 (writer && writer->wire.open_flags & O_DIRECT);
	if (rc == 0)
		rc = set_content(file, &content, err);
	free(content.parts);
	free(content.bytes);
	return rc;
}

static int finish_pipe(struct cr_file_table *table, struct cr_file *file,
		       struct cr_error *err)
{
	int has_both = find_end(file, O_RDONLY) && find_end(file, O_WRONLY);

	if (!has_both && is_held_outside(file)) {
		if (cr_file_try_external(table, file))
			return 0;
		return cr_file_refuse(table, file,
				      "%s, whose other end is held outside "
				      "the tree",
				      file->link);
	}
	return cr_pipe_save_content(file, err);
}

/* ---- restoring ---- */

static const struct wire_pipe *checked_head(const struct cr_saved_file *saved)
{
	const struct wire_pipe *head = saved->data;
	const uint32_t *parts = (const uint32_t *)(head + 1);
	uint64_t sum = 0;
	uint32_t i;

	if (saved->file->data_length < sizeof(*head) ||
	    head->nr_parts > (saved->file->data_length - sizeof(*head)) / 4 ||
	    saved->file->data_length !=
		    sizeof(*head) + head->nr_parts * 4ull + head->length)
		return NULL;
	for (i = 0; i < head->nr_parts; i++)
		sum += parts[i];
	return sum == head->length ? head : NULL;
}

static int write_parts(const struct wire_pipe *head, int fd)
{
	const uint32_t *parts = (const uint32_t *)(head + 1);
	const char *bytes = (const char *)(parts + head->nr_parts);
	uint32_t i;

	for (i = 0; i < head->nr_parts; i++) {
		ssize_t n = write(fd, bytes, parts[i]);

		if (n != (ssize_t)parts[i])
			return n < 0 ? -errno : -EIO;
		bytes += parts[i];
	}
	return 0;
}

/* Size and content of the pipe that @fd writes to, of ring member @id. */
static int fill_one(struct cr_file_restore *restore, uint32_t id, int fd,
		    struct cr_error *err)
{
	const struct wire_pipe *head = checked_head(cr_file_saved(restore, id));
	int flags = fcntl(fd, F_GETFL), rc;

	if (!head || head->capacity > INT32_MAX)
		return cr_error_set(err, -EBADMSG, "content of pipe %u", id);
	if (fcntl(fd, F_SETPIPE_SZ, (int)head->capacity) < 0)
		return cr_error_errno(err, "pipe %u of %u bytes", id,
				      head->capacity);
	fcntl(fd, F_SETFL,
	      flags | O_NONBLOCK | (head->is_packet ? O_DIRECT : 0));
	rc = write_parts(head, fd);
	fcntl(fd, F_SETFL, flags);
	if (rc < 0)
		return cr_error_set(err, rc, "content of pipe %u: %s", id,
				    strerror(-rc));
	return 0;
}

int cr_pipe_fill(struct cr_file_restore *restore, uint32_t id, int fd,
		 struct cr_error *err)
{
	uint32_t other = id;
	int rc;

	do {
		rc = fill_one(restore, other, fd, err);
		other = cr_file_ring_next(restore, other);
	} while (rc == 0 && other != id);
	return rc;
}

/* Of each direction the first member takes the end that pipe(2) made; the
 * others are opened anew. */
static int park_ends(struct cr_file_restore *restore, uint32_t id, int ends[2],
		     struct cr_error *err)
{
	uint32_t first[2] = { 0, 0 }, other = id;
	int i, rc = 0;

	do {
		uint32_t mode =
			cr_file_saved(restore, other)->file->open_flags &
			O_ACCMODE;

		if (mode < 2 && !first[mode])
			first[mode] = other;
		else
			rc = cr_file_park_reopened(restore, other, ends[0],
						   err);
		other = cr_file_ring_next(restore, other);
	} while (rc == 0 && other != id);
	for (i = 0; i < 2 && rc == 0; i++) {
		if (!first[i])
			continue;
		rc = cr_file_park(restore, first[i], ends[i], err);
		ends[i] = -1;
	}
	return rc;
}

static int make_pipe(struct cr_file_restore *restore, uint32_t id,
		     struct cr_error *err)
{
	int ends[2], i, rc;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return cr_error_errno(err, "pipe");
	rc = cr_pipe_fill(restore, id, ends[1], err);
	if (rc == 0)
		rc = park_ends(restore, id, ends, err);
	for (i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return rc;
}

const struct cr_file_ops cr_file_pipe_ops = {
	.kind = CR_FILE_PIPE,
	.name = "pipe",
	.has_ring = 1,
	.flags = O_NONBLOCK | O_ASYNC | O_DIRECT,
	.finish = finish_pipe,
	.make = make_pipe,
};
