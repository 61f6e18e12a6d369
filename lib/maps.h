/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * maps.h - the mappings of a process, one at a time
 *
 * By the module, or from /proc/PID/smaps.  The module does not say how much of
 * a mapping is where: what may be is taken for all of it.
 */
#ifndef MAPS_H
#define MAPS_H

#include <sys/types.h>

#include "cr_engine.h"
#include "cr_error.h"
#include "procfs.h"

struct cr_kmod;
struct cr_maps;

/* @kmod: as @engine wants it, NULL for none; it is used until closing. */
int cr_maps_open(struct cr_kmod *kmod, enum cr_engine engine, pid_t pid,
		 struct cr_maps **mapsp, struct cr_error *err);
/* The next into *@mapp, good until the next call.  Returns 1, 0 at the end, a
 * negative errno. */
int cr_maps_next(struct cr_maps *maps, struct cr_proc_map **mapp,
		 struct cr_error *err);
void cr_maps_close(struct cr_maps *maps); /* NULL is allowed; keeps errno */

#endif /* MAPS_H */
