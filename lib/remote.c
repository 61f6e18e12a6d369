/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote.c - batches of system calls in a stopped process
 *
 * A loop of a few instructions is put into the process together with the
 * scratch memory.  It makes all calls of a batch and then sends its thread a
 * signal, which ptrace stops before it is delivered and which is dropped:
 * two context switches per batch.  The signal is a standard one that is not
 * pending: being traced, the thread gets it even if it is ignored, and its
 * disposition does not change.
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

#define CODE_LENGTH 4096u
#define CALLS_MAX 256u
#define CALLS_LENGTH (CALLS_MAX * sizeof(struct cr_remote_call))
#define MAPPED_LENGTH (CODE_LENGTH + CR_REMOTE_SCRATCH + CALLS_LENGTH)

struct cr_remote {
	pid_t tid; /* whose process; used for opening and closing */
	int mem_fd; /* /proc/TID/mem */
	uint64_t instruction;
	uint64_t base; /* code, scratch, calls */
};

_Static_assert(sizeof(struct cr_remote_call) == 64 &&
		       offsetof(struct cr_remote_call, args) == 8 &&
		       offsetof(struct cr_remote_call, result) == 56,
	       "the loop knows struct cr_remote_call");
_Static_assert(CALLS_LENGTH % 4096 == 0, "mapped in pages");

/* rbx: calls, r12: their number, r13: signal to end with */
static const unsigned char loop[] = {
	0x4d, 0x85, 0xe4, /*		next: test %r12, %r12 */
	0x74, 0x2a, /*			jz done */
	0x48, 0x8b, 0x03, /*		mov (%rbx), %rax */
	0x48, 0x8b, 0x7b, 0x08, /*	mov 8(%rbx), %rdi */
	0x48, 0x8b, 0x73, 0x10, /*	mov 16(%rbx), %rsi */
	0x48, 0x8b, 0x53, 0x18, /*	mov 24(%rbx), %rdx */
	0x4c, 0x8b, 0x53, 0x20, /*	mov 32(%rbx), %r10 */
	0x4c, 0x8b, 0x43, 0x28, /*	mov 40(%rbx), %r8 */
	0x4c, 0x8b, 0x4b, 0x30, /*	mov 48(%rbx), %r9 */
	0x0f, 0x05, /*			syscall */
	0x48, 0x89, 0x43, 0x38, /*	mov %rax, 56(%rbx) */
	0x48, 0x83, 0xc3, 0x40, /*	add $64, %rbx */
	0x49, 0xff, 0xcc, /*		dec %r12 */
	0xeb, 0xd1, /*			jmp next */
	0xb8, 0xba, 0x00, 0x00, 0x00, /* done: mov $SYS_gettid, %eax */
	0x0f, 0x05, /*			syscall */
	0x89, 0xc7, /*			mov %eax, %edi */
	0x44, 0x89, 0xee, /*		mov %r13d, %esi */
	0xb8, 0xc8, 0x00, 0x00, 0x00, /* mov $SYS_tkill, %eax */
	0x0f, 0x05, /*			syscall */
	0xeb, 0xfe, /*			jmp . */
};

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
	int64_t result;
	int rc;

	rc = cr_trace_syscall(remote->tid, remote->instruction, SYS_mmap, args,
			      &result, err);
	if (rc < 0)
		return rc;
	if (result < 0 && result > -4096)
		return cr_error_set(err, (int)result,
				    "no scratch memory in thread %d: %s",
				    remote->tid, strerror((int)-result));
	remote->base = (uint64_t)result;
	return cr_remote_write(remote, remote->base, loop, sizeof(loop), err);
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
	rc = cr_trace_find_syscall(tid, &remote->instruction, err);
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

/* Signals pending for thread @tid and its process, bit N - 1 for signal N. */
static uint64_t pending_signals(pid_t tid)
{
	char path[64], line[256];
	uint64_t pending = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "SigPnd:", 7) ||
		    !strncmp(line, "ShdPnd:", 7))
			pending |= strtoull(line + 7, NULL, 16);
	fclose(file);
	return pending;
}

/* A signal to end batches with.  Stop signals and SIGCONT would discard each
 * other in the queue, so none of them. */
static int choose_signal(pid_t tid, struct cr_error *err)
{
	static const int choice[] = { SIGTRAP, SIGSYS,	SIGXFSZ, SIGXCPU,
				      SIGPWR,  SIGURG,	SIGBUS,	 SIGWINCH,
				      SIGIO,   SIGUSR2, SIGUSR1 };
	uint64_t pending = pending_signals(tid);

	for (size_t i = 0; i < sizeof(choice) / sizeof(choice[0]); i++)
		if (!(pending & 1ull << (choice[i] - 1)))
			return choice[i];
	return cr_error_set(err, -EAGAIN,
			    "thread %d has too many pending signals", tid);
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

/* Run the loop over @nr_calls calls that are in place. */
static int run_loop(struct cr_remote *remote, pid_t tid, size_t nr_calls,
		    struct cr_error *err)
{
	struct cr_wire_regs saved, regs;
	uint64_t mask;
	int signal, rc;

	signal = choose_signal(tid, err);
	if (signal < 0)
		return signal;
	rc = cr_trace_get_regs(tid, &saved, err);
	if (rc < 0)
		return rc;
	rc = cr_trace_get_sigmask(tid, &mask, err);
	if (rc < 0)
		return rc;
	rc = cr_trace_set_sigmask(tid, ~(1ull << (signal - 1)), err);
	if (rc < 0)
		return rc;
	regs = saved;
	regs.ip = remote->base;
	regs.ax = 0;
	regs.orig_ax = UINT64_MAX;
	regs.bx = calls_address(remote);
	regs.r12 = nr_calls;
	regs.r13 = (uint64_t)signal;
	rc = cr_trace_set_regs(tid, &regs, err);
	if (rc < 0)
		return rc;
	rc = run_to_signal(tid, signal, err);
	if (rc < 0)
		return rc;
	rc = cr_trace_set_sigmask(tid, mask, err);
	if (rc < 0)
		return rc;
	return cr_trace_set_regs(tid, &saved, err);
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
		rc = run_loop(remote, tid, nr, err);
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

void cr_remote_close(struct cr_remote *remote)
{
	int saved_errno = errno;
	int64_t result;

	if (!remote)
		return;
	if (remote->base) {
		uint64_t args[6] = { remote->base, MAPPED_LENGTH };

		cr_trace_syscall(remote->tid, remote->instruction, SYS_munmap,
				 args, &result, NULL);
	}
	if (remote->mem_fd >= 0)
		close(remote->mem_fd);
	free(remote);
	errno = saved_errno;
}
