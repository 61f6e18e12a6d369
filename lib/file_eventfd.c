/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_eventfd.c - eventfd(2) with its count
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "file.h"

struct wire_eventfd {
	uint64_t count;
	uint32_t is_semaphore;
	uint32_t reserved;
};

static int add(int fd, uint64_t count, struct cr_error *err)
{
	if (!count || write(fd, &count, sizeof(count)) == sizeof(count))
		return 0;
	return cr_error_errno(err, "writing to an eventfd");
}

static int take(int fd, uint64_t *count, struct cr_error *err)
{
	if (read(fd, count, sizeof(*count)) == sizeof(*count))
		return 0;
	return cr_error_errno(err, "reading an eventfd");
}

/*
 * Kernels before 6.5 do not tell which kind it is: a semaphore gives one at a
 * time.  What is taken is put back at once.  The tree stands still and sees
 * nothing of it, but that who polls with EPOLLET is woken once too often.
 */
static int probe(int fd, uint64_t count, uint64_t *is_semaphore,
		 struct cr_error *err)
{
	const uint64_t added = count < 2 ? 2 - count : 0;
	uint64_t taken = 0, left;
	int rc;

	rc = add(fd, added, err);
	if (rc == 0)
		rc = take(fd, &taken, err);
	if (rc < 0)
		return rc;
	*is_semaphore = taken == 1;
	for (left = count + added - taken; left > count && rc == 0; left--)
		rc = take(fd, &taken, err);
	return rc < 0 ? rc : add(fd, count - left, err);
}

static int save(struct cr_file_table *table, struct cr_file *file,
		struct cr_error *err)
{
	struct wire_eventfd data = { 0 };
	uint64_t is_semaphore = 0;
	char *text;
	int rc, told;

	(void)table;
	text = cr_file_fdinfo(0, file->fd, err);
	if (!text)
		return err ? err->code : -EIO;
	rc = cr_fdinfo_number(text, "eventfd-count:", 16, &data.count);
	told = rc < 0 ? rc :
			cr_fdinfo_number(text, "eventfd-semaphore:", 10,
					 &is_semaphore);
	free(text);
	if (rc < 0)
		return cr_error_set(err, -EIO, "no count in fdinfo of eventfd");
	if (told < 0)
		rc = probe(file->fd, data.count, &is_semaphore, err);
	if (rc < 0)
		return rc;
	data.is_semaphore = is_semaphore != 0;
	return cr_file_set_data(file, &data, sizeof(data), err);
}

static int make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	struct wire_eventfd data;
	int fd;

	if (saved->file->data_length != sizeof(data))
		return cr_error_set(err, -EBADMSG, "eventfd %u: %u bytes", id,
				    saved->file->data_length);
	memcpy(&data, saved->data, sizeof(data));
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK |
				(data.is_semaphore ? EFD_SEMAPHORE : 0));
	if (fd < 0)
		return cr_error_errno(err, "eventfd");
	if (data.count && write(fd, &data.count, sizeof(data.count)) < 0) {
		int rc = cr_error_errno(err, "count of eventfd %u", id);

		close(fd);
		return rc;
	}
	return cr_file_park(restore, id, fd, err);
}

const struct cr_file_ops cr_file_eventfd_ops = {
	.kind = CR_FILE_EVENTFD,
	.name = "eventfd",
	.flags = O_NONBLOCK | O_ASYNC,
	.save = save,
	.make = make,
};
