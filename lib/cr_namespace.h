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
	pid_t init; /* as the creator sees it; its child */
	int pid_fd, mnt_fd, ipc_fd, time_fd; /* of /proc/INIT/ns/..., cloexec */
	int init_fd; /* pidfd of init */
};

/*
 * Make new namespaces and their init.  @monotonic_ns and @boottime_ns: what
 * these clocks shall show in there now; 0: as they do here.  The init dies with
 * the calling thread.  All descriptors of the caller but stderr are closed in
 * it. Returns 0 or a negative errno (-EPERM: needs CAP_SYS_ADMIN).
 */
int cr_namespace_create(uint64_t monotonic_ns, uint64_t boottime_ns,
			struct cr_namespace *ns, struct cr_error *err);

/*
 * Enter: mount and IPC now, PID and time for children to come.  The caller
 * must have one thread.  The working directory is looked up anew by path.
 */
int cr_namespace_enter(const struct cr_namespace *ns, struct cr_error *err);

/* End everything in it (SIGKILL to init), wait for it, close.  Errno kept. */
void cr_namespace_destroy(struct cr_namespace *ns);

#endif /* CR_NAMESPACE_H */
