/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * waiting.c - what a thread waits in, and since when
 *
 * The kernel tells what remains of some timeouts and not of others.  For those
 * it is known since when the thread has slept, by the scheduler's clock.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "collect.h"
#include "remote.h"
#include "syscall_resume.h"

static int read_sched(pid_t tid, uint64_t *ran_ns, uint64_t *nr_voluntary)
{
	char *text;
	int rc;

	rc = cr_proc_read(tid, "sched", &text, NULL, NULL);
	if (rc < 0)
		return rc;
	rc = cr_proc_parse_sched(text, ran_ns, nr_voluntary);
	free(text);
	return rc;
}

/*
 * Each CPU's clock leaves out interrupts and stolen time, so they drift apart.
 * Our own last run is now, as the CPU has it on which we run.
 */
static int read_cpu_clock(struct cr_clocks *clocks, uint32_t cpu)
{
	cpu_set_t before, only;
	uint64_t ran_ns, nr_voluntary;
	int rc;

	if (sched_getaffinity(0, sizeof(before), &before) < 0)
		return -errno;
	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	if (sched_setaffinity(0, sizeof(only), &only) < 0)
		return -errno;
	sched_yield();
	rc = read_sched((pid_t)syscall(SYS_gettid), &ran_ns, &nr_voluntary);
	clocks->offset_ns[cpu] = (int64_t)(ran_ns - cr_save_now_ns());
	clocks->is_known[cpu] = rc == 0;
	sched_setaffinity(0, sizeof(before), &before);
	return rc;
}

static int read_cpu(pid_t tid, uint32_t *cpu)
{
	struct cr_proc_stat stat;
	char *text;
	int rc;

	rc = cr_proc_read(tid, "stat", &text, NULL, NULL);
	if (rc < 0)
		return rc;
	rc = cr_proc_parse_stat(text, &stat);
	free(text);
	*cpu = stat.cpu;
	return rc < 0 || stat.cpu >= CR_CLOCKS_MAX ? -EINVAL : 0;
}

static void note_elapsed(struct cr_clocks *clocks,
			 struct cr_save_thread *thread)
{
	struct cr_waiting *waiting = &thread->waiting;
	uint64_t ran_ns, now_ns;
	uint32_t cpu;

	if (read_cpu(thread->tid, &cpu) < 0 ||
	    (!clocks->is_known[cpu] && read_cpu_clock(clocks, cpu) < 0) ||
	    read_sched(thread->tid, &ran_ns, &waiting->nr_voluntary) < 0)
		return;
	waiting->noted_ns = cr_save_now_ns();
	now_ns = waiting->noted_ns + (uint64_t)clocks->offset_ns[cpu];
	waiting->elapsed_ns =
		(int64_t)(now_ns - ran_ns) > 0 ? now_ns - ran_ns : 0;
	waiting->has_elapsed = 1;
}

void cr_waiting_note(struct cr_clocks *clocks, struct cr_save_thread *thread)
{
	struct cr_proc_syscall call = { .nr = -1 };
	char *text;

	thread->waiting.nr = -1;
	if (cr_proc_read(thread->tid, "syscall", &text, NULL, NULL) < 0)
		return;
	if (cr_proc_parse_syscall(text, &call) == 0)
		thread->waiting.nr = call.nr;
	free(text);
	if (call.nr == SYS_restart_syscall &&
	    cr_proc_read(thread->tid, "wchan", &text, NULL, NULL) == 0) {
		thread->waiting.nr = cr_resume_restarted(text, call.args);
		free(text);
	}
	if (cr_resume_has_timeout(thread->waiting.nr))
		note_elapsed(clocks, thread);
}

void cr_waiting_check(struct cr_save_thread *thread)
{
	uint64_t ran_ns, nr_voluntary;

	if (thread->waiting.has_elapsed &&
	    (read_sched(thread->tid, &ran_ns, &nr_voluntary) < 0 ||
	     nr_voluntary > thread->waiting.nr_voluntary + 1))
		cr_waiting_forget(thread);
}

void cr_waiting_forget(struct cr_save_thread *thread)
{
	thread->waiting = (struct cr_waiting){ .nr = -1 };
}

int cr_waiting_in_vfork(const struct cr_save_thread *thread)
{
	struct cr_proc_stat stat;
	char *text;
	int rc;

	if (thread->waiting.nr != SYS_vfork &&
	    thread->waiting.nr != SYS_clone && thread->waiting.nr != SYS_clone3)
		return 0;
	if (cr_proc_read(thread->tid, "stat", &text, NULL, NULL) < 0)
		return 0;
	rc = cr_proc_parse_stat(text, &stat);
	free(text);
	return rc == 0 && stat.state == 'D';
}
