/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image_loader.h - what the files of cr_saved_load() share
 *
 * Private to image_load*.c.  Records are taken apart one by one, each checked
 * by itself (image_load.c, image_load_task.c); references between them are
 * checked when all are there (image_load_check.c).
 */
#ifndef IMAGE_LOADER_H
#define IMAGE_LOADER_H

#include <stdbool.h>

#include "image_reader.h"
#include "saved.h"

#define CR_LOAD_TASKS_MAX (1u << 20)
#define CR_LOAD_THREADS_MAX (1u << 20) /* of all tasks together */
#define CR_LOAD_VPID_MAX (1u << 22) /* PID_MAX_LIMIT of Linux */
#define CR_LOAD_PATH_MAX 4096u
#define CR_LOAD_XSTATE_MAX (64u << 10)
#define CR_LOAD_GROUPS_MAX 65536u /* NGROUPS_MAX of Linux */
#define CR_LOAD_AUXV_MAX 4096u

struct cr_load_block; /* image_load_keep.c: a buffer of the saved tree */

/* saved->private: for cr_saved_free() and cr_saved_find(). */
struct cr_load_private {
	struct cr_load_block *blocks;
	struct cr_saved_thread *threads; /* of all tasks */
	struct cr_load_vpid *vpids; /* sorted, one per task */
};

struct cr_load_vpid {
	uint32_t vpid;
	uint32_t index;
};

/* A chunk as it was found in the file. */
struct cr_load_chunk {
	struct cr_wire_index_entry entry;
	uint64_t start, end;
};

#define CR_LOAD_LAST 256 /* payloads that later ones may be equal to */

struct cr_loader {
	struct cr_image *image;
	struct cr_saved *saved;
	struct cr_load_private *private;
	size_t max_files, max_spaces;
	size_t nr_started; /* tasks whose TASK record was seen */
	uint32_t seen; /* record types of the last of them, as bits */
	struct cr_load_chunk *chunks;
	size_t nr_chunks, max_chunks;
	bool has_index;
	struct cr_load_block *last[CR_LOAD_LAST]; /* by checksum, the last */
};

/* A payload being taken apart; parts are padded to CR_WIRE_ALIGN. */
struct cr_load_cursor {
	const uint8_t *at;
	size_t left;
};

/* The next @nr elements of @size bytes, NULL if there are not as many. */
const void *cr_load_take(struct cr_load_cursor *cursor, size_t nr, size_t size);

/* @length bytes that live as long as the saved tree; NULL without memory. */
void *cr_load_new_block(struct cr_loader *loader, size_t length);

/* A copy of the payload, which one before may have been.  NULL: no memory. */
const uint8_t *cr_load_keep(struct cr_loader *loader,
			    const struct cr_record *record);

/* The tree: image_load_tree.c. */
int cr_load_tree(struct cr_loader *loader, struct cr_load_cursor *cursor,
		 struct cr_error *err);

/* A record with owner, behind its TASK: image_load_task.c. */
int cr_load_task_record(struct cr_loader *loader,
			const struct cr_record *record,
			struct cr_load_cursor *cursor, struct cr_error *err);

/* After the last record of a task: is all there that must be? */
int cr_load_finish_task(struct cr_loader *loader, struct cr_error *err);

/* After the last record: image_load_check.c and image_load_memory.c. */
int cr_load_check_tasks(const struct cr_saved *saved, struct cr_error *err);
int cr_load_check_vpids(struct cr_saved *saved, struct cr_load_private *private,
			struct cr_error *err);
int cr_load_check_files(const struct cr_saved *saved, struct cr_error *err);
int cr_load_check_memory(const struct cr_saved *saved, struct cr_error *err);
int cr_load_check_chunks(struct cr_loader *loader, struct cr_error *err);

#endif /* IMAGE_LOADER_H */
