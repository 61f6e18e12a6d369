/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace.c - stop single threads with ptrace(2), read and set their registers
 *
 * Threads are seized, so that group stops stay what they are.  System calls
 * in stopped threads are in trace_syscall.c, batches of them in remote.c.
 *
 * PTRACE_SETREGSET on a thread that is stopped on its way out of a system
 * call is followed by the kernel's usual treatment of ERESTART codes, if
 * orig_ax is not -1: that is how interrupted calls go on.
 */
#include <errno.h>
#include <elf.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "remote.h"

_Static_assert(sizeof(struct cr_wire_regs) == sizeof(struct user_regs_struct),
	       "registers in the image are the kernel's");
_Static_assert(offsetof(struct cr_wire_regs, orig_ax) ==
		       offsetof(struct user_regs_struct, orig_rax),
	       "registers in the image are in the kernel's order");

#define SEIZE_TRIES 5

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* State letter and tracer of thread @tid; -ESRCH if it is gone. */
static int read_state(pid_t tid, char *state, pid_t *tracer)
{
	char path[64], line[256];
	FILE *file;

	*state = 0;
	*tracer = 0;
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return -ESRCH;
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "State:\t", 7))
			*state = line[7];
		else if (!strncmp(line, "TracerPid:\t", 11)) {
			*tracer = (pid_t)strtol(line + 11, NULL, 10);
			break;
		}
	}
	fclose(file);
	return *state ? 0 : -ESRCH;
}

int cr_trace_interrupt_again(pid_t tid)
{
	uint64_t mask;

	/* one that has stopped would stop once more when it goes on */
	if (ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof(mask), &mask) < 0 &&
	    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0)
		return -errno;
	return 0;
}

/*
 * Why PTRACE_SEIZE said EPERM: it says so in more cases than one.  Ours already
 * is a thread that was seized, with another id, before execve(2) made it the
 * leader.
 */
static int seize_refused(pid_t tid, struct cr_error *err)
{
	pid_t tracer;
	char state;

	if (read_state(tid, &state, &tracer) < 0 || state == 'Z' ||
	    state == 'X')
		return cr_error_set(err, -ESRCH, "thread %d has ended", tid);
	if (tracer == (pid_t)syscall(SYS_gettid) &&
	    cr_trace_interrupt_again(tid) == 0)
		return 0;
	if (tracer)
		return cr_error_set(err, -EBUSY,
				    "thread %d is traced by process %d", tid,
				    tracer);
	return cr_error_set(err, -EPERM, "thread %d may not be traced", tid);
}

static int seize(pid_t tid, intptr_t options, struct cr_error *err)
{
	int tries = 0, rc;

	while (ptrace(PTRACE_SEIZE, tid, NULL, (void *)options) < 0) {
		if (errno != EPERM)
			return cr_error_errno(err, "tracing thread %d", tid);
		/* an old leader had it, and execve(2) has passed it on since */
		rc = seize_refused(tid, err);
		if (rc != -EPERM || ++tries == SEIZE_TRIES)
			return rc;
	}
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0)
		return cr_error_errno(err, "interrupting thread %d", tid);
	return 0;
}

int cr_trace_seize(pid_t tid, struct cr_error *err)
{
	return seize(tid, PTRACE_O_TRACESYSGOOD, err);
}

int cr_trace_seize_for_life(pid_t tid, struct cr_error *err)
{
	return seize(tid, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL, err);
}

/* Like waitpid(2), but -ETIMEDOUT after @timeout_ms. */
static int wait_status(pid_t tid, unsigned int timeout_ms, int *status)
{
	uint64_t deadline = now_ms() + timeout_ms;
	struct timespec nap = { 0, 20000 };
	int tries = 0;

	for (;;) {
		pid_t got = waitpid(tid, status, __WALL | WNOHANG);

		if (got == tid)
			return 0;
		if (got < 0 && errno != EINTR)
			return errno == ECHILD ? -ESRCH : -errno;
		if (now_ms() >= deadline)
			return -ETIMEDOUT;
		if (++tries < 10) {
			sched_yield();
			continue;
		}
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < 1000000)
			nap.tv_nsec *= 2;
	}
}

/*
 * A signal was on its way between seize and interrupt: deliver it; the
 * interrupt comes before the first instruction of its handler.
 */
static void deliver(pid_t tid, int signal)
{
	ptrace(PTRACE_CONT, tid, NULL, (void *)(intptr_t)signal);
}

int cr_trace_wait(pid_t tid, unsigned int timeout_ms, int *stop_signal,
		  struct cr_error *err)
{
	int status, rc;

	for (;;) {
		rc = wait_status(tid, timeout_ms, &status);
		if (rc == -ETIMEDOUT)
			return cr_error_set(err, rc, "thread %d does not stop",
					    tid);
		if (rc < 0 || !WIFSTOPPED(status))
			return cr_error_set(err, -ESRCH, "thread %d has ended",
					    tid);
		if (status >> 16 == PTRACE_EVENT_STOP)
			break;
		deliver(tid, WSTOPSIG(status));
	}
	*stop_signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
	return 0;
}

int cr_trace_stop(pid_t tid, unsigned int timeout_ms, int *stop_signal,
		  struct cr_error *err)
{
	int rc;

	rc = cr_trace_seize(tid, err);
	if (rc < 0)
		return rc;
	return cr_trace_wait(tid, timeout_ms, stop_signal, err);
}

int cr_trace_release(pid_t tid)
{
	return ptrace(PTRACE_DETACH, tid, NULL, NULL) < 0 ? -errno : 0;
}

int cr_trace_get_regs(pid_t tid, struct cr_wire_regs *regs,
		      struct cr_error *err)
{
	struct iovec iov = { regs, sizeof(*regs) };

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &iov) < 0)
		return cr_error_errno(err, "reading registers of thread %d",
				      tid);
	if (iov.iov_len != sizeof(*regs))
		return cr_error_set(err, -EOPNOTSUPP,
				    "thread %d runs 32-bit code", tid);
	return 0;
}

int cr_trace_set_regs(pid_t tid, const struct cr_wire_regs *regs,
		      struct cr_error *err)
{
	struct cr_wire_regs copy = *regs;
	struct iovec iov = { &copy, sizeof(copy) };

	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &iov) < 0)
		return cr_error_errno(err, "setting registers of thread %d",
				      tid);
	return 0;
}

int cr_trace_get_sigmask(pid_t tid, uint64_t *mask, struct cr_error *err)
{
	if (ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof(*mask), mask) < 0)
		return cr_error_errno(err, "reading signal mask of thread %d",
				      tid);
	return 0;
}

int cr_trace_set_sigmask(pid_t tid, uint64_t mask, struct cr_error *err)
{
	if (ptrace(PTRACE_SETSIGMASK, tid, (void *)sizeof(mask), &mask) < 0)
		return cr_error_errno(err, "setting signal mask of thread %d",
				      tid);
	return 0;
}
