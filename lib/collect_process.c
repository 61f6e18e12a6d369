/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_process.c - state of a process that only it can ask for
 *
 * One batch of calls in the leader and one in each other thread; the answers
 * lie in the scratch memory at fixed places.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "collect.h"
#include "remote.h"

#define CALLS_MAX 96

/* Answers of one thread and of its process, in scratch memory. */
struct answers {
	stack_t altstack;
	uint64_t clear_child_tid;
	int32_t pdeath_signal, child_subreaper;
	struct itimerval itimer[3];
	struct cr_wire_sigaction action[64];
};

/* Calls of a batch; what is asked by return value has its index kept. */
struct batch {
	struct cr_remote_call calls[CALLS_MAX];
	size_t nr;
	uint64_t base; /* address of struct answers */
	size_t slack, securebits, dumpable, thp_disabled, personality, brk;
};

#define AT(batch, field) ((batch)->base + offsetof(struct answers, field))

static size_t add(struct batch *batch, long nr, uint64_t a, uint64_t b,
		  uint64_t c, uint64_t d)
{
	struct cr_remote_call *call = &batch->calls[batch->nr];

	call->nr = nr;
	call->args[0] = a;
	call->args[1] = b;
	call->args[2] = c;
	call->args[3] = d;
	return batch->nr++;
}

static void ask_thread(struct batch *batch)
{
	add(batch, SYS_sigaltstack, 0, AT(batch, altstack), 0, 0);
	add(batch, SYS_prctl, PR_GET_TID_ADDRESS, AT(batch, clear_child_tid), 0,
	    0);
	batch->slack = add(batch, SYS_prctl, PR_GET_TIMERSLACK, 0, 0, 0);
	batch->securebits = add(batch, SYS_prctl, PR_GET_SECUREBITS, 0, 0, 0);
}

static void ask_process(struct batch *batch, uint64_t signals)
{
	add(batch, SYS_prctl, PR_GET_PDEATHSIG, AT(batch, pdeath_signal), 0, 0);
	add(batch, SYS_prctl, PR_GET_CHILD_SUBREAPER,
	    AT(batch, child_subreaper), 0, 0);
	batch->dumpable = add(batch, SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0);
	batch->thp_disabled =
		add(batch, SYS_prctl, PR_GET_THP_DISABLE, 0, 0, 0);
	batch->personality = add(batch, SYS_personality, UINT32_MAX, 0, 0, 0);
	batch->brk = add(batch, SYS_brk, 0, 0, 0, 0);
	for (uint64_t i = 0; i < 3; i++)
		add(batch, SYS_getitimer, i, AT(batch, itimer[i]), 0, 0);
	for (uint64_t i = 0; i < 64; i++)
		if (signals & 1ull << i)
			add(batch, SYS_rt_sigaction, i + 1, 0,
			    AT(batch, action[i]), sizeof(uint64_t));
}

static int run(struct cr_save_task *task, struct cr_save_thread *thread,
	       struct batch *batch, struct answers *answers,
	       struct cr_error *err)
{
	int rc;

	memset(answers, 0, sizeof(*answers));
	rc = cr_remote_write(task->remote, batch->base, answers,
			     sizeof(*answers), err);
	if (rc < 0)
		return rc;
	rc = cr_remote_run(task->remote, thread->tid, batch->calls, batch->nr,
			   err);
	if (rc < 0)
		return rc;
	return cr_remote_read(task->remote, batch->base, answers,
			      sizeof(*answers), err);
}

static void take_thread(struct cr_wire_thread *wire, const struct batch *batch,
			const struct answers *answers)
{
	const int kept = SS_DISABLE | (int)(1u << 31); /* SS_AUTODISARM */

	wire->altstack_sp = (uint64_t)(uintptr_t)answers->altstack.ss_sp;
	wire->altstack_size = answers->altstack.ss_size;
	wire->altstack_flags = (uint32_t)(answers->altstack.ss_flags & kept);
	wire->clear_child_tid = answers->clear_child_tid;
	wire->sched.timer_slack_ns =
		(uint64_t)batch->calls[batch->slack].result;
	wire->creds.securebits =
		(uint32_t)batch->calls[batch->securebits].result;
}

static uint64_t microseconds(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * 1000000 + (uint64_t)tv->tv_usec;
}

static uint32_t result_of(const struct batch *batch, size_t index)
{
	int64_t result = batch->calls[index].result;

	return result < 0 ? 0 : (uint32_t)result;
}

static void take_process(struct cr_save_task *task, const struct batch *batch,
			 const struct answers *answers)
{
	struct cr_wire_task *wire = &task->state->task;

	memcpy(wire->comm, task->threads[0].wire->comm, sizeof(wire->comm));
	wire->pdeath_signal = (uint32_t)answers->pdeath_signal;
	wire->child_subreaper = answers->child_subreaper != 0;
	wire->dumpable = result_of(batch, batch->dumpable) == 1;
	wire->thp_disabled = result_of(batch, batch->thp_disabled);
	wire->personality = result_of(batch, batch->personality);
	task->state->mm.brk = (uint64_t)batch->calls[batch->brk].result;
	for (int i = 0; i < 3; i++) {
		wire->itimer[i].interval_us =
			microseconds(&answers->itimer[i].it_interval);
		wire->itimer[i].value_us =
			microseconds(&answers->itimer[i].it_value);
	}
	memcpy(task->state->signals->action, answers->action,
	       sizeof(answers->action));
}

static int collect_oom(struct cr_save_task *task, struct cr_error *err)
{
	char *text;
	int rc;

	rc = cr_proc_read(task->pid, "oom_score_adj", &text, NULL, err);
	if (rc < 0)
		return rc;
	task->state->task.oom_score_adj = (int32_t)strtol(text, NULL, 10);
	free(text);
	return 0;
}

static int collect_files(struct cr_save_task *task, struct cr_error *err)
{
	size_t length;
	char *text;
	int rc;

	rc = cr_proc_read(task->pid, "limits", &text, NULL, err);
	if (rc < 0)
		return rc;
	rc = cr_proc_parse_limits(text, task->state->task.rlimit);
	free(text);
	if (rc < 0)
		return cr_error_set(err, rc, "/proc/%d/limits is strange",
				    task->pid);
	rc = cr_proc_read(task->pid, "auxv", &task->state->auxv, &length, err);
	if (rc < 0)
		return rc;
	task->state->mm.auxv_length = (uint32_t)length;
	return collect_oom(task, err);
}

int cr_collect_process(struct cr_checkpoint *checkpoint,
		       struct cr_save_task *task, struct cr_error *err)
{
	const uint64_t signals =
		(task->caught | task->ignored | 1ull << (SIGCHLD - 1)) &
		~(1ull << (SIGKILL - 1)) & ~(1ull << (SIGSTOP - 1));
	struct cr_save_state *state = task->state;
	struct answers answers;
	struct batch batch;
	int rc;

	rc = collect_files(task, err);
	if (rc < 0)
		return rc;
	state->signals = calloc(1, sizeof(*state->signals));
	if (!state->signals)
		return cr_error_set(err, -ENOMEM, "out of memory");
	rc = cr_collect_pending(task->pid, 1, &state->pending,
				&state->signals->nr_pending, err);
	if (rc < 0)
		return rc;
	rc = cr_remote_open(task->pid, &task->remote, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < task->nr_threads; i++) {
		memset(&batch, 0, sizeof(batch));
		batch.base = cr_remote_scratch(task->remote);
		ask_thread(&batch);
		if (i == 0)
			ask_process(&batch, signals);
		rc = run(task, &task->threads[i], &batch, &answers, err);
		if (rc < 0)
			return rc;
		take_thread(task->threads[i].wire, &batch, &answers);
		if (i == 0)
			take_process(task, &batch, &answers);
	}
	return cr_collect_timers(checkpoint, task, err);
}
