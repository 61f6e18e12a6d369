/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cr_fault.h - places that fail when a test asks for it
 *
 * For tests of what happens then.  The environment variable CR_FAULT, NAME or
 * NAME:N, makes place NAME fail the first time, or the N-th time (or for the
 * N-th task or thread, from 1), once, with its own errno; docs/testing.md has
 * the list.  Compiled in with -DCR_FAULTS=ON only: never in what is installed.
 */
#ifndef CR_FAULT_H
#define CR_FAULT_H

#include <stddef.h>

enum cr_fault {
	CR_FAULT_IMAGE_WRITE,
	CR_FAULT_IMAGE_SYNC,
	CR_FAULT_IMAGE_RENAME,
	CR_FAULT_IMAGE_FOLDER, /* the sync behind the rename */
	CR_FAULT_MANIFEST_SYNC,
	CR_FAULT_MANIFEST_RENAME,
	CR_FAULT_MANIFEST_FOLDER,
	CR_FAULT_MEMORY_READ,
	CR_FAULT_FREEZE, /* N: thread, in the order of freezing */
	CR_FAULT_FORK, /* N: process of the plan */
	CR_FAULT_TERMINAL,
	CR_FAULT_FILE, /* N: task */
	CR_FAULT_FILL,
	CR_FAULT_SETTLE, /* N: task; in the restorer */
	CR_FAULT_GATE, /* N: task; in the restorer */
	CR_FAULT_RELEASE, /* N: thread, in the order of stopping */
	CR_FAULT_RELEASE_DEATH, /* N: thread; is killed instead */
	CR_FAULT_NR,
};

#ifdef CR_FAULTS
/* Is it to fail this time?  Then errno is set.  Counts in each process for
 * itself; any thread may call it. */
int cr_fault(enum cr_fault fault);

/* Is it to fail for number @index, from 0? */
int cr_fault_at(enum cr_fault fault, size_t index);

#else
static inline int cr_fault(enum cr_fault fault)
{
	(void)fault;
	return 0;
}

static inline int cr_fault_at(enum cr_fault fault, size_t index)
{
	(void)fault;
	(void)index;
	return 0;
}
#endif

#endif /* CR_FAULT_H */
