/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapped.h - the file behind a mapping
 */
#ifndef MAPPED_H
#define MAPPED_H

#include <sys/types.h>

struct cr_kmod;
struct cr_proc_map;

/* Where it can be opened, and looked at by stat(2). */
struct cr_mapped {
	int fd; /* kept open for @path, or -1 */
	char path[96]; /* below /proc */
};

/*
 * The file that is mapped at @map of process @pid.  Of a mapping that has no
 * name in a file system @map->start and @map->end are enough.
 *
 * /proc/PID/map_files leads there, for who has CAP_CHECKPOINT_RESTORE over the
 * node (proc_map_files_get_link() in fs/proc/base.c).  Others find it by its
 * name, if that leads to the same file; or, if it has none, get it from the
 * module (@kmod, or NULL).
 *
 * Returns 0; -EPERM: there is no way for us; or as open(2).
 */
int cr_mapped_find(struct cr_kmod *kmod, pid_t pid,
		   const struct cr_proc_map *map, struct cr_mapped *mapped);
void cr_mapped_forget(struct cr_mapped *mapped); /* keeps errno */

#endif /* MAPPED_H */
