/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_pipe.h - what is in a pipe or a FIFO
 *
 * Private to file_pipe.c and file_fifo.c.
 */
#ifndef FILE_PIPE_H
#define FILE_PIPE_H

#include "file.h"

/* Take size and content into the file's own structure; all files are known.
 * The first of a ring has the content of all.  Returns 0 or a negative errno.
 */
int cr_pipe_save_content(struct cr_file *file, struct cr_error *err);

/* Give the pipe that @fd writes to the size and the content that were saved
 * with the ring of @id.  Returns 0, -EBADMSG or another negative errno. */
int cr_pipe_fill(struct cr_file_restore *restore, uint32_t id, int fd,
		 struct cr_error *err);

#endif /* FILE_PIPE_H */
