/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rootless.h - what cr needs root for, done by an ordinary user
 *
 * In a user namespace (user_namespaces(7)) with nobody in it but the caller,
 * by their own ids, who has all capabilities over what is made in there.  The
 * program gets none: execve(2) takes them from whoever is not root.
 */
#ifndef ROOTLESS_H
#define ROOTLESS_H

#include <sys/types.h>

#include "cr_error.h"

/*
 * Before anything is made for a tree: unless we may do that as we are, move
 * this process, which must have one thread, to a new user namespace.
 * Returns 1 if it has been moved, 0 or a negative errno.
 */
int cr_rootless_begin(struct cr_error *err);

/* Before anything is asked of process @pid: move to its user namespace, if that
 * is another than ours, and we may not do that as we are. */
int cr_rootless_join(pid_t pid, struct cr_error *err);

#endif /* ROOTLESS_H */
