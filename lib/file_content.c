/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_content.c - files whose content is in the image
 *
 * For those that another node does not have: without a name, or on a tmpfs.
 * The content is saved once for each inode, as a FILE space, without holes.
 *
 * Only what the tree may read, that is: its user gets it at the restart, and a
 * descriptor may be one to write with, or with O_PATH.  The restart is in
 * file_content_make.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "file.h"

struct cr_file_content {
	struct cr_memory_source source; /* its fd is ours */
	uint32_t space;
	uint64_t size; /* bytes */
};

static int read_content(const struct cr_memory_source *source, uint64_t address,
			void *buffer, size_t length)
{
	char *to = buffer;
	size_t done = 0;

	while (done < length) {
		ssize_t n = pread(source->fd, to + done, length - done,
				  (off_t)(address + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	memset(to + done, 0, length - done);
	return 0;
}

/* Has some task a description or mapping to read it with?  That of a program
 * which is run is the kernel's. */
static int is_ring_readable(const struct cr_file *file)
{
	const struct cr_file *other = file;
	int is_mapped = 0, is_program = 0;

	do {
		const unsigned int flags = other->wire.open_flags;

		if (other->fd < 0 && !strcmp(other->name, "exe"))
			is_program = 1;
		else if (other->fd < 0)
			is_mapped = 1;
		else if (!(flags & O_PATH) && (flags & O_ACCMODE) != O_WRONLY)
			return 1;
		other = other->next_of_inode;
	} while (other != file);
	return is_mapped && !is_program;
}

static int is_leased(const struct cr_file *file)
{
	return file->has_lease;
}

static int is_writable(const struct cr_file *file)
{
	return file->is_writable;
}

static int any_of_ring(const struct cr_file *file,
		       int (*is_so)(const struct cr_file *))
{
	const struct cr_file *other = file;

	do {
		if (is_so(other))
			return 1;
		other = other->next_of_inode;
	} while (other != file);
	return 0;
}

/* A description of our own, so that its position may move.  O_NONBLOCK: not
 * waiting for somebody else's lease to be broken. */
static int open_source(const struct cr_file *file)
{
	const int flags = O_RDONLY | O_NONBLOCK;
	char name[CR_FILE_NAME_MAX];
	int fd;

	if (!is_ring_readable(file))
		return cr_file_open_as_task(file, flags);
	cr_file_name(file, name);
	fd = open(name, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* All of the ring have the content that @file has. */
static void share_content(struct cr_file *file, uint32_t space)
{
	uint32_t flags =
		any_of_ring(file, is_writable) ? CR_FILE_F_WRITABLE : 0;
	struct cr_file *other = file;

	do {
		other->wire.space = space;
		other->wire.flags |= flags;
		other = other->next_of_inode;
	} while (other != file);
}

int cr_file_content_add(struct cr_file_table *table, struct cr_file *file,
			struct cr_error *err)
{
	struct cr_file_content *content;
	int fd;

	if (file->wire.space || any_of_ring(file, is_leased))
		return 0;
	fd = open_source(file);
	if (fd < 0)
		return cr_file_refuse(table, file, "cannot read %s: %s",
				      file->link, strerror(-fd));
	content = calloc(1, sizeof(*content));
	if (!content) {
		close(fd);
		return cr_error_set(err, -ENOMEM, "out of memory");
	}
	content->source.read = read_content;
	content->source.fd = fd;
	content->source.skip_zero = 1;
	content->size = file->wire.size;
	content->space =
		table->options.new_space(table->options.arg, CR_SPACE_FILE,
					 cr_page_up(content->size),
					 file->wire.id);
	file->content = content;
	share_content(file, content->space);
	return 0;
}

/* The runs of pages that hold data, as SEEK_DATA and SEEK_HOLE see them. */
static int find_runs(const struct cr_file_content *content,
		     struct cr_wire_run **runsp, size_t *nrp)
{
	struct cr_wire_run *runs = NULL;
	uint64_t end = 0;
	size_t nr = 0;

	while (end < content->size) {
		off_t data = lseek(content->source.fd, (off_t)end, SEEK_DATA);
		uint64_t start = data < 0 ? end : (uint64_t)data;
		off_t hole;

		if (data < 0 && errno == ENXIO)
			break;
		start &= ~(uint64_t)(CR_WIRE_PAGE - 1);
		hole = data < 0 ? -1 :
				  lseek(content->source.fd, data, SEEK_HOLE);
		end = cr_page_up(hole < 0 ? content->size : (uint64_t)hole);
		if (cr_array_grow(&runs, nr, sizeof(*runs)) < 0) {
			free(runs);
			return -ENOMEM;
		}
		runs[nr++] = (struct cr_wire_run){ start, end - start };
	}
	*runsp = runs;
	*nrp = nr;
	return 0;
}

int cr_file_content_write(struct cr_file *file, struct cr_image_writer *writer,
			  struct cr_error *err)
{
	struct cr_file_content *content = file->content;
	struct cr_wire_run *runs = NULL;
	size_t nr_runs = 0;
	int rc;

	rc = find_runs(content, &runs, &nr_runs);
	if (rc < 0)
		return cr_error_set(err, rc, "content of %s: out of memory",
				    file->link);
	if (nr_runs)
		rc = cr_image_writer_memory(writer, content->space,
					    &content->source, runs, nr_runs,
					    err);
	free(runs);
	return rc;
}

void cr_file_content_free(struct cr_file_content *content)
{
	if (!content)
		return;
	close(content->source.fd);
	free(content);
}
