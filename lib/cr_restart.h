/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cr_restart.h - make a saved tree run again
 *
 * The caller becomes the coordinator, outside the tree, and the parent of its
 * root tasks: it waits for them with waitpid(2) afterwards.  It must have one
 * thread only, and its later children are born in the tree's namespaces.
 * docs/restart-protocol.md has the whole protocol.
 */
#ifndef CR_RESTART_H
#define CR_RESTART_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cr_engine.h"
#include "cr_error.h"
#include "cr_tcp.h"

struct cr_image;

struct cr_restart_root {
	uint32_t rank; /* as saved */
	int stream[3]; /* what its external streams lead to now; stay the
			* caller's; -1: /dev/null */
	/* Put the rank's tasks into this process' cgroups (0: leave). */
	pid_t cgroups_of;
};

/* A socket that was external at the checkpoint (cr_checkpoint.h). */
struct cr_restart_external {
	char name[64];
	const void *note; /* what was kept with it */
	size_t note_length;
	const void *unread; /* what the tree has not read of it: the other
			     * side has to send this before all else */
	size_t unread_length;
	int listens;
};

struct cr_restart_options {
	/* pidfd of the init of the namespaces to live in (cr_namespace.h); 0:
	 * those of the caller.  The caller itself must be outside: it has to
	 * see the node's /proc. */
	int namespace_fd;
	/* Ranks without an entry get streams of /dev/null. */
	const struct cr_restart_root *roots;
	size_t nr_roots;
	const cpu_set_t *allocation; /* CPUs to map bindings to; NULL: those
				      * of this process */
	unsigned int timeout_ms; /* for the whole restart; 0: 60 s plus what
				  * the memory takes at 50 MB/s */
	uint32_t user; /* as in cr_checkpoint_options: -EPERM; 0: anybody's */
	unsigned int nr_workers; /* threads that fill memory; 0: chosen */
	enum cr_engine engine; /* who fills it and runs the protocol; auto:
				* user */
	/*
	 * Called in this process for each external socket, before any task
	 * exists: returns the descriptor that takes its place, which is ours
	 * from then on, or a negative errno with @err filled, which ends the
	 * restart.  NULL: an image with external sockets is refused with
	 * -EOPNOTSUPP.
	 */
	int (*external)(void *arg, const struct cr_restart_external *external,
			struct cr_error *err);
	void *external_arg;
	/* New addresses of TCP sockets, and ends in other images. */
	struct cr_tcp_restart tcp;
	/*
	 * Called in the coordinator when every task is restored and stopped
	 * with its registers; all end if this process does.  No TCP connection
	 * has said a word yet; all begin to when it returns 0, so nodes that
	 * restart together wait for each other here, and each must return in
	 * bounded time.  Not 0: the restart fails with that.
	 */
	int (*at_gate)(void *arg, struct cr_error *err);
	void *at_gate_arg;
	/* For tests: take the image for one of another kernel. */
	int foreign_vdso;
	/* For tests: called in the child before task number @index joins, and
	 * with SIZE_MAX in a helper that has forked and is about to exit. */
	void (*fault)(void *arg, size_t index);
	void *fault_arg;
};

struct cr_restarted_root {
	uint32_t rank;
	uint32_t vpid;
	pid_t pid; /* as the caller sees it; may be a zombie, to be reaped */
};

struct cr_restart_result {
	struct cr_restarted_root *roots; /* freed with free(3) */
	size_t nr_roots;
	uint64_t prepare_ns, restore_ns; /* before the first fork; after */
	uint64_t memory_bytes;
};

/*
 * Restart the tree of @image.  When it returns 0 all tasks run.
 * Returns 0, or the first error of any task, with no task left:
 *	-EEXIST		a vpid is taken here
 *	-ESTALE		a file has shrunk, changed or vanished
 *	-EOPNOTSUPP	this CPU or kernel lacks what the image needs
 *	-ETIMEDOUT	a task did not arrive
 *	-ECANCELED	a task died
 *	-EADDRINUSE	the port of a TCP socket is taken here
 *	-EADDRNOTAVAIL	its address is none of this node's
 *	-ENOTCONN	the other end of a TCP connection is nowhere
 *	-EBADMSG, -ENODATA, ...	as cr_image.h
 */
int cr_restart(struct cr_image *image, const struct cr_restart_options *options,
	       struct cr_restart_result *result, struct cr_error *err);

#endif /* CR_RESTART_H */
