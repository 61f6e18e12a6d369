/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cr_namespace.h - the namespaces that a tree lives in
 *
 * A PID namespace (saved pids are always free), a mount namespace with its
 * own /proc, an IPC namespace, and a time namespace whose clocks go on from
 * where the image left them.  An init (pid 1) that does nothing but reap
 * holds them; when it dies the kernel ends every task in there.
 */
#ifndef CR_NAMESPACE_H
#define CR_NAMESPACE_H

#include <stdint.h>
#include <sys/types.h>

#include "cr_error.h"

struct cr_namespace {
	pid_t init; /* as the creator sees it, its child; 0: none */
	int init_fd; /* pidfd of init, cloexec: enough for setns(2) */
};

#define CR_NAMESPACE_NONE                \
	{                                \
		.init = 0, .init_fd = -1 \
	}

enum {
	CR_NAMESPACE_DIES_WITH_CALLER = 1, /* init is killed when the calling
					    * thread ends */
	CR_NAMESPACE_OWN_TERMINALS = 2, /* a /dev/pts of its own, so that the
					 * numbers of saved terminals are free;
					 * not for a tree that is given one of
					 * the caller's: it has no name there */
};

/*
 * Make new namespaces and their init.  @monotonic_ns and @boottime_ns: what
 * these clocks shall show in there now; 0: as they do here.  Init holds none
 * of the caller's descriptors.  Needs CAP_SYS_ADMIN.
 * Returns 0 or a negative errno; @ns is valid on success only.
 */
int cr_namespace_create(unsigned int flags, uint64_t monotonic_ns,
			uint64_t boottime_ns, struct cr_namespace *ns,
			struct cr_error *err);

/*
 * Enter the namespaces of the init behind the pidfd @init_fd: mount, IPC and
 * time now, PID for children to come.  The caller must have one thread.  The
 * working directory is looked up anew by its path; "/" if that is gone.
 */
int cr_namespace_enter(int init_fd, struct cr_error *err);

/*
 * The two halves of it.  After the first the caller's children to come are in
 * there, and the caller still sees the node's /proc; the second is then for
 * them.
 */
int cr_namespace_enter_processes(int init_fd, struct cr_error *err);
int cr_namespace_enter_mounts(int init_fd, struct cr_error *err);

/*
 * Only a time namespace, for the caller's children to come: what a tree needs
 * that is restarted among the node's own pids.
 */
int cr_namespace_clocks(uint64_t monotonic_ns, uint64_t boottime_ns,
			struct cr_error *err);

/* End everything in it (SIGKILL to init), wait for it, close.  Errno kept. */
void cr_namespace_destroy(struct cr_namespace *ns);

#endif /* CR_NAMESPACE_H */
