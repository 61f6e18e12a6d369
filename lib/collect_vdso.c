/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_vdso.c - bring a thread out of the kernel's code in user space
 *
 * Functions of the vdso take some dozens of instructions and never wait, so
 * single steps get out of them soon.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "collect.h"
#include "remote.h"
#include "remote_code.h"

#define STEPS_MAX 10000
#define NEAR 0x10000u /* no vdso is larger */
#define HANDLER_MS 1000 /* for the kernel to begin a handler */
#define BIT(signal) (1ull << ((signal)-1))
#define SIGTRAP_BIT BIT(SIGTRAP)
/* What an instruction may raise: blocked, it would end the program. */
#define FAULTS \
	(SIGTRAP_BIT | BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGILL))

/* The mapping at @start, if it is the vdso; it may have been moved. */
static uint64_t vdso_end(pid_t pid, uint64_t start)
{
	unsigned long from, to, end = 0;
	char *text, *at;

	if (cr_proc_read(pid, "maps", &text, NULL, NULL) < 0)
		return 0;
	at = strstr(text, "[vdso]");
	while (at && at > text && at[-1] != '\n')
		at--;
	if (at && sscanf(at, "%lx-%lx", &from, &to) == 2 && from == start)
		end = to;
	free(text);
	return end;
}

/* Returns the signal that it has stopped for, SIGTRAP after a step. */
static int step(pid_t tid)
{
	int status;

	if (ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL) < 0)
		return -errno;
	while (waitpid(tid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSTOPPED(status) ? WSTOPSIG(status) : -ESRCH;
}

/*
 * The function was given a bad address.  Its handler begins now, with the mask
 * that the program had: that is what sigreturn(2) will restore.
 */
static void give_fault(pid_t tid, int signal, uint64_t mask)
{
	int stop_signal;

	cr_trace_set_sigmask(tid, mask, NULL);
	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	ptrace(PTRACE_CONT, tid, NULL, (void *)(intptr_t)signal);
	cr_trace_wait(tid, HANDLER_MS, &stop_signal, NULL);
}

void cr_leave_vdso(const struct cr_save_task *task,
		   const struct cr_save_thread *thread)
{
	uint64_t start = cr_trace_find_vdso(task->pid), end, mask;
	struct cr_wire_regs regs;
	int signal;

	if (!start || cr_trace_get_regs(thread->tid, &regs, NULL) < 0 ||
	    regs.ip - start >= NEAR)
		return;
	end = vdso_end(task->pid, start);
	/* a step's SIGTRAP would change how an ignored one is handled */
	if (regs.ip >= end || cr_remote_room_has(end, regs.ip) ||
	    (task->ignored & SIGTRAP_BIT) ||
	    cr_trace_get_sigmask(thread->tid, &mask, NULL) < 0 ||
	    cr_trace_set_sigmask(thread->tid,
				 ~FAULTS | (mask & FAULTS & ~SIGTRAP_BIT),
				 NULL) < 0)
		return;
	for (int i = 0; i < STEPS_MAX; i++) {
		signal = step(thread->tid);
		if (signal > 0 && BIT(signal) & FAULTS & ~SIGTRAP_BIT) {
			give_fault(thread->tid, signal, mask);
			return;
		}
		if (signal < 0 ||
		    cr_trace_get_regs(thread->tid, &regs, NULL) < 0 ||
		    regs.ip < start || regs.ip >= end)
			break;
	}
	/* if we are killed from here on, no SIGTRAP is to be delivered */
	cr_trace_interrupt(thread->tid, NULL);
	cr_trace_set_sigmask(thread->tid, mask, NULL);
}
