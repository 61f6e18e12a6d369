/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guard.h - a child that puts something right when we are killed
 *
 * Private to lib/.  For what a program would be left with otherwise, and what
 * takes moments only.  The guard shares our descriptors and has a copy of our
 * memory.
 */
#ifndef GUARD_H
#define GUARD_H

#include <sys/types.h>

/* When this process dies, @undo(@arg) is called in the guard, which then ends.
 * Returns its pid, or a negative errno: then we do without. */
pid_t cr_guard_start(void (*undo)(const void *arg), const void *arg);

/* All is well: end it.  Anything but a pid is allowed, and ignored. */
void cr_guard_end(pid_t guard);

#endif /* GUARD_H */
