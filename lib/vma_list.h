/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vma_list.h - the mappings of a process while it is saved, packed
 *
 * Private to lib/.  A hundred mappings take less than a kilobyte, since each
 * says only how it differs from the one before.  So they are read in order, and
 * a change of any makes a new list; but for the family of a mapping, which
 * is found last and noted beside.
 */
#ifndef VMA_LIST_H
#define VMA_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "image_wire.h"
#include "packed.h"

/* A mapping, with what is needed to read its pages. */
struct cr_save_vma {
	struct cr_wire_vma wire;
	int may_share; /* has pages that relatives may share */
	int has_pages; /* of its own: private ones */
	int is_scanned; /* its pages are noted already: it is of a family */
};

struct cr_vma_list {
	struct cr_packed packed;
	struct cr_packed families;
	uint32_t nr;
	uint32_t last_family; /* index of the mapping noted last, plus 1 */
};

/* Appends to a list that nobody else changes meanwhile. */
struct cr_vma_writer {
	struct cr_vma_list *list;
	struct cr_wire_vma before;
};

/* By increasing address.  0 or -ENOMEM. */
int cr_vma_writer_add(struct cr_vma_writer *writer,
		      const struct cr_save_vma *vma);

/* Mapping @index is of the family @space.  By increasing index.  0 or
 * -ENOMEM. */
int cr_vma_list_set_family(struct cr_vma_list *list, uint32_t index,
			   uint32_t space);

/* No more will be appended. */
void cr_vma_list_trim(struct cr_vma_list *list);
void cr_vma_list_clear(struct cr_vma_list *list);

struct cr_vma_cursor {
	struct cr_save_vma vma; /* once there was one */
	uint32_t index; /* of it */
	uint32_t nr_left;
	uint32_t next_family; /* index, UINT32_MAX: no more */
	struct cr_packed_cursor packed, families;
};

void cr_vma_begin(const struct cr_vma_list *list, struct cr_vma_cursor *cursor);
/* 1 and the next mapping in cursor->vma, 0 at the end. */
int cr_vma_next(struct cr_vma_cursor *cursor);

#endif /* VMA_LIST_H */
