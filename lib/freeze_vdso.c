/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * freeze_vdso.c - bring stopped threads out of the kernel's code in user space
 *
 * Functions of the vdso take some dozens of instructions and never wait: a
 * thread that is let go for a moment is soon stopped elsewhere.  Not single
 * steps: should we be killed, the SIGTRAP of one would end the program.  One
 * that does nothing but ask for the time is met outside in one of thirty stops.
 *
 * It may do anything in such a moment: make threads and processes, too.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "collect.h"
#include "remote.h"
#include "remote_code.h"

#define NEAR 0x10000u /* no vdso is larger */
#define STOP_MS 20u /* after that others wait for it */
#define NAP_NS 1000 /* the kernel adds some 50000 */
#define NAP_MAX_NS 1000000
#define NAP_ROUNDS 64 /* then the nap is doubled: the CPU is busy */
#define PATIENCE_NS 2000000000ull /* for one thread, some 2000 rounds */

struct range {
	uint64_t start, end;
};

static int is_in(const struct range *vdso, uint64_t ip)
{
	return ip >= vdso->start && ip < vdso->end &&
	       !cr_remote_room_has(vdso->end, ip);
}

/* Where the program's vdso is now; it may have been moved. */
static void find_vdso(pid_t pid, struct range *vdso)
{
	unsigned long start, end;
	char *text, *at;

	*vdso = (struct range){ 0 };
	if (cr_proc_read(pid, "maps", &text, NULL, NULL) < 0)
		return;
	at = strstr(text, " [vdso]\n");
	while (at && at > text && at[-1] != '\n')
		at--;
	if (at && sscanf(at, "%lx-%lx", &start, &end) == 2)
		*vdso = (struct range){ start, end };
	free(text);
}

/* Not in a call that waits?  Its functions make these when they must. */
static int may_be_in_vdso(const struct cr_wire_regs *regs)
{
	switch ((int64_t)regs->orig_ax) {
	case -1:
	case SYS_clock_gettime:
	case SYS_clock_getres:
	case SYS_gettimeofday:
	case SYS_time:
	case SYS_getcpu:
	case SYS_getrandom:
		return 1;
	default:
		return 0;
	}
}

/* Let it run for a moment.  Returns -ETIMEDOUT, -ESRCH as cr_trace_wait(). */
static int nudge(struct cr_save_thread *thread, long nap_ns)
{
	const struct timespec nap = { 0, nap_ns };

	if (ptrace(PTRACE_CONT, thread->tid, NULL, NULL) < 0)
		return -ESRCH;
	nanosleep(&nap, NULL);
	ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL);
	return cr_trace_wait(thread->tid, STOP_MS, &thread->stop_signal, NULL);
}

/* Until it is out of @vdso, or is not stopped any more, which is noted. */
static int lead_out(struct cr_save_thread *thread, const struct range *vdso,
		    struct cr_error *err)
{
	const uint64_t limit_ns = cr_save_now_ns() + PATIENCE_NS;
	struct cr_wire_regs regs;
	long nap_ns = NAP_NS;

	for (int round = 1;; round++) {
		if (nudge(thread, nap_ns) < 0) {
			thread->is_stopped = 0;
			return 0;
		}
		if (cr_trace_get_regs(thread->tid, &regs, NULL) < 0 ||
		    !is_in(vdso, regs.ip))
			break;
		if (cr_save_now_ns() >= limit_ns)
			return cr_error_set(err, -EAGAIN,
					    "thread %d is always found in the "
					    "vdso",
					    thread->tid);
		if (round % NAP_ROUNDS == 0 && nap_ns < NAP_MAX_NS)
			nap_ns *= 2;
	}
	cr_waiting_forget(thread);
	return 0;
}

int cr_leave_vdso(struct cr_save_task *task, size_t *nr_movedp,
		  struct cr_error *err)
{
	struct range vdso = { 0 };
	struct cr_wire_regs regs;
	int rc;

	for (size_t i = 0; i < task->nr_threads; i++) {
		struct cr_save_thread *thread = &task->threads[i];

		if (!thread->is_stopped ||
		    cr_trace_get_regs(thread->tid, &regs, NULL) < 0 ||
		    !may_be_in_vdso(&regs))
			continue;
		if (!vdso.end)
			find_vdso(task->pid, &vdso);
		if (!is_in(&vdso, regs.ip))
			continue;
		(*nr_movedp)++;
		rc = lead_out(thread, &vdso, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}
