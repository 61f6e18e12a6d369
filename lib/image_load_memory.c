// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_load_memory.c - do spaces, VMAs, chunks and index fit each other?
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "image_chunk.h"
#include "image_loader.h"

#ifndef MAP_HUGE_MASK
#define MAP_HUGE_SHIFT 26
#define MAP_HUGE_MASK 0x3f
#endif

#define VMA_FLAGS                                                              \
	((uint32_t)(MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | \
		    MAP_NORESERVE | MAP_HUGETLB) |                             \
	 (uint32_t)MAP_HUGE_MASK << MAP_HUGE_SHIFT)
#define VMA_ADVICE ((CR_VMA_LOCKONFAULT << 1) - 1)

static const struct cr_wire_space *find_space(const struct cr_saved *saved,
					      uint32_t id)
{
	return id >= 1 && id <= saved->nr_spaces ? saved->spaces[id - 1] : NULL;
}

static bool is_file(const struct cr_saved *saved, uint32_t id)
{
	return id >= 1 && id <= saved->nr_files;
}

static bool space_file_fits(const struct cr_saved *saved,
			    const struct cr_wire_space *space)
{
	switch (space->kind) {
	case CR_SPACE_FAMILY:
		return space->file == 0 || is_file(saved, space->file);
	case CR_SPACE_FILE:
		return is_file(saved, space->file) &&
		       saved->files[space->file - 1].file->space == space->id;
	default:
		return space->file == 0;
	}
}

/* Has the content of a SysV object a length that it can have? */
static bool content_fits(const struct cr_wire_space *space)
{
	switch (space->kind) {
	case CR_SPACE_SEMAPHORES:
		return space->length && space->length % 2 == 0 &&
		       space->length <= CR_SYSV_CONTENT_MAX;
	case CR_SPACE_QUEUE:
		return space->length >= sizeof(struct cr_wire_queue) &&
		       space->length <= CR_SYSV_CONTENT_MAX;
	default:
		return true;
	}
}

static int check_space(const struct cr_saved *saved,
		       const struct cr_wire_space *space, struct cr_error *err)
{
	if (space->kind < CR_SPACE_MM || space->kind > CR_SPACE_QUEUE)
		return cr_error_set(err, -EPROTONOSUPPORT,
				    "space %u: unknown kind %u", space->id,
				    space->kind);
	if (!space_file_fits(saved, space))
		return cr_error_set(err, -EBADMSG,
				    "space %u: file %u does not fit", space->id,
				    space->file);
	if (space->start % CR_WIRE_PAGE || space->start > CR_TASK_SIZE ||
	    (space->kind != CR_SPACE_FAMILY && space->start) ||
	    (space->kind == CR_SPACE_FAMILY &&
	     (space->length > CR_TASK_SIZE - space->start ||
	      space->length % CR_WIRE_PAGE)) ||
	    space->length > INT64_MAX - CR_WIRE_PAGE || !content_fits(space) ||
	    space->file_offset > INT64_MAX ||
	    space->file_offset % CR_WIRE_PAGE || space->huge_shift > 30)
		return cr_error_set(err, -EBADMSG,
				    "space %u: impossible numbers", space->id);
	return 0;
}

/* Every MM space belongs to exactly one task. */
static int check_mm_spaces(const struct cr_saved *saved, struct cr_error *err)
{
	uint8_t *is_used = calloc(saved->nr_spaces + 1, 1);
	int rc = 0;

	if (!is_used)
		return cr_error_set(err, -ENOMEM, "no memory for spaces");
	for (size_t i = 0; !rc && i < saved->nr_tasks; i++) {
		const struct cr_wire_mm *mm = saved->tasks[i].mm;
		const struct cr_wire_space *space;

		if (!mm)
			continue;
		space = find_space(saved, mm->space);
		if (!space || space->kind != CR_SPACE_MM || is_used[space->id])
			rc = cr_error_set(err, -EBADMSG,
					  "vpid %u: space %u is not its own",
					  saved->links[i].vpid, mm->space);
		else
			is_used[space->id] = 1;
	}
	free(is_used);
	return rc;
}

/* A member of a family begins where that begins, and may be shorter. */
static bool family_fits(const struct cr_wire_space *space,
			const struct cr_wire_vma *vma)
{
	return !space ||
	       (space->kind == CR_SPACE_FAMILY && space->start == vma->start &&
		space->length >= vma->end - vma->start &&
		space->file == vma->file &&
		(!vma->file || space->file_offset == vma->offset));
}

/* Does the VMA have the file and the space that its kind wants? */
static bool references_fit(const struct cr_saved *saved,
			   const struct cr_wire_vma *vma)
{
	const struct cr_wire_space *space = find_space(saved, vma->space);
	uint32_t kind = space ? space->kind : 0;

	if (vma->space && !space)
		return false;
	switch (vma->kind) {
	case CR_VMA_ANON:
		return !vma->file && family_fits(space, vma);
	case CR_VMA_FILE_PRIVATE:
		return is_file(saved, vma->file) && family_fits(space, vma);
	case CR_VMA_FILE_SHARED:
		return is_file(saved, vma->file) &&
		       (!kind ||
			(kind == CR_SPACE_FILE &&
			 saved->files[vma->file - 1].file->space == space->id));
	case CR_VMA_SHMEM:
		return !vma->file && kind == CR_SPACE_SHMEM;
	case CR_VMA_SYSV:
		return !vma->file && kind == CR_SPACE_SYSV;
	default:
		return !vma->file && !kind;
	}
}

static int check_vma(const struct cr_saved *saved,
		     const struct cr_wire_vma *vma, struct cr_error *err)
{
	uint32_t sharing = vma->map_flags & (MAP_SHARED | MAP_PRIVATE);

	if (vma->kind < CR_VMA_ANON || vma->kind > CR_VMA_VVAR ||
	    (vma->map_flags & ~VMA_FLAGS) || (vma->advice & ~VMA_ADVICE) ||
	    (vma->prot & ~(uint32_t)(PROT_READ | PROT_WRITE | PROT_EXEC)))
		return cr_error_set(err, -EPROTONOSUPPORT,
				    "unknown kind, flags or protection");
	if ((sharing != MAP_SHARED && sharing != MAP_PRIVATE) ||
	    vma->offset % CR_WIRE_PAGE ||
	    vma->offset > INT64_MAX - (vma->end - vma->start))
		return cr_error_set(err, -EBADMSG, "impossible numbers");
	if (!references_fit(saved, vma))
		return cr_error_set(err, -EBADMSG,
				    "file %u or space %u does not fit",
				    vma->file, vma->space);
	return 0;
}

static int check_vmas(const struct cr_saved *saved, size_t task,
		      struct cr_error *err)
{
	const struct cr_wire_vma *vmas = saved->tasks[task].vmas;

	for (size_t i = 0; i < saved->tasks[task].nr_vmas; i++)
		if (check_vma(saved, &vmas[i], err))
			return cr_error_prefix(err, "vpid %u, mapping at %#llx",
					       saved->links[task].vpid,
					       (unsigned long long)vmas[i]
						       .start);
	return 0;
}

int cr_load_check_memory(const struct cr_saved *saved, struct cr_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < saved->nr_spaces; i++)
		rc = check_space(saved, saved->spaces[i], err);
	if (!rc)
		rc = check_mm_spaces(saved, err);
	for (size_t i = 0; !rc && i < saved->nr_tasks; i++)
		rc = check_vmas(saved, i, err);
	return rc;
}

/* Addresses that @space can have, rounded up to pages. */
static void get_bounds(const struct cr_wire_space *space, uint64_t *start,
		       uint64_t *end)
{
	*start = space->start;
	*end = space->start + cr_page_up(space->length);
	if (space->kind == CR_SPACE_MM)
		*end = CR_TASK_SIZE;
}

static int check_chunk(const struct cr_saved *saved,
		       const struct cr_load_chunk *chunk,
		       const struct cr_load_chunk *previous,
		       struct cr_error *err)
{
	const struct cr_wire_space *space =
		find_space(saved, chunk->entry.space);
	uint64_t start, end;

	if (!space)
		return cr_error_set(err, -EBADMSG, "no space %u",
				    chunk->entry.space);
	get_bounds(space, &start, &end);
	if (chunk->start < start || chunk->end > end)
		return cr_error_set(err, -EBADMSG, "memory outside of space %u",
				    space->id);
	if (previous && previous->entry.space == space->id &&
	    previous->end > chunk->start)
		return cr_error_set(err, -EBADMSG, "space %u has a page twice",
				    space->id);
	return 0;
}

static int compare_chunks(const void *a, const void *b)
{
	const struct cr_load_chunk *x = a, *y = b;

	if (x->entry.space != y->entry.space)
		return x->entry.space < y->entry.space ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

int cr_load_check_chunks(struct cr_loader *loader, struct cr_error *err)
{
	const struct cr_image *image = loader->image;
	struct cr_load_chunk *chunks = loader->chunks;
	int rc;

	if (loader->nr_chunks != image->nr_entries)
		return cr_error_set(err, -EBADMSG,
				    "%zu chunks, but %zu in the index",
				    loader->nr_chunks, image->nr_entries);
	if (loader->nr_chunks)
		qsort(chunks, loader->nr_chunks, sizeof(*chunks),
		      compare_chunks);
	for (size_t i = 0; i < loader->nr_chunks; i++) {
		const struct cr_load_chunk *chunk = &chunks[i];

		rc = check_chunk(loader->saved, chunk, i ? chunk - 1 : NULL,
				 err);
		if (rc)
			return cr_error_prefix(err, "chunk at byte %llu",
					       (unsigned long long)
						       chunk->entry.offset);
		if (memcmp(&chunk->entry, &image->entries[i],
			   sizeof(chunk->entry)))
			return cr_error_set(err, -EBADMSG,
					    "index entry %zu is wrong", i);
	}
	return 0;
}
