/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_regular.c - regular files
 *
 * A file on a filesystem that the other nodes see is opened again by its
 * path.  One without a name, or on a tmpfs, is in the image: all descriptions
 * of its inode are a ring and share one content.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crc.h"
#include "file.h"

#define BUILD_HEAD 4096 /* bytes */

/* Of a program or library that is mapped. */
struct wire_build {
	uint32_t length; /* of the head that the checksum is of */
	uint32_t crc;
};

/* NFS keeps a removed file that is open under such a name until it is closed.
 */
static int is_silly_renamed(const struct cr_file *file)
{
	const char *slash = strrchr(file->link, '/');

	return file->filesystem == NFS_SUPER_MAGIC && slash &&
	       !strncmp(slash, "/.nfs", 5);
}

static int save_by_name(struct cr_file_table *table, struct cr_file *file,
			struct cr_error *err)
{
	int rc = cr_file_set_path(file, err);

	if (rc < 0)
		return rc;
	rc = cr_file_path_is_good(file) ? 1 : cr_file_find_link(file, err);
	if (rc < 0)
		return rc;
	if (!rc)
		return cr_file_refuse(table, file, "%s: %s", file->path,
				      file->filesystem == SECRETMEM_MAGIC ?
					      "of memfd_secret(2)" :
					      "the name leads to another file "
					      "now");
	if (file->filesystem == TMPFS_MAGIC || file->filesystem == RAMFS_MAGIC)
		file->wire.flags |= CR_FILE_F_CONTENT;
	return 0;
}

static int save(struct cr_file_table *table, struct cr_file *file,
		struct cr_error *err)
{
	if (file->wire.open_flags & O_PATH || file->stat.st_nlink) {
		if (!is_silly_renamed(file))
			return save_by_name(table, file, err);
	}
	file->wire.flags |= CR_FILE_F_UNLINKED;
	return cr_file_set_path(file, err);
}

/* The head of a program or library, which has its build id, if it has one. */
static int read_head(int fd, struct wire_build *build)
{
	char head[BUILD_HEAD];
	ssize_t n = pread(fd, head, sizeof(head), 0);

	if (n < SELFMAG || memcmp(head, ELFMAG, SELFMAG))
		return 0;
	build->length = (uint32_t)n;
	build->crc = cr_crc32c(0, head, (size_t)n);
	return 1;
}

static int save_build(struct cr_file *file, struct cr_error *err)
{
	struct wire_build build;
	char name[CR_FILE_NAME_MAX];
	int fd, is_program;

	cr_file_name(file, name);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return 0;
	is_program = read_head(fd, &build);
	close(fd);
	return is_program ? cr_file_set_data(file, &build, sizeof(build), err) :
			    0;
}

int cr_file_check_build(const struct cr_saved_file *saved, int fd,
			struct cr_error *err)
{
	struct wire_build build, now = { 0 };

	if (saved->file->kind != CR_FILE_REGULAR ||
	    saved->file->data_length != sizeof(build))
		return 0;
	memcpy(&build, saved->data, sizeof(build));
	if (read_head(fd, &now) && now.crc == build.crc &&
	    now.length == build.length)
		return 0;
	return cr_error_set(err, -ESTALE, "%s is another build than when saved",
			    saved->path);
}

static int finish(struct cr_file_table *table, struct cr_file *file,
		  struct cr_error *err)
{
	if (!(file->wire.flags & (CR_FILE_F_UNLINKED | CR_FILE_F_CONTENT))) {
		file->wire.peer = 0;
		return file->fd < 0 && !file->is_writable ?
			       save_build(file, err) :
			       0;
	}
	return cr_file_content_add(table, file, err);
}

static int make_by_name(struct cr_file_restore *restore, uint32_t id,
			struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	int fd, rc;

	fd = cr_file_open_path(restore, saved, cr_file_open_flags(saved), err);
	if (fd < 0)
		return fd;
	if (!(saved->file->open_flags & O_PATH)) {
		rc = cr_file_check_size(saved, fd, err);
		if (rc < 0) {
			close(fd);
			return rc;
		}
	}
	return cr_file_park(restore, id, fd, err);
}

static int make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	uint32_t other;
	int fd, rc;

	if (!saved->file->space)
		return make_by_name(restore, id, err);
	other = cr_file_ring_made(restore, id);
	if (other) {
		fd = cr_file_get(restore, other, err);
		return fd < 0 ? fd :
				cr_file_park_reopened(restore, id, fd, err);
	}
	fd = cr_file_content_create(restore, saved, err);
	if (fd < 0)
		return fd;
	rc = cr_file_park_reopened(restore, id, fd, err);
	close(fd);
	return rc;
}

const struct cr_file_ops cr_file_regular_ops = {
	.kind = CR_FILE_REGULAR,
	.name = "file",
	.has_position = 1,
	.has_ring = 1,
	.flags = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME,
	.save = save,
	.finish = finish,
	.make = make,
};
