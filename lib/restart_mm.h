/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_mm.h - what the files about memory share among themselves
 */
#ifndef RESTART_MM_H
#define RESTART_MM_H

#include "restart_list.h"

/* Where each VMA of a task waits, in its place or to be moved there. */
struct cr_staged_vma {
	uint64_t from; /* 0: to be mapped by the restorer, or not yet staged */
	int has_contents; /* pages in the task's MM space */
};

struct cr_staged {
	int fill_in_turn; /* a private mapping needs a shared object first */
	struct cr_staged_vma vma[]; /* as cr_saved_task.vmas */
};

/* Map @vma's range of @fd (-1: anonymous) in its place or in the zone. */
int cr_mm_map(struct cr_restarter *restarter, const struct cr_wire_vma *vma,
	      int prot, int fd, uint64_t *addressp, struct cr_error *err);

/* The same with its file object, fetched or opened. */
int cr_mm_stage_file(struct cr_restarter *restarter,
		     const struct cr_wire_vma *vma,
		     struct cr_file_restore *files, int is_shared_object,
		     uint64_t *addressp, struct cr_error *err);

/* The mapped file is an object that must be made or fetched in turn. */
int cr_mm_file_in_turn(const struct cr_restarter *restarter,
		       const struct cr_wire_vma *vma);

/* Read the MM space into the staged mappings. */
int cr_mm_fill(struct cr_restarter *restarter, const struct cr_saved_task *task,
	       const struct cr_staged *staged, struct cr_error *err);

/* Read the space of an object into @base, in whole pages. */
int cr_mm_fill_object(struct cr_restarter *restarter,
		      const struct cr_wire_space *space, void *base,
		      struct cr_error *err);

/* Make a SysV segment with what is in it. */
int cr_mm_make_segment(struct cr_restarter *restarter,
		       const struct cr_wire_space *space, struct cr_error *err);

/* restart_ipc.c.  The next object of @what ("shm", "sem", "msg") gets @id. */
int cr_ipc_set_next_id(const char *what, int id, struct cr_error *err);
/* In task @vpid's turn: make the SysV objects that no mapping will, unless an
 * earlier task has. */
int cr_restart_ipc(struct cr_restarter *restarter, uint32_t vpid,
		   struct cr_error *err);

/* restart_family.c: by the coordinator, before it forks. */
int cr_mm_map_families(struct cr_restarter *r, struct cr_error *err);
void cr_mm_unmap_families(struct cr_restarter *r);

/* restart_vdso.c.  By the coordinator: find ours, and make the image's fit. */
int cr_vdso_prepare(struct cr_restarter *restarter, struct cr_error *err);
/* By each task: move ours out of the way of what is unmapped; then put what
 * belongs to the VDSO or VVAR mapping @vma, the *@next-th, to its place. */
void cr_vdso_add_rescue(const struct cr_restarter *restarter,
			struct cr_list *list);
int cr_vdso_add_place(const struct cr_restarter *restarter,
		      const struct cr_wire_vma *vma, size_t *next,
		      struct cr_list *list, struct cr_error *err);

#endif /* RESTART_MM_H */
