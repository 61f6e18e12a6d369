/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace_syscall.c - single system calls in a stopped thread
 *
 * The thread is sent to a system call instruction of its own program and is
 * stopped at the call's entry and exit.  It must not be left at the exit
 * stop: a thread that leaves from there without a signal gets no ERESTART
 * treatment.  So it is interrupted once more, which brings it to the same
 * place in the kernel as PTRACE_INTERRUPT did at first.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "remote.h"

#define SYSCALL_STOP (SIGTRAP | 0x80) /* by PTRACE_O_TRACESYSGOOD */
#define VDSO_LENGTH 4096u /* at least */
#define EVENT_STOP (SIGTRAP | PTRACE_EVENT_STOP << 8)

int cr_trace_resume(pid_t tid, int request, int *status, struct cr_error *err)
{
	if (ptrace((enum __ptrace_request)request, tid, NULL, NULL) < 0)
		return cr_error_set(err, -ECANCELED, "thread %d has died", tid);
	while (waitpid(tid, status, __WALL) < 0)
		if (errno != EINTR)
			return cr_error_errno(err, "waiting for thread %d",
					      tid);
	if (!WIFSTOPPED(*status))
		return cr_error_set(err, -ECANCELED, "thread %d has died", tid);
	return 0;
}

/*
 * Run @tid with @request until the stop @wanted (status >> 8).  SIGSTOP
 * cannot be blocked: should it come meanwhile it is sent again afterwards,
 * when nothing more will run.
 */
static int run_until(pid_t tid, int request, int wanted, int *got_sigstop,
		     struct cr_error *err)
{
	int status, rc;

	for (;;) {
		rc = cr_trace_resume(tid, request, &status, err);
		if (rc < 0)
			return rc;
		if (status >> 8 == wanted)
			return 0;
		/* while a group stop is in effect the trap tells its signal */
		if (wanted == EVENT_STOP && status >> 16 == PTRACE_EVENT_STOP)
			return 0;
		if (status >> 8 == SIGSEGV)
			return cr_error_set(err, -EFAULT,
					    "thread %d faults in a call", tid);
		if (status >> 8 == SIGSTOP)
			*got_sigstop = 1;
	}
}

int cr_trace_interrupt(pid_t tid, struct cr_error *err)
{
	int got_sigstop = 0, rc;

	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	rc = run_until(tid, PTRACE_CONT, EVENT_STOP, &got_sigstop, err);
	if (rc == 0 && got_sigstop)
		syscall(SYS_tkill, tid, SIGSTOP);
	return rc;
}

static void set_call(struct cr_wire_regs *regs, uint64_t instruction, long nr,
		     const uint64_t args[6])
{
	regs->ip = instruction;
	regs->ax = (uint64_t)nr;
	regs->orig_ax = UINT64_MAX; /* nothing to restart on the way out */
	regs->di = args[0];
	regs->si = args[1];
	regs->dx = args[2];
	regs->r10 = args[3];
	regs->r8 = args[4];
	regs->r9 = args[5];
}

/* An interrupt that waits for them does not change what these calls do. */
static int ignores_signals(uint64_t nr)
{
	return nr == SYS_mmap || nr == SYS_munmap || nr == SYS_prctl;
}

/* Enter and leave the call; stops in the signal path.  Signals are blocked. */
static int run_call(pid_t tid, const struct cr_wire_regs *regs, int interrupt,
		    struct cr_wire_regs *after, struct cr_error *err)
{
	int got_sigstop = 0, rc;

	interrupt = interrupt || ignores_signals(regs->ax);

	rc = cr_trace_set_regs(tid, regs, err);
	if (rc < 0)
		return rc;
	rc = run_until(tid, PTRACE_SYSCALL, SYSCALL_STOP, &got_sigstop, err);
	if (rc < 0)
		return rc;
	if (!interrupt) {
		rc = run_until(tid, PTRACE_SYSCALL, SYSCALL_STOP, &got_sigstop,
			       err);
		if (rc < 0)
			return rc;
	}
	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	rc = run_until(tid, PTRACE_CONT, EVENT_STOP, &got_sigstop, err);
	if (rc < 0)
		return rc;
	rc = cr_trace_get_regs(tid, after, err);
	if (rc == 0 && got_sigstop)
		syscall(SYS_tkill, tid, SIGSTOP);
	return rc;
}

static int call_masked(pid_t tid, uint64_t instruction, long nr,
		       const uint64_t args[6], int interrupt,
		       struct cr_wire_regs *saved, int64_t *resultp,
		       struct cr_error *err)
{
	struct cr_wire_regs regs, after;
	uint64_t mask;
	int rc;

	rc = cr_trace_get_regs(tid, saved, err);
	if (rc < 0)
		return rc;
	rc = cr_trace_get_sigmask(tid, &mask, err);
	if (rc < 0)
		return rc;
	rc = cr_trace_set_sigmask(tid, UINT64_MAX, err);
	if (rc < 0)
		return rc;
	regs = *saved;
	set_call(&regs, instruction, nr, args);
	rc = run_call(tid, &regs, interrupt, &after, err);
	if (rc < 0)
		return rc;
	*resultp = (int64_t)after.ax;
	return cr_trace_set_sigmask(tid, mask, err);
}

int cr_trace_syscall(pid_t tid, uint64_t instruction, long nr,
		     const uint64_t args[6], int64_t *resultp,
		     struct cr_error *err)
{
	struct cr_wire_regs saved;
	int64_t result;
	int rc;

	rc = call_masked(tid, instruction, nr, args, 0, &saved, &result, err);
	if (rc < 0)
		return rc;
	rc = cr_trace_set_regs(tid, &saved, err);
	if (rc < 0)
		return rc;
	*resultp = result;
	return 0;
}

int cr_trace_syscall_interrupted(pid_t tid, uint64_t instruction, long nr,
				 const uint64_t args[6], int64_t *resultp,
				 struct cr_error *err)
{
	struct cr_wire_regs saved;

	return call_masked(tid, instruction, nr, args, 1, &saved, resultp, err);
}

/* Search [@start, @end) of the process behind /proc/PID/mem @fd. */
static int find_in_range(int fd, uint64_t start, uint64_t end,
			 uint64_t *addressp)
{
	static const unsigned char instruction[] = { 0x0f, 0x05 };
	unsigned char buffer[16384];
	ssize_t n;

	while (start + sizeof(instruction) <= end) {
		size_t wanted = end - start < sizeof(buffer) ? end - start :
							       sizeof(buffer);
		void *found;

		n = pread(fd, buffer, wanted, (off_t)start);
		if (n < (ssize_t)sizeof(instruction))
			return -ENOENT;
		found = memmem(buffer, (size_t)n, instruction,
			       sizeof(instruction));
		if (found) {
			*addressp = start +
				    (uint64_t)((unsigned char *)found - buffer);
			return 0;
		}
		start += (uint64_t)n - 1; /* it may lie across the border */
	}
	return -ENOENT;
}

/* Where our own vdso has one, from its start; 0: nowhere. */
static uint64_t vdso_offset(void)
{
	static uint64_t offset = UINT64_MAX;
	uint64_t start = getauxval(AT_SYSINFO_EHDR), address;
	int fd;

	if (offset != UINT64_MAX)
		return offset;
	offset = 0;
	fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (start &&
	    find_in_range(fd, start, start + VDSO_LENGTH, &address) == 0)
		offset = address - start;
	close(fd);
	return offset;
}

uint64_t cr_trace_find_vdso(pid_t pid)
{
	uint64_t entry[2], start = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while (!start &&
	       read(fd, entry, sizeof(entry)) == (ssize_t)sizeof(entry))
		if (entry[0] == AT_SYSINFO_EHDR)
			start = entry[1];
	close(fd);
	return start;
}

/* The vdso is the same everywhere: the quick way, if it is where it was. */
static int find_in_vdso(pid_t pid, int fd, uint64_t *addressp)
{
	uint64_t offset = vdso_offset(), start;

	if (!offset)
		return -ENOENT;
	start = cr_trace_find_vdso(pid);
	if (!start)
		return -ENOENT;
	return find_in_range(fd, start + offset, start + offset + 2, addressp);
}

int cr_trace_find_syscall(pid_t pid, uint64_t *addressp, struct cr_error *err)
{
	char path[64], line[512], perms[8];
	unsigned long start, end;
	int fd, rc;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cr_error_errno(err, "%s", path);
	rc = find_in_vdso(pid, fd, addressp);
	if (rc == 0)
		goto out;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps) {
		rc = cr_error_errno(err, "%s", path);
		goto out;
	}
	while (rc == -ENOENT && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", &start, &end, perms) == 3 &&
		    perms[2] == 'x' && !strstr(line, "[vsyscall]"))
			rc = find_in_range(fd, start, end, addressp);
	if (rc < 0)
		cr_error_set(err, rc,
			     "process %d has no system call instruction", pid);
	fclose(maps);
out:
	close(fd);
	return rc;
}
