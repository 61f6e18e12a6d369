/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generation_folder.h - what the files that open folders of generations share
 *
 * Private to generation*.c.
 */
#ifndef GENERATION_FOLDER_H
#define GENERATION_FOLDER_H

#include "cr_error.h"

#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define NAME_SIZE 48

/* generation_dir.c: open folder @name in @dirfd, which is made if @create, and
 * check that it is ours.  Descriptor or -errno (-EPERM: somebody else's). */
int cr_generation_open_folder(int dirfd, const char *name, int create,
			      struct cr_error *err);

/* generation.c: remove all of a step, and what else is in its folder. */
int cr_generation_remove_all(int step_dirfd, struct cr_error *err);

#endif /* GENERATION_FOLDER_H */
