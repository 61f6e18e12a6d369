/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * saved.h - a saved tree in memory, as an image holds it
 *
 * cr_saved_load() reads all records but the chunks' data and checks whatever
 * can be checked without a kernel: structure sizes and counts, that every
 * reference (file, space, vpid) exists and is of the right kind, that VMAs
 * are sorted, aligned, disjoint and below TASK_SIZE, that the tree is a tree,
 * and rings of files are rings.  Code that restores may rely on all that, but
 * for peers and data of files: those of terminals, Unix sockets, pipes and
 * smaller things are checked when such a file is made.
 *
 * Pointers lead into buffers owned by struct cr_saved: constant, and valid
 * until cr_saved_free().
 */
#ifndef SAVED_H
#define SAVED_H

#include <stddef.h>

#include "cr_error.h"
#include "image_wire.h"

struct cr_image;

struct cr_saved_thread {
	const struct cr_wire_thread *thread;
	const struct cr_wire_siginfo *pending; /* [thread->nr_pending] */
	const void *xstate; /* [thread->xstate_length] */
	const uint32_t *groups; /* [thread->nr_groups] */
};

struct cr_saved_task {
	const struct cr_wire_link *link;
	/* All below are NULL or 0 for a zombie, but for task. */
	const struct cr_wire_task *task;
	const struct cr_wire_mm *mm;
	const void *auxv; /* [mm->auxv_length] */
	const struct cr_wire_vma *vmas;
	size_t nr_vmas;
	const struct cr_wire_fd *fds; /* sorted by fd */
	size_t nr_fds;
	const struct cr_wire_signals *signals;
	const struct cr_wire_siginfo *pending; /* [signals->nr_pending] */
	const struct cr_wire_timer *timers;
	size_t nr_timers;
	const struct cr_wire_lock *locks;
	size_t nr_locks;
	struct cr_saved_thread *threads; /* leader first */
	size_t nr_threads;
};

struct cr_saved_file {
	const struct cr_wire_file *file;
	const char *path; /* NUL-terminated copy; "" if none */
	const void *data; /* [file->data_length], kind's own */
};

struct cr_saved {
	const struct cr_wire_head *head;
	const struct cr_wire_link *links; /* [nr_tasks], saved order */
	struct cr_saved_task *tasks; /* [nr_tasks], the same order */
	size_t nr_tasks;
	struct cr_saved_file *files; /* [nr_files], id i at i - 1 */
	size_t nr_files;
	const uint8_t *vdso; /* [vdso_length], NULL: none */
	uint32_t vdso_length;
	const struct cr_wire_space **spaces; /* [nr_spaces], id i at i - 1 */
	size_t nr_spaces;
	void *private; /* the buffers */
};

/*
 * Load and check all of @image but the data of its chunks; @image then has
 * its index for cr_image_fill().  On success *@savedp is the caller's.
 * Returns 0, -EBADMSG (damaged or inconsistent; the text says where),
 * -ENODATA, -EPROTONOSUPPORT (unknown required record), -ENOMEM, or errors of
 * read(2).
 */
int cr_saved_load(struct cr_image *image, struct cr_saved **savedp,
		  struct cr_error *err);

/* NULL is allowed; errno is preserved. */
void cr_saved_free(struct cr_saved *saved);

/* Index of @vpid in @saved->tasks, or -1. */
long cr_saved_find(const struct cr_saved *saved, uint32_t vpid);

#endif /* SAVED_H */
