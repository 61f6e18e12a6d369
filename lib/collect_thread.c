/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_thread.c - state of one thread that can be read from outside
 *
 * Registers first: everything else may run calls in the thread.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/rseq.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "look.h"
#include "remote.h"
#include "syscall_resume.h"

#ifndef PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
#define PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG 0x4211
#endif

#define PENDING_STEP 32u
#define USER_CODE_SEGMENT 0x33 /* of 64-bit programs */
#define IOPRIO_WHO_PROCESS 1
#define SIGNAL_BIT(signal) (1ull << ((signal)-1))
#define IGNORED_BY_DEFAULT                                                \
	(SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) | \
	 SIGNAL_BIT(SIGWINCH))

/* struct sched_attr, which Debian 12's libc does not have */
struct sched_attr_1 {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static int open_memory(const struct cr_save_thread *thread)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", thread->tid);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* Not by process_vm_readv(2), which would end the sharing of pages. */
static int read_memory(void *arg, uint64_t address, void *data, size_t length)
{
	int fd = open_memory(arg);
	ssize_t n;

	if (fd < 0)
		return -EFAULT;
	n = pread(fd, data, length, (off_t)address);
	close(fd);
	return n == (ssize_t)length ? 0 : -EFAULT;
}

static int write_memory(void *arg, uint64_t address, const void *data,
			size_t length)
{
	int fd = open_memory(arg);
	ssize_t n;

	if (fd < 0)
		return -EFAULT;
	n = pwrite(fd, data, length, (off_t)address);
	close(fd);
	return n == (ssize_t)length ? 0 : -EFAULT;
}

int cr_collect_pending(pid_t tid, int shared, struct cr_wire_siginfo **pendingp,
		       uint32_t *nr_pendingp, struct cr_error *err)
{
	struct __ptrace_peeksiginfo_args args = {
		.flags = shared ? PTRACE_PEEKSIGINFO_SHARED : 0,
		.nr = PENDING_STEP,
	};
	struct cr_wire_siginfo *pending = NULL, *larger;
	long n;

	_Static_assert(sizeof(siginfo_t) == sizeof(*pending), "siginfo_t");
	do {
		larger = reallocarray(pending, args.off + PENDING_STEP,
				      sizeof(*pending));
		if (!larger) {
			free(pending);
			return cr_error_set(err, -ENOMEM, "out of memory");
		}
		pending = larger;
		n = ptrace(PTRACE_PEEKSIGINFO, tid, &args, pending + args.off);
		if (n < 0) {
			n = cr_error_errno(err, "signals of thread %d", tid);
			free(pending);
			return (int)n;
		}
		args.off += (uint64_t)n;
	} while (n == PENDING_STEP);
	if (!args.off) { /* nearly always: no memory for that */
		free(pending);
		pending = NULL;
	}
	*pendingp = pending;
	*nr_pendingp = (uint32_t)args.off;
	return 0;
}

static void collect_sched(struct cr_save_thread *thread)
{
	struct cr_wire_sched *sched = &thread->wire->sched;
	struct sched_attr_1 attr = { 0 };
	long priority;

	if (syscall(SYS_sched_getattr, thread->tid, &attr, sizeof(attr), 0) ==
	    0) {
		sched->policy = attr.policy;
		if (attr.flags & 1) /* SCHED_FLAG_RESET_ON_FORK */
			sched->policy |= (uint32_t)SCHED_RESET_ON_FORK;
		sched->nice = attr.nice;
		sched->priority = attr.priority;
		sched->runtime = attr.runtime;
		sched->deadline = attr.deadline;
		sched->period = attr.period;
	}
	/* of other policies too */
	sched->nice = getpriority(PRIO_PROCESS, (id_t)thread->tid);
	priority = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, thread->tid);
	sched->io_priority = priority > 0 ? (uint32_t)priority : 0;
	syscall(SYS_sched_getaffinity, thread->tid, sizeof(sched->affinity),
		sched->affinity);
}

/*
 * A thread inside a restartable sequence would be sent to the abort address
 * by the kernel, as it has been switched away from.
 */
static void leave_rseq(struct cr_save_thread *thread)
{
	struct cr_wire_thread *wire = thread->wire;
	const uint64_t none = 0;
	struct rseq_cs cs;
	uint64_t address;
	uint64_t field = wire->rseq_pointer + offsetof(struct rseq, rseq_cs);

	if (read_memory(thread, field, &address, sizeof(address)) < 0 ||
	    !address || read_memory(thread, address, &cs, sizeof(cs)) < 0)
		return;
	if (wire->regs.ip - cs.start_ip >= cs.post_commit_offset)
		return;
	wire->regs.ip = cs.abort_ip;
	/* at once, as in all that follows we may be killed */
	if (cr_trace_set_regs(thread->tid, &wire->regs, NULL) == 0)
		write_memory(thread, field, &none, sizeof(none));
}

static void collect_rseq(struct cr_save_thread *thread)
{
	struct __ptrace_rseq_configuration rseq = { 0 };

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, thread->tid, sizeof(rseq),
		   &rseq) < 0 ||
	    !rseq.rseq_abi_pointer)
		return;
	thread->wire->rseq_pointer = rseq.rseq_abi_pointer;
	thread->wire->rseq_length = rseq.rseq_abi_size;
	thread->wire->rseq_signature = rseq.signature;
	leave_rseq(thread);
}

static void copy_creds(struct cr_wire_creds *creds,
		       const struct cr_proc_status *status)
{
	creds->ruid = status->uid[0];
	creds->euid = status->uid[1];
	creds->suid = status->uid[2];
	creds->fsuid = status->uid[3];
	creds->rgid = status->gid[0];
	creds->egid = status->gid[1];
	creds->sgid = status->gid[2];
	creds->fsgid = status->gid[3];
	creds->cap_inheritable = status->cap_inheritable;
	creds->cap_permitted = status->cap_permitted;
	creds->cap_effective = status->cap_effective;
	creds->cap_bounding = status->cap_bounding;
	creds->cap_ambient = status->cap_ambient;
	creds->no_new_privs = status->no_new_privs;
}

/* Will a signal be delivered as soon as the thread goes on? */
static int has_signal(const struct cr_save_task *task,
		      const struct cr_save_thread *thread,
		      const struct cr_proc_status *status)
{
	uint64_t deliver = status->pending | status->shared_pending;

	deliver &= ~(thread->wire->signal_mask | task->ignored);
	/* those without a handler do nothing if that is their default */
	return (deliver & ~(IGNORED_BY_DEFAULT & ~task->caught)) != 0;
}

static int decide_resume(const struct cr_checkpoint *checkpoint,
			 const struct cr_save_task *task,
			 struct cr_save_thread *thread,
			 const struct cr_proc_status *status,
			 struct cr_error *err)
{
	struct cr_wire_regs *regs = &thread->wire->regs;
	struct cr_resume_stop stop = {
		.elapsed_ns = thread->waiting.elapsed_ns,
		.now_ns = (int64_t)(thread->waiting.has_elapsed ?
					    thread->waiting.noted_ns :
					    cr_save_now_ns()) +
			  checkpoint->clock_shift_ns,
		/* a group stop ends some calls with EINTR, rightly so */
		.has_signal =
			thread->stop_signal || has_signal(task, thread, status),
		.read = read_memory,
		.write = write_memory,
		.arg = thread,
	};
	int is_changed;

	is_changed = cr_resume_step_back(&stop, regs);
	stop.nr = (long)regs->orig_ax;
	stop.is_again = is_changed || stop.nr == SYS_restart_syscall;
	if (stop.nr == SYS_restart_syscall)
		stop.nr = thread->waiting.nr >= 0 && !is_changed ?
				  thread->waiting.nr :
				  cr_resume_find(&stop, regs);
	is_changed |= cr_resume_decide(&stop, regs, &thread->wire->resume);
	return is_changed ? cr_trace_set_regs(thread->tid, regs, err) : 0;
}

/* Does PR_SET_SYSCALL_USER_DISPATCH turn system calls into SIGSYS?  Linux
 * before 6.4 does not tell. */
static int has_dispatch(pid_t tid)
{
	uint64_t config[4] = { 0 }; /* struct ptrace_sud_config: mode first */

	return ptrace(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, tid,
		      (void *)sizeof(config), config) == 0 &&
	       config[0];
}

/* @what stands between the thread and the kernel; NULL: nothing does. */
static void refuse_filter(struct cr_checkpoint *checkpoint,
			  const struct cr_save_task *task,
			  const struct cr_save_thread *thread, const char *what)
{
	if (!what)
		return;
	checkpoint->calls_are_filtered = 1;
	cr_refuse(checkpoint, "process %u: thread %u has %s", task->link.vpid,
		  thread->vtid, what);
}

static int collect_comm(const struct cr_save_task *task,
			struct cr_save_thread *thread, struct cr_error *err)
{
	char name[64], *text;
	int rc;

	snprintf(name, sizeof(name), "task/%d/comm", thread->tid);
	rc = cr_proc_read(task->pid, name, &text, NULL, err);
	if (rc < 0)
		return rc;
	text[strcspn(text, "\n")] = '\0';
	snprintf(thread->wire->comm, sizeof(thread->wire->comm), "%.15s", text);
	free(text);
	return 0;
}

static int read_status(const struct cr_save_task *task,
		       struct cr_save_thread *thread,
		       struct cr_proc_status *status, struct cr_error *err)
{
	char name[64];
	int rc = collect_comm(task, thread, err);

	if (rc < 0)
		return rc;
	snprintf(name, sizeof(name), "task/%d/status", thread->tid);
	return cr_proc_read_status(task->pid, name, status, err);
}

static int collect_status(struct cr_checkpoint *checkpoint,
			  struct cr_save_task *task,
			  struct cr_save_thread *thread, struct cr_error *err)
{
	struct cr_proc_status status;
	int rc;

	rc = cr_look_thread(checkpoint, task, thread, &status, err);
	if (rc == 0)
		rc = read_status(task, thread, &status, err);
	if (rc < 0)
		return rc;
	thread->wire->tid = thread->vtid = status.vpid;
	copy_creds(&thread->wire->creds, &status);
	thread->groups = status.groups;
	thread->wire->nr_groups = status.nr_groups;
	rc = decide_resume(checkpoint, task, thread, &status, err);
	if (rc < 0)
		return rc;
	refuse_filter(checkpoint, task, thread,
		      status.seccomp == 1	? "strict seccomp mode" :
		      status.seccomp		? "seccomp filters" :
		      has_dispatch(thread->tid) ? "its system calls dispatched "
						  "to itself" :
						  NULL);
	return 0;
}

int cr_collect_thread(struct cr_checkpoint *checkpoint,
		      struct cr_save_task *task, struct cr_save_thread *thread,
		      struct cr_error *err)
{
	struct cr_wire_thread *wire;
	int rc;

	wire = thread->wire = calloc(1, sizeof(*wire));
	if (!wire)
		return cr_error_set(err, -ENOMEM, "out of memory");
	rc = cr_collect_regs(checkpoint, thread, err);
	if (rc < 0)
		return rc;
	if (wire->regs.cs != USER_CODE_SEGMENT)
		cr_refuse(checkpoint, "process %u: it runs 32-bit code",
			  task->link.vpid);
	rc = cr_collect_pending(thread->tid, 0, &thread->pending,
				&wire->nr_pending, err);
	if (rc < 0)
		return rc;
	rc = collect_status(checkpoint, task, thread, err);
	if (rc < 0)
		return rc;
	collect_rseq(thread);
	collect_sched(thread);
	syscall(SYS_get_robust_list, thread->tid, &wire->robust_list,
		&wire->robust_list_length);
	return 0;
}
