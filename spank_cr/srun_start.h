/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * srun_start.h - how srun was started, to be started so again
 */
#ifndef SRUN_START_H
#define SRUN_START_H

#include <signal.h>

/* Note program, arguments, environment, descriptors, signals, limit.  First of
 * all.  0 or -errno. */
int srun_start_note(void);
/* And a copy of what is in standard input, if that is a pipe into which nobody
 * writes any more: a here-document. */
void srun_start_note_input(void);
/* Are we the process that has noted it, and no child of that? */
int srun_start_is_ours(void);
/* Could it be started so again, on other nodes?  Not if its input cannot be
 * read again, or it names nodes. */
int srun_start_can_again(void);
/* Files, signals (but those of park.h), limit and position in standard input.
 */
void srun_start_put_back(void);
/* Execute it with @variable ("NAME=VALUE" of park.h) in its environment, and
 * @blocked blocked, too (or NULL).  Returns if that fails. */
void srun_start_again(char *variable, const sigset_t *blocked);

#endif /* SRUN_START_H */
