/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmod.h - the memory calls of /dev/cr as functions
 *
 * Private to lib/; kmod.c is the only caller of those ioctls.  A struct
 * cr_kmod is of one thread: it is one context of the module.
 */
#ifndef KMOD_H
#define KMOD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "cr_engine.h"
#include "cr_error.h"
#include "image_chunk.h"

struct cr_kmod;

/*
 * Open a context as @engine wants it: *@kmodp is the caller's, or NULL if it
 * wants none, or (CR_ENGINE_AUTO) none is to be had.
 * Returns 0; for CR_ENGINE_KERNEL also what open(2) returns.
 */
int cr_kmod_open(enum cr_engine engine, struct cr_kmod **kmodp,
		 struct cr_error *err);
void cr_kmod_close(struct cr_kmod *kmod); /* NULL is allowed; keeps errno */

/* What the module holds of a process. */
struct cr_kmod_taken {
	struct cr_wire_run *runs; /* of the caller, CR_CHUNK_RUNS_MAX */
	size_t nr_runs;
	uint64_t length; /* bytes, sum of the runs */
	uint32_t crc; /* CRC32C */
};

/*
 * Hold the pages of @runs of process @pid, at most CR_WIRE_CHUNK_MAX in all,
 * but for zero pages whose bit of @keep (NULL: all set) is clear; bit 0 is for
 * the first page of the first run.  The process must be stopped until
 * cr_kmod_put() has returned.  @taken says what is held.
 * Returns 0, or what opening /proc/PID/mem or the module returns.
 */
int cr_kmod_take(struct cr_kmod *kmod, pid_t pid, const uint64_t *keep,
		 const struct cr_wire_run *runs, size_t nr_runs,
		 struct cr_kmod_taken *taken);

/* Write what is held to @fd at @offset, all or a negative errno. */
int cr_kmod_put(struct cr_kmod *kmod, int fd, uint64_t offset);

/*
 * Read from @fd at @offset into @pieces of this process, which are whole pages
 * and at most CR_WIRE_CHUNK_MAX in all.  *@crc is the CRC32C of it.
 * Returns 0; -ENODATA the file is too short; or as pread(2).
 */
int cr_kmod_fill(struct cr_kmod *kmod, int fd, uint64_t offset,
		 const struct iovec *pieces, size_t nr_pieces, uint32_t *crc);

#endif /* KMOD_H */
