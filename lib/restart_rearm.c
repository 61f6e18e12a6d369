/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_rearm.c - interrupted system calls that go on where they were
 *
 * What remains of a timeout is known to a restart block alone, which only the
 * kernel can make.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "remote.h"
#include "restart_ctx.h"

#define NSEC_PER_SEC 1000000000ll
#define NSEC_PER_MSEC 1000000ll
#define ERESTART_RESTARTBLOCK 516 /* linux/errno.h, kernel only */

static int write_timeout(const struct cr_restarter *restarter, pid_t tid,
			 int64_t remaining_ns, uint64_t *addressp,
			 struct cr_error *err)
{
	struct timespec timeout = { remaining_ns / NSEC_PER_SEC,
				    remaining_ns % NSEC_PER_SEC };
	struct iovec local = { &timeout, sizeof(timeout) };
	struct iovec remote = { NULL, sizeof(timeout) };

	/* the arena's last bytes are never used */
	*addressp = restarter->arena_start + restarter->arena_length - 64;
	remote.iov_base = (void *)*addressp;
	if (process_vm_writev(tid, &local, 1, &remote, 1, 0) < 0)
		return cr_error_errno(err, "writing a timeout");
	return 0;
}

/* The same call with what remains of its timeout. */
static int rearm_args(const struct cr_restarter *restarter, pid_t tid,
		      const struct cr_wire_resume *resume, uint64_t args[6],
		      struct cr_error *err)
{
	int64_t ns = resume->remaining_ns > 0 ? resume->remaining_ns : 0;

	memcpy(args, resume->args, sizeof(resume->args));
	switch (resume->nr) {
	case SYS_nanosleep:
		return write_timeout(restarter, tid, ns, &args[0], err);
	case SYS_clock_nanosleep:
		return write_timeout(restarter, tid, ns, &args[2], err);
	case SYS_futex:
		if (resume->remaining_ns < 0)
			return 0;
		return write_timeout(restarter, tid, ns, &args[3], err);
	case SYS_poll:
		args[2] = resume->remaining_ns < 0 ?
				  (uint64_t)-1 :
				  (uint64_t)((ns + NSEC_PER_MSEC - 1) /
					     NSEC_PER_MSEC);
		return 0;
	default:
		return cr_error_set(err, -EBADMSG,
				    "system call %u has no restart block",
				    resume->nr);
	}
}

int cr_restart_rearm(const struct cr_restarter *restarter, pid_t tid,
		     const struct cr_saved_thread *saved,
		     struct cr_wire_regs *regs, struct cr_error *err)
{
	const struct cr_wire_resume *resume = &saved->thread->resume;
	uint64_t args[6];
	int64_t result;
	int rc;

	if (resume->kind != CR_RESUME_BLOCK)
		return 0;
	rc = rearm_args(restarter, tid, resume, args, err);
	if (!rc)
		rc = cr_trace_syscall_interrupted(
			tid,
			restarter->arena_start + cr_restorer_syscall_offset(),
			resume->nr, args, &result, err);
	if (rc < 0)
		return rc;
	if (result != -ERESTART_RESTARTBLOCK) {
		regs->ax = (uint64_t)result;
		regs->orig_ax = UINT64_MAX;
	}
	return 0;
}
