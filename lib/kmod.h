/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmod.h - the calls of /dev/cr as functions
 *
 * Private to lib/; kmod.c (processes, memory) and kmod_restart.c (the restart
 * protocol) are the only callers of those ioctls, but for the restorer, which
 * can call no function.  A struct cr_kmod is of one thread.
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

#define CR_KMOD_DEVICE "/dev/cr"

/* ---- processes and memory ---- */

struct cr_ioc_ask;
struct cr_ioc_files;
struct cr_ioc_look;
struct cr_ioc_maps;
struct cr_ioc_regs;
struct cr_kmod;

/*
 * Open a context as @engine wants it: *@kmodp is the caller's, or NULL if it
 * wants none, or (CR_ENGINE_AUTO) none is to be had.
 * Returns 0; for CR_ENGINE_KERNEL also what open(2) returns.
 */
int cr_kmod_open(enum cr_engine engine, struct cr_kmod **kmodp,
		 struct cr_error *err);
void cr_kmod_close(struct cr_kmod *kmod); /* NULL is allowed; keeps errno */

#define CR_KMOD_CHUNKS_MAX 256 /* in one call */
#define CR_KMOD_PROCESSES_MAX 64 /* descriptors that one call takes */

/* Pages of a process, which stands still, that are to become a chunk. */
struct cr_kmod_chunk {
	pid_t pid;
	uint32_t space;
	/* sorted, CR_WIRE_CHUNK_MAX in all; zero pages whose bit of @keep
	 * (NULL: all set) is clear are left out */
	const struct cr_wire_run *runs;
	size_t nr_runs;
	const uint64_t *keep;
	uint64_t length; /* out: bytes that were kept; 0: there is no chunk */
	uint64_t offset; /* out: of the chunk's record */
};

/*
 * Write @chunks where @fd stands, which then stands behind them; as many as one
 * call can do of the @nr, which *@nr_done tells.  *@code is 0, or why there is
 * no chunk @chunks[*@nr_done].  Several threads may do that at once.
 * Returns 0, or what the module returns: the image is lost then.
 */
int cr_kmod_checkpoint(struct cr_kmod *kmod, int fd,
		       struct cr_kmod_chunk *chunks, size_t nr, size_t *nr_done,
		       int *code);

/*
 * Read from @fd at @offset into @pieces of this process, which are whole pages
 * and at most CR_WIRE_CHUNK_MAX in all.  *@crc is the CRC32C of it.
 * Returns 0; -ENODATA the file is too short; or as pread(2).
 */
int cr_kmod_fill(struct cr_kmod *kmod, int fd, uint64_t offset,
		 const struct iovec *pieces, size_t nr_pieces, uint32_t *crc);

/*
 * Ask about thread @tid of process @pid, which stands still.  @ask->unknown
 * says what the module could not tell. Returns 0, or what opening /proc/PID/mem
 * or the module returns.
 */
int cr_kmod_ask(struct cr_kmod *kmod, pid_t pid, pid_t tid,
		struct cr_ioc_ask *ask);

/* The same of what /proc shows as text. */
int cr_kmod_look(struct cr_kmod *kmod, pid_t pid, pid_t tid,
		 struct cr_ioc_look *look);

/* Descriptors and mappings of process @pid, in parts.  @files and @maps say
 * where to begin and which buffer to use, and then where to go on. */
int cr_kmod_files(struct cr_kmod *kmod, pid_t pid, struct cr_ioc_files *files);
int cr_kmod_maps(struct cr_kmod *kmod, pid_t pid, struct cr_ioc_maps *maps);

/* The file without a name that is mapped at @address of process @pid; returns
 * a descriptor. */
int cr_kmod_open_mapped(struct cr_kmod *kmod, pid_t pid, uint64_t address);

/* Registers of a thread that this thread traces.  @regs says which, and where
 * its extended state is to go. */
int cr_kmod_regs(struct cr_kmod *kmod, struct cr_ioc_regs *regs);

/* ---- a restart: docs/restart-protocol.md ---- */

/* Open a context, as a descriptor at or above @floor; returns it, or what
 * open(2) returns. */
int cr_kmod_restart_open(int floor, struct cr_error *err);

/*
 * Become the coordinator of the restart of the image that @image_fd stands at
 * the start of, and of @ghosts (their vpids).  @timeout_ms until it fails.
 * Returns 0 or a negative errno as of CR_IOC_RESTART.
 */
int cr_kmod_restart_begin(int device, int image_fd, const uint32_t *ghosts,
			  size_t nr_ghosts, uint32_t timeout_ms);

enum cr_kmod_step {
	CR_KMOD_JOIN,
	CR_KMOD_TURN,
	CR_KMOD_RESTORED,
	CR_KMOD_SETTLE,
	CR_KMOD_ARRIVE, /* at the gate; the descriptor may be closed then */
	CR_KMOD_RELEASE, /* the coordinator's */
};

/* Take a step; returns when it is taken: 0, or the restart's first error. */
int cr_kmod_restart_step(int device, enum cr_kmod_step step);
/* Its number for ioctl(2); the restorer's argument for all is 0. */
unsigned long cr_kmod_request(enum cr_kmod_step step);

/* End the restart for all, if it has not ended; @code is a negative errno. */
int cr_kmod_restart_fail(int device, int code);

struct cr_kmod_look {
	uint32_t state; /* enum cr_restart_state */
	uint32_t vpid; /* who has failed; 0: no task */
	int code; /* the first error */
};

/* How far it is, without waiting.  epoll(7) says EPOLLIN from RELEASE on. */
int cr_kmod_restart_look(int device, struct cr_kmod_look *look);

#endif /* KMOD_H */
