/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cr_checkpoint.h - freeze a tree, save it, let it go on or end it
 *
 * The steps are separate calls so that several nodes can take them together:
 *
 *	open -> freeze -> collect -> save -> commit -> thaw or end -> close
 *
 * cr_checkpoint_close() at any point lets a frozen tree go on; so does the
 * death of the calling process (the tracer).  Nothing of the tree is changed
 * before cr_checkpoint_end().  Works on trees of any user for root, else on
 * the caller's own (ptrace rules).  All calls from one thread.
 */
#ifndef CR_CHECKPOINT_H
#define CR_CHECKPOINT_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cr_engine.h"
#include "cr_error.h"

struct cr_checkpoint;

/* One rank's root task. */
struct cr_root {
	pid_t pid; /* as this process sees it */
	uint32_t rank; /* without Slurm: 0 */
	/*
	 * Descriptors 0..2 of this process-that-holds-them name the rank's
	 * standard streams: whatever task has the same open file description
	 * (kcmp(2)) has an external stream of this rank.  0: none; the rule
	 * for those is in cr_checkpoint_options.
	 */
	pid_t stream_holder;
};

/* A socket that leads out of the tree, to something that the caller knows. */
struct cr_external {
	char name[64]; /* the caller's word for it; not empty */
	void *note; /* malloc(3)ed; what the caller needs to bring it again.
		     * NULL: nothing.  Freed by whoever asked */
	size_t note_length; /* at most 48 MiB */
};

#define CR_CHECKPOINT_PATIENCE_MS 2000u

struct cr_checkpoint_options {
	const struct cr_root *roots;
	size_t nr_roots;
	/* pid 1 of the tree's PID namespace as seen from here, or 0.  Its
	 * children are orphans of the tree; it is never saved itself. */
	pid_t init;
	/* Without stream holders: terminals, pipes and sockets among the
	 * root's 0..2 are taken for external streams. */
	int guess_streams;
	int dirfd; /* of the image's directory, or AT_FDCWD */
	const char *name; /* of the image */
	int image_fd; /* if >= 0: write there instead (may be a pipe) */
	int compression; /* enum cr_compression */
	unsigned int nr_workers; /* 0: chosen */
	enum cr_engine engine; /* cr_image_write.h */
	uint32_t job, step; /* Slurm's, for the head; 0 without */
	uint32_t user; /* refuse tasks that have more rights than this user:
			* setuid programs, capabilities; 0: anybody's */
	const cpu_set_t *allocation; /* CPUs the tree may use; NULL: ask */
	/* For freezing; 0: 10 s.  Six times as long for a thread that works in
	 * the kernel, in a call that no signal ends (MAP_POPULATE). */
	unsigned int timeout_ms;
	/*
	 * What is in the way for the moment only, a connection that has not
	 * been accepted yet, say: so long the tree is let go, for some ms, and
	 * stopped and looked at again.  0: the first look counts.  @again (may
	 * be NULL) is called when it has been stopped so, and fails as it
	 * likes: what its caller has noted of the tree is out of date.
	 */
	unsigned int patience_ms; /* also for a tracer to go away, in freeze */
	int (*again)(void *arg, struct cr_error *err);
	void *again_arg;
	/*
	 * Asked for each socket of the tree while it is frozen; @fd is a
	 * duplicate of it, number @number of process @pid.  Returns 1 if
	 * the socket is external, with @external filled, 0 if it is not, a
	 * negative errno with @err filled if it is and cannot be saved now.
	 *
	 * What the tree has sent must have been taken by the other side, or the
	 * checkpoint is refused.  What the tree has not read yet, up to 12
	 * MiB, is saved, and given to the caller of the restart.  NULL: no
	 * socket is external.
	 */
	int (*external)(void *arg, pid_t pid, int number, int fd,
			struct cr_external *external, struct cr_error *err);
	void *external_arg;
	/*
	 * TCP connections whose other end is not in the tree are refused by the
	 * verdict, unless the other node may have them in its image (cr_tcp.h)
	 * or they may be reset: then the program gets ECONNRESET after the
	 * restart.
	 */
	int peers_elsewhere;
	int peers_here; /* so may other trees of this node, of the same caller;
			 * loopback addresses excepted */
	int tcp_close;
	/*
	 * Called by cr_checkpoint_collect() once, when all that TCP sockets
	 * have to send has been read and nothing that they have received: nodes
	 * that save together wait for each other here.  Not 0: that is what
	 * cr_checkpoint_collect() returns.
	 */
	int (*between_queues)(void *arg, struct cr_error *err);
	void *between_arg;
	void (*progress)(void *arg, uint64_t bytes_done, uint64_t bytes_total);
	void *progress_arg;
};

struct cr_checkpoint_stats {
	uint32_t nr_tasks, nr_threads;
	uint64_t frozen_ns; /* from the first stop to thaw, end or now */
	uint64_t freeze_ns, collect_ns, memory_ns, commit_ns;
	uint64_t memory_bytes, zero_bytes, stored_bytes, file_bytes;
	uint64_t kernel_bytes; /* of stored_bytes: by the kernel engine */
	uint64_t monotonic_ns, boottime_ns; /* the tree's clocks, as in the
					     * image's head */
	uint64_t cow_shared_bytes; /* saved once for several tasks */
};

/* @options is copied, but not what it points to: that lives until close. */
int cr_checkpoint_open(const struct cr_checkpoint_options *options,
		       struct cr_checkpoint **checkpointp,
		       struct cr_error *err);

/*
 * Stop every thread of the tree, also those that are being made meanwhile.
 * After -ETIMEDOUT a thread that would not stop may be held for a moment when
 * it can, until the calling thread ends.
 * Returns 0, -ESRCH if a root is gone, -ETIMEDOUT (all go on), -EPERM, -EBUSY
 * if somebody else traces a task.
 */
int cr_checkpoint_freeze(struct cr_checkpoint *checkpoint,
			 struct cr_error *err);

/*
 * Pre-flight verdict, then all that is to be known before memory is written,
 * TCP queues last: cr_checkpoint_connections() has the ends then.  The tree
 * must be frozen, and is so again if it is tried with patience (not after an
 * error of stopping it); nothing is written yet.
 * Returns 0; -EOPNOTSUPP when something cannot be saved: the text names
 * vpid, fd or address, and what it is; or errors of reading, of stopping, or of
 * options.again().
 */
int cr_checkpoint_collect(struct cr_checkpoint *checkpoint,
			  struct cr_error *err);

/*
 * Write the image under its temporary name; collects first, if that has not
 * been done.  Returns as cr_checkpoint_collect(), or errors of writing.
 */
int cr_checkpoint_save(struct cr_checkpoint *checkpoint, struct cr_error *err);

/* The verdict alone.  @report is called for each thing that cannot be saved
 * (code -EOPNOTSUPP) or was in the way for the moment until the end of patience
 * (-EAGAIN); may be NULL.  Returns 0 or -EOPNOTSUPP (@err has the first), or
 * errors as cr_checkpoint_collect(). */
int cr_checkpoint_verdict(struct cr_checkpoint *checkpoint,
			  void (*report)(void *arg, const struct cr_error *why),
			  void *arg, struct cr_error *err);

/* Make the image durable and give it its name. */
int cr_checkpoint_commit(struct cr_checkpoint *checkpoint,
			 struct cr_error *err);

/* Let the tree go on as if nothing had happened.
 * (While the queues of a TCP connection are read, some microseconds each, it is
 * in repair mode.  If the caller is killed then, a child of it puts that right;
 * if both are killed at once, the connection cannot be used any more.) */
int cr_checkpoint_thaw(struct cr_checkpoint *checkpoint, struct cr_error *err);

/* End all tasks of the tree with SIGKILL and wait until they are gone (roots
 * may remain as zombies of their parents).  Saved TCP connections vanish
 * without a word to their other ends. */
int cr_checkpoint_end(struct cr_checkpoint *checkpoint, struct cr_error *err);

void cr_checkpoint_stats(const struct cr_checkpoint *checkpoint,
			 struct cr_checkpoint_stats *stats);

/* Thaw if frozen, drop an uncommitted image, free.  NULL is allowed. */
void cr_checkpoint_close(struct cr_checkpoint *checkpoint);

#endif /* CR_CHECKPOINT_H */
