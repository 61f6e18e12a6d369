/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * supervise.h - stand in for a program: pass signals on, end as it ends
 */
#ifndef SUPERVISE_H
#define SUPERVISE_H

#include <sys/types.h>

/* Block the signals that are to be passed on; before the child is made, so
 * that none is lost.  The child must call cr_supervise_child(). */
void cr_supervise_begin(void);
void cr_supervise_child(void);

/*
 * Pass SIGTERM, SIGINT and their like on to @pid until it has ended; other
 * children are reaped too.  Returns its exit status, or 128 + signal.
 */
int cr_supervise(pid_t pid);

#endif /* SUPERVISE_H */
