/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files_table.c - the table of files of a checkpoint, from begin to end
 *
 * What goes in is files_add.c's; here it is completed once all of the tree is
 * known, and written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "cr_checkpoint.h"
#include "file.h"
#include "file_tcp.h"
#include "file_unix.h"

static int add_all_streams(struct cr_file_table *table, struct cr_error *err)
{
	const struct cr_file_table_options *options = &table->options;
	size_t i;
	int rc = 0;

	table->streams =
		calloc(3 * options->nr_roots + 1, sizeof(*table->streams));
	if (!table->streams)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < options->nr_roots && rc == 0; i++)
		if (options->roots[i].stream_holder)
			rc = cr_file_add_streams(table, &options->roots[i],
						 err);
	return rc;
}

int cr_file_table_create(const struct cr_file_table_options *options,
			 struct cr_file_table **tablep, struct cr_error *err)
{
	struct cr_file_table *table;
	int rc;

	table = calloc(1, sizeof(*table));
	if (!table)
		return cr_error_set(err, -ENOMEM, "out of memory");
	table->options = *options;
	/* each description of the tree is held open by us too */
	cr_files_raise_limit();
	rc = cr_file_check_kcmp(err);
	if (rc == 0)
		rc = add_all_streams(table, err);
	if (rc < 0) {
		cr_file_table_destroy(table);
		return rc;
	}
	*tablep = table;
	return 0;
}

static int by_inode(const void *a, const void *b)
{
	const struct cr_file *left = *(struct cr_file *const *)a;
	const struct cr_file *right = *(struct cr_file *const *)b;

	if (left->wire.device != right->wire.device)
		return left->wire.device < right->wire.device ? -1 : 1;
	if (left->wire.inode != right->wire.inode)
		return left->wire.inode < right->wire.inode ? -1 : 1;
	return (left->wire.id > right->wire.id) -
	       (left->wire.id < right->wire.id);
}

static void close_ring(struct cr_file **files, size_t nr_files)
{
	size_t i;

	for (i = 0; i < nr_files; i++) {
		files[i]->next_of_inode = files[(i + 1) % nr_files];
		if (nr_files > 1)
			files[i]->wire.peer = files[i]->next_of_inode->wire.id;
	}
}

/* Files of one inode form a ring. */
static int make_rings(struct cr_file_table *table, struct cr_error *err)
{
	struct cr_file **files;
	size_t i, first, nr = 0;

	files = calloc(table->nr_files + 1, sizeof(struct cr_file *));
	if (!files)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < table->nr_files; i++)
		if (table->files[i]->ops->has_ring)
			files[nr++] = table->files[i];
	if (nr)
		qsort(files, nr, sizeof(struct cr_file *), by_inode);
	for (first = 0; first < nr; first = i) {
		for (i = first + 1; i < nr; i++)
			if (files[i]->wire.device !=
				    files[first]->wire.device ||
			    files[i]->wire.inode != files[first]->wire.inode)
				break;
		close_ring(files + first, i - first);
	}
	free(files);
	return 0;
}

int cr_file_table_finish(struct cr_file_table *table, struct cr_error *err)
{
	size_t i;
	int rc;

	rc = make_rings(table, err);
	for (i = 0; i < table->nr_files && rc == 0; i++) {
		struct cr_file *file = table->files[i];

		if (file->ops->finish)
			rc = file->ops->finish(table, file, err);
		file->wire.kind = file->ops->kind;
		if (rc == 0 && file->owner_is_lost &&
		    file->ops != &cr_file_external_ops)
			rc = cr_file_refuse(table, file,
					    "%s that signals a thread, or a "
					    "process not of the tree",
					    file->ops->name);
	}
	if (rc == 0 && table->refused.code) {
		rc = table->refused.code;
		if (err)
			*err = table->refused;
	}
	return rc;
}

static int write_file(const struct cr_file *file,
		      struct cr_image_writer *writer, struct cr_error *err)
{
	struct iovec iov[3] = {
		{ (void *)&file->wire, sizeof(file->wire) },
		{ file->path, file->wire.path_length },
		{ file->data, file->wire.data_length },
	};

	return cr_image_writer_put(writer, CR_RECORD_FILE, 0, iov, 3, err);
}

int cr_file_table_write(struct cr_file_table *table,
			struct cr_image_writer *writer, struct cr_error *err)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < table->nr_files && rc == 0; i++)
		rc = write_file(table->files[i], writer, err);
	return rc;
}

int cr_file_table_write_contents(struct cr_file_table *table,
				 struct cr_image_writer *writer,
				 struct cr_error *err)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < table->nr_files && rc == 0; i++)
		if (table->files[i]->content)
			rc = cr_file_content_write(table->files[i], writer,
						   err);
	return rc;
}

int cr_file_try_external(struct cr_file_table *table, struct cr_file *file)
{
	const struct cr_file *stream = NULL;
	size_t i;

	if (file->stream >= 0) {
		file->wire.peer = (uint32_t)file->stream;
		file->wire.rank = file->stream_rank;
		file->ops = &cr_file_external_ops;
		return 1;
	}
	for (i = 0; i < table->nr_streams + table->nr_files && !stream; i++) {
		const struct cr_file *other =
			i < table->nr_streams ?
				table->streams[i] :
				table->files[i - table->nr_streams];

		if (other->ops == &cr_file_external_ops &&
		    other->stat.st_dev == file->stat.st_dev &&
		    other->stat.st_ino == file->stat.st_ino)
			stream = other;
	}
	if (!stream)
		return 0;
	file->wire.peer = stream->wire.peer;
	file->wire.rank = stream->wire.rank;
	file->ops = &cr_file_external_ops;
	return 1;
}

void cr_file_table_destroy(struct cr_file_table *table)
{
	int saved = errno;
	size_t i;

	if (!table)
		return;
	cr_file_free_trees(table);
	/* Streams that a task has are files of the table. */
	for (i = 0; i < table->nr_streams; i++)
		if (!table->streams[i]->wire.id)
			cr_file_free(table->streams[i]);
	for (i = 0; i < table->nr_files; i++)
		cr_file_free(table->files[i]);
	for (i = 0; i < table->nr_tasks; i++)
		free(table->tasks[i].fds);
	if (table->tcp)
		cr_tcp_list_free(table->tcp);
	free(table->tcp);
	cr_unix_list_free(table->unix_list);
	free(table->tasks);
	free(table->streams);
	free(table->files);
	free(table);
	errno = saved;
}
