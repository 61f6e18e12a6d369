// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_load.c - load a saved tree from an image
 *
 * cr_saved_load(): one pass over the records; each payload is kept
 * (image_load_keep.c), and the structures of saved.h then point to it.  This
 * file has the records that belong to no single task.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image_chunk.h"
#include "image_loader.h"

static int no_memory(struct cr_error *err)
{
	return cr_error_set(err, -ENOMEM, "no memory for the saved tree");
}

static int wrong_length(struct cr_error *err)
{
	return cr_error_set(err, -EBADMSG, "contents do not fit its length");
}

const void *cr_load_take(struct cr_load_cursor *cursor, size_t nr, size_t size)
{
	const uint8_t *at = cursor->at;
	size_t length, pad;

	if (nr > cursor->left / size)
		return NULL;
	length = nr * size;
	pad = -length & (CR_WIRE_ALIGN - 1);
	if (pad > cursor->left - length)
		pad = cursor->left - length;
	cursor->at += length + pad;
	cursor->left -= length + pad;
	return at;
}

/* @array with room for one more element behind @nr; NULL without memory, and
 * @array is as it was. */
static void *grow(void *array, size_t nr, size_t *max, size_t size)
{
	size_t wanted = *max ? 2 * *max : 16;

	if (nr < *max)
		return array;
	array = reallocarray(array, wanted, size);
	if (array)
		*max = wanted;
	return array;
}

static int load_head(struct cr_loader *loader, struct cr_load_cursor *cursor,
		     struct cr_error *err)
{
	const struct cr_wire_head *head =
		cr_load_take(cursor, 1, sizeof(*head));

	if (!head)
		return wrong_length(err);
	if (head->vdso_start % CR_WIRE_PAGE ||
	    head->vdso_length % CR_WIRE_PAGE ||
	    head->vdso_start > CR_TASK_SIZE - head->vdso_length)
		return cr_error_set(err, -EBADMSG, "vdso in a wrong place");
	loader->saved->head = head;
	return 0;
}

/* A NUL-terminated copy of a path. */
static int copy_path(struct cr_loader *loader, struct cr_saved_file *file,
		     const char *path, size_t length, struct cr_error *err)
{
	char *copy;

	if (length > CR_LOAD_PATH_MAX || memchr(path, '\0', length))
		return cr_error_set(err, -EBADMSG, "file %u: damaged path",
				    file->file->id);
	copy = cr_load_new_block(loader, length + 1);
	if (!copy)
		return no_memory(err);
	memcpy(copy, path, length);
	copy[length] = '\0';
	file->path = copy;
	return 0;
}

static int load_file(struct cr_loader *loader, struct cr_load_cursor *cursor,
		     struct cr_error *err)
{
	struct cr_saved *saved = loader->saved;
	struct cr_saved_file file = { .path = "" }, *files;
	const char *path;
	int rc;

	file.file = cr_load_take(cursor, 1, sizeof(*file.file));
	if (!file.file)
		return wrong_length(err);
	path = cr_load_take(cursor, file.file->path_length, 1);
	if (path)
		file.data = cr_load_take(cursor, file.file->data_length, 1);
	if (!path || !file.data)
		return wrong_length(err);
	if (file.file->id != saved->nr_files + 1)
		return cr_error_set(err, -EBADMSG, "file %u out of order",
				    file.file->id);
	rc = file.file->path_length ? copy_path(loader, &file, path,
						file.file->path_length, err) :
				      0;
	if (rc)
		return rc;
	files = grow(saved->files, saved->nr_files, &loader->max_files,
		     sizeof(*files));
	if (!files)
		return no_memory(err);
	saved->files = files;
	saved->files[saved->nr_files++] = file;
	return 0;
}

static int load_space(struct cr_loader *loader, struct cr_load_cursor *cursor,
		      struct cr_error *err)
{
	struct cr_saved *saved = loader->saved;
	const struct cr_wire_space *space =
		cr_load_take(cursor, 1, sizeof(*space));
	const struct cr_wire_space **spaces;

	if (!space)
		return wrong_length(err);
	if (space->id != saved->nr_spaces + 1)
		return cr_error_set(err, -EBADMSG, "space %u out of order",
				    space->id);
	spaces = grow(saved->spaces, saved->nr_spaces, &loader->max_spaces,
		      sizeof(*spaces));
	if (!spaces)
		return no_memory(err);
	saved->spaces = spaces;
	saved->spaces[saved->nr_spaces++] = space;
	return 0;
}

static int load_chunk(struct cr_loader *loader, const struct cr_record *record,
		      struct cr_error *err)
{
	const void *header = loader->image->payload;
	const struct cr_wire_chunk *chunk = cr_chunk_of(header);
	const struct cr_wire_run *runs = cr_chunk_runs(header);
	const struct cr_wire_run *last = &runs[chunk->nr_runs - 1];
	struct cr_load_chunk *chunks;

	chunks = grow(loader->chunks, loader->nr_chunks, &loader->max_chunks,
		      sizeof(*chunks));
	if (!chunks)
		return no_memory(err);
	loader->chunks = chunks;
	loader->chunks[loader->nr_chunks++] = (struct cr_load_chunk){
		.entry = { .offset = record->offset,
			   .space = chunk->space,
			   .raw_length = chunk->raw_length },
		.start = runs->address,
		.end = last->address + last->length,
	};
	return 0;
}

static int load_index(struct cr_loader *loader, struct cr_load_cursor *cursor,
		      struct cr_error *err)
{
	const struct cr_wire_index *index =
		cr_load_take(cursor, 1, sizeof(*index));
	const struct cr_wire_index_entry *entries = NULL;
	struct cr_wire_index_entry *copy;

	if (index)
		entries = cr_load_take(cursor, index->nr_chunks,
				       sizeof(*entries));
	if (!entries)
		return wrong_length(err);
	copy = calloc(index->nr_chunks + 1, sizeof(*copy));
	if (!copy)
		return no_memory(err);
	memcpy(copy, entries, index->nr_chunks * sizeof(*copy));
	free(loader->image->entries);
	loader->image->entries = copy;
	loader->image->nr_entries = index->nr_chunks;
	loader->has_index = true;
	return 0;
}

static int load_vdso(struct cr_loader *loader, struct cr_load_cursor *cursor,
		     struct cr_error *err)
{
	struct cr_saved *saved = loader->saved;

	if (saved->vdso)
		return cr_error_set(err, -EBADMSG, "second vdso");
	if (!cursor->left || cursor->left % CR_WIRE_PAGE ||
	    cursor->left > CR_WIRE_VDSO_MAX)
		return wrong_length(err);
	saved->vdso_length = (uint32_t)cursor->left;
	saved->vdso = cr_load_take(cursor, cursor->left, 1);
	return 0;
}

/* Take apart a copied payload of any type but CHUNK. */
static int load_payload(struct cr_loader *loader,
			const struct cr_record *record,
			struct cr_load_cursor *cursor, struct cr_error *err)
{
	if (record->type != CR_RECORD_HEAD &&
	    (record->type == CR_RECORD_TREE) != !loader->saved->links)
		return cr_error_set(err, -EBADMSG, "tree in a wrong place");
	switch (record->type) {
	case CR_RECORD_HEAD:
		return load_head(loader, cursor, err);
	case CR_RECORD_TREE:
		return cr_load_tree(loader, cursor, err);
	case CR_RECORD_FILE:
		return load_file(loader, cursor, err);
	case CR_RECORD_SPACE:
		return load_space(loader, cursor, err);
	case CR_RECORD_INDEX:
		return load_index(loader, cursor, err);
	case CR_RECORD_VDSO:
		return load_vdso(loader, cursor, err);
	default:
		return cr_load_task_record(loader, record, cursor, err);
	}
}

static bool is_known(int type)
{
	return type <= CR_RECORD_VDSO || type == CR_RECORD_INDEX;
}

static int load_record(struct cr_loader *loader, const struct cr_record *record,
		       struct cr_error *err)
{
	struct cr_load_cursor cursor = { .left = (size_t)record->length };
	int rc;

	if (record->type == CR_RECORD_CHUNK)
		return load_chunk(loader, record, err);
	if (!is_known(record->type))
		return 0;
	cursor.at = cr_load_keep(loader, record);
	if (!cursor.at)
		return no_memory(err);
	rc = load_payload(loader, record, &cursor, err);
	return !rc && cursor.left ? wrong_length(err) : rc;
}

static int load_records(struct cr_loader *loader, struct cr_error *err)
{
	struct cr_record record;
	int rc;

	while ((rc = cr_image_next(loader->image, &record, 0, err)) > 0) {
		rc = load_record(loader, &record, err);
		if (!rc)
			continue;
		return cr_error_prefix(err, "record of type %d at byte %llu",
				       record.type,
				       (unsigned long long)record.offset);
	}
	return rc;
}

static int check_all(struct cr_loader *loader, struct cr_error *err)
{
	struct cr_saved *saved = loader->saved;
	int rc;

	if (!saved->head || !saved->links || !loader->has_index)
		return cr_error_set(err, -EBADMSG, "no head, tree or index");
	if (loader->nr_started != saved->nr_tasks)
		return cr_error_set(err, -EBADMSG,
				    "%zu of %zu tasks have no record",
				    saved->nr_tasks - loader->nr_started,
				    saved->nr_tasks);
	rc = cr_load_finish_task(loader, err);
	if (!rc)
		rc = cr_load_check_vpids(saved, loader->private, err);
	if (!rc)
		rc = cr_load_check_files(saved, err);
	if (!rc)
		rc = cr_load_check_tasks(saved, err);
	if (!rc)
		rc = cr_load_check_memory(saved, err);
	if (!rc)
		rc = cr_load_check_chunks(loader, err);
	return rc;
}

int cr_saved_load(struct cr_image *image, struct cr_saved **savedp,
		  struct cr_error *err)
{
	struct cr_loader loader = { .image = image };
	struct cr_error local = { 0 };
	int rc;

	loader.saved = calloc(1, sizeof(*loader.saved));
	loader.private = calloc(1, sizeof(*loader.private));
	if (!loader.saved || !loader.private) {
		free(loader.saved);
		free(loader.private);
		return no_memory(err);
	}
	loader.saved->private = loader.private;
	rc = load_records(&loader, &local);
	if (!rc)
		rc = check_all(&loader, &local);
	free(loader.chunks);
	if (rc) {
		cr_saved_free(loader.saved);
		return cr_error_set(err, rc, "%s", local.text);
	}
	*savedp = loader.saved;
	return 0;
}

long cr_saved_find(const struct cr_saved *saved, uint32_t vpid)
{
	const struct cr_load_private *private = saved->private;
	size_t low = 0, high = saved->nr_tasks;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (private->vpids[middle].vpid == vpid)
			return private->vpids[middle].index;
		if (private->vpids[middle].vpid < vpid)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}
