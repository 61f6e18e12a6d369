/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output.h - what an srun had written to a file of its script
 *
 * A script that begins anew opens the files of its redirections anew, and
 * "srun program >file" cuts off what the program had written before its
 * checkpoint.  So the agent of the script copies such files aside when the
 * script's sruns have ended, and the srun of the script that begins anew puts
 * the copy in front.  Both as the user, with nothing but the user's rights.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdint.h>
#include <sys/types.h>

#include "cr_error.h"

#define CR_OUTPUT_PATH_MAX 4096

/* A file that descriptor @fd of process @pid writes to, and that its opener
 * would cut off: a regular file, not in append mode.  1 and its path and
 * numbers, or 0. */
int cr_output_find(pid_t pid, int fd, char path[CR_OUTPUT_PATH_MAX],
		   dev_t *devicep, ino_t *inodep);

/* Copy the file @path, if it still has that number, aside for @job. */
int cr_output_keep(const char *path, dev_t device, ino_t inode, uint32_t job,
		   struct cr_error *err);

/* If our descriptor @fd is a file that has just been cut off, and there is a
 * copy aside for @job: write it to @fd and remove it.  1: done, 0: nothing to
 * do, or a negative errno. */
int cr_output_put_back(int fd, uint32_t job, struct cr_error *err);

#endif /* OUTPUT_H */
