/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_memfd.c - memfd_create(2): name, content, seals
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"

#define PREFIX "/memfd:"
#define NAME_MAX_LENGTH 249 /* of memfd_create(2) */

struct wire_memfd {
	uint32_t seals; /* F_GET_SEALS */
	uint32_t huge_shift; /* log2 of the huge page size, 0: none */
};

static int get_seals(const struct cr_file *file)
{
	char name[CR_FILE_NAME_MAX];
	int fd, seals;

	if (file->fd >= 0)
		return fcntl(file->fd, F_GET_SEALS);
	cr_file_name(file, name);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	seals = fcntl(fd, F_GET_SEALS);
	close(fd);
	return seals;
}

static int save(struct cr_file_table *table, struct cr_file *file,
		struct cr_error *err)
{
	struct wire_memfd data = { 0 };
	int seals = get_seals(file);
	int rc;

	if (seals < 0)
		return cr_file_refuse(table, file, "%s: cannot tell its seals",
				      file->link);
	data.seals = (uint32_t)seals;
	if (file->stat.st_blksize > CR_WIRE_PAGE)
		data.huge_shift = (uint32_t)__builtin_ctzl(
			(unsigned long)file->stat.st_blksize);
	file->wire.flags |= CR_FILE_F_UNLINKED;
	rc = cr_file_set_path(file, err);
	if (rc < 0)
		return rc;
	return cr_file_set_data(file, &data, sizeof(data), err);
}

static int create(const struct cr_saved_file *saved,
		  const struct wire_memfd *data, struct cr_error *err)
{
	unsigned int flags = MFD_CLOEXEC;
	const char *name = saved->path;
	int fd;

	if (!strncmp(name, PREFIX, strlen(PREFIX)))
		name += strlen(PREFIX);
	if (strlen(name) > NAME_MAX_LENGTH || data->huge_shift > 40)
		return cr_error_set(err, -EBADMSG, "odd memfd %s", name);
	/* Without this flag F_SEAL_SEAL is there from the start. */
	if (data->seals != F_SEAL_SEAL)
		flags |= MFD_ALLOW_SEALING;
	if (data->huge_shift)
		flags |= MFD_HUGETLB | data->huge_shift << MFD_HUGE_SHIFT;
	fd = (int)syscall(SYS_memfd_create, name, flags);
	return fd < 0 ? cr_error_errno(err, "memfd_create %s", name) : fd;
}

static int make_first(struct cr_file_restore *restore,
		      const struct cr_saved_file *saved, struct cr_error *err)
{
	struct wire_memfd data;
	int fd, rc;

	if (saved->file->data_length != sizeof(data) || !saved->file->space)
		return cr_error_set(err, -EBADMSG, "memfd %s: %u bytes",
				    saved->path, saved->file->data_length);
	memcpy(&data, saved->data, sizeof(data));
	fd = create(saved, &data, err);
	if (fd < 0)
		return fd;
	rc = cr_file_content_fill(restore, saved, fd, err);
	if (rc == 0 && (fchmod(fd, saved->file->mode & 07777) < 0 ||
			(geteuid() == 0 &&
			 fchown(fd, saved->file->uid, saved->file->gid) < 0) ||
			(data.seals != F_SEAL_SEAL && data.seals &&
			 fcntl(fd, F_ADD_SEALS, (int)data.seals) < 0)))
		rc = cr_error_errno(err, "memfd %s: mode or seals",
				    saved->path);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static int make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	uint32_t other = cr_file_ring_made(restore, id);
	int fd, rc;

	if (other) {
		fd = cr_file_get(restore, other, err);
		return fd < 0 ? fd :
				cr_file_park_reopened(restore, id, fd, err);
	}
	fd = make_first(restore, cr_file_saved(restore, id), err);
	if (fd < 0)
		return fd;
	rc = cr_file_park_reopened(restore, id, fd, err);
	close(fd);
	return rc;
}

const struct cr_file_ops cr_file_memfd_ops = {
	.kind = CR_FILE_MEMFD,
	.name = "memfd",
	.has_position = 1,
	.has_ring = 1,
	.flags = O_APPEND | O_NONBLOCK | O_ASYNC | O_NOATIME,
	.save = save,
	.finish = cr_file_content_add,
	.make = make,
};
