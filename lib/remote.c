/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote.c - batches of system calls in a stopped process
 *
 * The code of remote_code.c is put into the process together with the scratch
 * memory.  It makes all calls of a batch and then sends its thread a signal,
 * which ptrace stops before it is delivered and which is dropped: two context
 * switches per batch.  The calls that map and unmap the scratch memory are made
 * by the same code in the vdso (remote_room.c).
 *
 * The tracer may die at any moment (SIGKILL): then the thread goes on as it is.
 * So each step leaves it in a state that ends well by itself:
 *
 *	its own registers and mask	it goes on as after a thaw
 *	the code's registers, its mask	the code runs, its tail puts all back
 *	... and all signals blocked	the same, to the signal and beyond
 *	stopped by that signal		that is discarded, then the tail
 *	the code's registers, its mask	the same
 *	its own registers and mask
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "remote.h"
#include "remote_code.h"

#define CODE_LENGTH 4096u
#define CALLS_MAX 256u
#define CALLS_LENGTH (CALLS_MAX * sizeof(struct cr_remote_call))
#define MAPPED_LENGTH (CODE_LENGTH + CR_REMOTE_SCRATCH + CALLS_LENGTH)

struct cr_remote {
	pid_t tid; /* whose process; used for opening and closing */
	int mem_fd; /* /proc/TID/mem */
	uint64_t instruction; /* if there is no room for the code */
	uint64_t room; /* for the code, or 0 */
	uint64_t base; /* code, scratch, calls */
};

_Static_assert(sizeof(struct cr_remote_call) == 64 &&
		       offsetof(struct cr_remote_call, args) == 8 &&
		       offsetof(struct cr_remote_call, result) == 56,
	       "the loop knows struct cr_remote_call");
_Static_assert(CALLS_LENGTH % 4096 == 0, "mapped in pages");

static uint64_t calls_address(const struct cr_remote *remote)
{
	return remote->base + CODE_LENGTH + CR_REMOTE_SCRATCH;
}

uint64_t cr_remote_scratch(const struct cr_remote *remote)
{
	return remote->base + CODE_LENGTH;
}

void cr_remote_range(const struct cr_remote *remote, uint64_t *startp,
		     uint64_t *endp)
{
	*startp = remote->base;
	*endp = remote->base + MAPPED_LENGTH;
}

int cr_remote_write(struct cr_remote *remote, uint64_t address,
		    const void *data, size_t length, struct cr_error *err)
{
	ssize_t n = pwrite(remote->mem_fd, data, length, (off_t)address);

	if (n == (ssize_t)length)
		return 0;
	if (n >= 0)
		errno = EFAULT;
	return cr_error_errno(err, "writing %zu bytes at %#llx of thread %d",
			      length, (unsigned long long)address, remote->tid);
}

int cr_remote_read(struct cr_remote *remote, uint64_t address, void *data,
		   size_t length, struct cr_error *err)
{
	ssize_t n = pread(remote->mem_fd, data, length, (off_t)address);

	if (n == (ssize_t)length)
		return 0;
	if (n >= 0)
		errno = EFAULT;
	return cr_error_errno(err, "reading %zu bytes at %#llx of thread %d",
			      length, (unsigned long long)address, remote->tid);
}

/* Let @tid run until it sends itself @signal.  A SIGSTOP from elsewhere, which
 * no mask keeps out, is sent once more afterwards. */
static int run_to_signal(pid_t tid, int signal, struct cr_error *err)
{
	int status, got_sigstop = 0, rc;

	for (;;) {
		rc = cr_trace_resume(tid, PTRACE_CONT, &status, err);
		if (rc < 0)
			return rc;
		if (status >> 8 == signal)
			break;
		if (status >> 8 == SIGSEGV)
			return cr_error_set(err, -EFAULT,
					    "thread %d faults in a call", tid);
		if (status >> 8 == SIGSTOP)
			got_sigstop = 1;
	}
	if (got_sigstop)
		syscall(SYS_tkill, tid, SIGSTOP);
	return 0;
}

/* One way through the code at @code. */
struct trip {
	uint64_t code;
	long nr; /* of one call with @args; -1: @nr_calls at @calls */
	const uint64_t *args;
	uint64_t calls, nr_calls;
	int64_t result; /* of the one call */
	int signal; /* to end with */
	int signal_harm; /* if it were delivered */
};

/* To the signal and no further, with its mask and then its registers back. */
static int go_and_return(pid_t tid, struct trip *trip,
			 const struct cr_wire_regs *saved, uint64_t mask,
			 struct cr_error *err)
{
	struct cr_wire_regs regs = *saved;
	const int signal = trip->signal;
	int rc, failed;

	cr_remote_enter(&regs, trip->code, signal, trip->nr, trip->calls,
			trip->nr_calls);
	if (trip->args) {
		regs.di = trip->args[0];
		regs.si = trip->args[1];
		regs.dx = trip->args[2];
		regs.r10 = trip->args[3];
		regs.r8 = trip->args[4];
		regs.r9 = trip->args[5];
	}
	rc = cr_trace_set_regs(tid, &regs, err);
	if (rc < 0)
		return rc;
	rc = cr_trace_set_sigmask(tid, ~(1ull << (signal - 1)), err);
	if (rc == 0)
		rc = run_to_signal(tid, signal, err);
	if (rc == 0 && trip->signal_harm)
		rc = cr_trace_interrupt(tid, err);
	if (rc == 0 && trip->args)
		rc = cr_trace_get_regs(tid, &regs, err);
	trip->result = (int64_t)regs.bx;
	/* anew to the start, with nothing to do: a handler counts there */
	regs = *saved;
	cr_remote_enter(&regs, trip->code, signal, -1, 0, 0);
	failed = cr_trace_set_regs(tid, &regs, rc ? NULL : err);
	if (failed == 0)
		failed = cr_trace_set_sigmask(tid, mask, rc ? NULL : err);
	if (failed == 0)
		failed = cr_trace_set_regs(tid, saved, rc ? NULL : err);
	return rc ? rc : failed;
}

static int make_trip(struct cr_remote *remote, pid_t tid, struct trip *trip,
		     struct cr_error *err)
{
	struct cr_remote_frame frame;
	struct cr_wire_regs saved;
	uint64_t mask;
	int rc;

	rc = cr_trace_get_regs(tid, &saved, err);
	if (rc < 0)
		return rc;
	rc = cr_trace_get_sigmask(tid, &mask, err);
	if (rc < 0)
		return rc;
	trip->signal =
		cr_remote_choose_signal(tid, mask, &trip->signal_harm, err);
	if (trip->signal < 0)
		return trip->signal;
	cr_remote_frame_fill(&saved, mask, trip->signal, &frame);
	rc = cr_remote_write(remote, trip->code + CR_REMOTE_CODE_LENGTH, &frame,
			     sizeof(frame), err);
	if (rc < 0)
		return rc;
	return go_and_return(tid, trip, &saved, mask, err);
}

int cr_remote_run(struct cr_remote *remote, pid_t tid,
		  struct cr_remote_call *calls, size_t nr_calls,
		  struct cr_error *err)
{
	const uint64_t address = calls_address(remote);
	int rc;

	while (nr_calls > 0) {
		size_t nr = nr_calls < CALLS_MAX ? nr_calls : CALLS_MAX;
		size_t length = nr * sizeof(*calls);

		rc = cr_remote_write(remote, address, calls, length, err);
		if (rc < 0)
			return rc;
		rc = make_trip(remote, tid,
			       &(struct trip){ .code = remote->base,
					       .nr = -1,
					       .calls = address,
					       .nr_calls = nr },
			       err);
		if (rc < 0)
			return rc;
		rc = cr_remote_read(remote, address, calls, length, err);
		if (rc < 0)
			return rc;
		calls += nr;
		nr_calls -= nr;
	}
	return 0;
}

/* A call without scratch memory: in the vdso, or unsafe if that has no room. */
static int call_alone(struct cr_remote *remote, long nr, const uint64_t args[6],
		      int64_t *resultp, struct cr_error *err)
{
	static const unsigned char zeros[CR_REMOTE_CODE_SIZE];
	struct trip trip = { .code = remote->room, .nr = nr, .args = args };
	int rc, failed;

	if (!remote->room)
		return cr_trace_syscall(remote->tid, remote->instruction, nr,
					args, resultp, err);
	rc = cr_remote_write(remote, remote->room, cr_remote_code,
			     CR_REMOTE_CODE_LENGTH, err);
	if (rc < 0)
		return rc;
	rc = make_trip(remote, remote->tid, &trip, err);
	failed = cr_remote_write(remote, remote->room, zeros, sizeof(zeros),
				 rc ? NULL : err);
	*resultp = trip.result;
	return rc ? rc : failed;
}

/* Shared, since private memory would be merged with its neighbours; all rights
 * at once, since every call in the thread costs switches of context. */
static int map_memory(struct cr_remote *remote, struct cr_error *err)
{
	uint64_t args[6] = { 0,
			     MAPPED_LENGTH,
			     PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_SHARED | MAP_ANONYMOUS,
			     (uint64_t)-1,
			     0 };
	struct cr_remote_limits limits;
	int64_t result;
	int rc;

	rc = call_alone(remote, SYS_mmap, args, &result, err);
	/* one of locked memory gives EAGAIN */
	if (rc == 0 && (result == -ENOMEM || result == -EAGAIN) &&
	    cr_remote_limits_lift(remote->tid, &limits) == 0) {
		rc = call_alone(remote, SYS_mmap, args, &result, err);
		cr_remote_limits_put_back(&limits);
	}
	if (rc < 0)
		return rc;
	if (result == -ENOMEM || result == -EAGAIN)
		return cr_error_set(err, -EOPNOTSUPP,
				    "no scratch memory in thread %d: a limit "
				    "(RLIMIT_AS, RLIMIT_MEMLOCK, number of "
				    "mappings) leaves no room",
				    remote->tid);
	if (result < 0 && result > -4096)
		return cr_error_set(err, (int)result,
				    "no scratch memory in thread %d: %s",
				    remote->tid, strerror((int)-result));
	remote->base = (uint64_t)result;
	return cr_remote_write(remote, remote->base, cr_remote_code,
			       CR_REMOTE_CODE_LENGTH, err);
}

int cr_remote_open(pid_t tid, struct cr_remote **remotep, struct cr_error *err)
{
	struct cr_remote *remote;
	char path[64];
	int rc;

	remote = calloc(1, sizeof(*remote));
	if (!remote)
		return cr_error_set(err, -ENOMEM, "out of memory");
	remote->tid = tid;
	snprintf(path, sizeof(path), "/proc/%d/mem", tid);
	remote->mem_fd = open(path, O_RDWR | O_CLOEXEC);
	if (remote->mem_fd < 0) {
		rc = cr_error_errno(err, "%s", path);
		goto fail;
	}
	rc = cr_remote_room_find(tid, remote->mem_fd, &remote->room, err);
	if (rc == -ENOENT) {
		remote->room = 0;
		rc = cr_trace_find_syscall(tid, &remote->instruction, err);
	}
	if (rc < 0)
		goto fail;
	rc = map_memory(remote, err);
	if (rc < 0)
		goto fail;
	*remotep = remote;
	return 0;

fail:
	cr_remote_close(remote);
	return rc;
}

void cr_remote_close(struct cr_remote *remote)
{
	int saved_errno = errno;
	int64_t result;

	if (!remote)
		return;
	if (remote->base) {
		uint64_t args[6] = { remote->base, MAPPED_LENGTH };

		call_alone(remote, SYS_munmap, args, &result, NULL);
	}
	if (remote->mem_fd >= 0)
		close(remote->mem_fd);
	free(remote);
	errno = saved_errno;
}
