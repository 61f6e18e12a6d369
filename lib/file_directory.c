/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_directory.c - directories, opened or as somebody's working directory
 */
#include <fcntl.h>

#include "file.h"

static int save(struct cr_file_table *table, struct cr_file *file,
		struct cr_error *err)
{
	int rc = cr_file_set_path(file, err);

	if (rc < 0)
		return rc;
	if (!cr_file_path_is_good(file))
		return cr_file_refuse(table, file,
				      "directory %s: removed, or its name "
				      "leads to another one now",
				      file->path);
	return 0;
}

static int make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	int fd;

	fd = cr_file_open_path(restore, saved,
			       cr_file_open_flags(saved) | O_DIRECTORY, err);
	return fd < 0 ? fd : cr_file_park(restore, id, fd, err);
}

const struct cr_file_ops cr_file_directory_ops = {
	.kind = CR_FILE_DIRECTORY,
	.name = "directory",
	.has_position = 1,
	.flags = O_NONBLOCK | O_NOATIME,
	.save = save,
	.make = make,
};
