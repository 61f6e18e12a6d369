/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_ask.c - state that only the process itself can ask for, or the module
 *
 * The module tells it by one call for each thread (kmod.h).  Without it: one
 * batch of calls in the leader and one in each other thread; the answers lie in
 * the scratch memory at fixed places.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "collect.h"
#include "kmod.h"
#include "remote.h"
#include "rights.h"
#include "uapi/cr_ioctl.h"

#define CALLS_MAX 96
#define AUTODISARM (1u << 31) /* SS_AUTODISARM, as libc has it: signed */

/* Answers of one thread and of its process, in scratch memory. */
struct answers {
	stack_t altstack;
	uint64_t clear_child_tid;
	int32_t pdeath_signal, child_subreaper;
	struct itimerval itimer[3];
	struct cr_ioc_action action[64];
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

static uint64_t microseconds(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * 1000000 + (uint64_t)tv->tv_usec;
}

static uint32_t result_of(const struct batch *batch, size_t index)
{
	int64_t result = batch->calls[index].result;

	return result < 0 ? 0 : (uint32_t)result;
}

/* As the module would have told it; @ask->locked shows in the scratch memory
 * later (collect_vmas.c). */
static void fill_in(struct cr_ioc_ask *ask, const struct batch *batch,
		    const struct answers *answers)
{
	ask->altstack_sp = (uint64_t)(uintptr_t)answers->altstack.ss_sp;
	ask->altstack_size = answers->altstack.ss_size;
	ask->altstack_flags = (uint32_t)answers->altstack.ss_flags &
			      (SS_DISABLE | AUTODISARM);
	ask->clear_child_tid = answers->clear_child_tid;
	ask->timer_slack_ns = (uint64_t)batch->calls[batch->slack].result;
	ask->securebits = (uint32_t)batch->calls[batch->securebits].result;
	ask->pdeath_signal = (uint32_t)answers->pdeath_signal;
	ask->child_subreaper = answers->child_subreaper != 0;
	ask->dumpable = result_of(batch, batch->dumpable);
	ask->thp_disabled = result_of(batch, batch->thp_disabled);
	ask->personality = result_of(batch, batch->personality);
	ask->brk = (uint64_t)batch->calls[batch->brk].result;
	for (int i = 0; i < 3; i++) {
		ask->itimer[i].interval_us =
			microseconds(&answers->itimer[i].it_interval);
		ask->itimer[i].value_us =
			microseconds(&answers->itimer[i].it_value);
	}
	memcpy(ask->action, answers->action, sizeof(ask->action));
}

int cr_need_remote(struct cr_save_task *task, struct cr_error *err)
{
	return task->remote ? 0 : cr_remote_open(task->pid, &task->remote, err);
}

static int ask_itself(struct cr_save_task *task, size_t index, uint64_t signals,
		      struct cr_ioc_ask *ask, struct cr_error *err)
{
	struct answers answers;
	struct batch batch = { 0 };
	int rc = cr_need_remote(task, err);

	if (rc < 0)
		return rc;
	batch.base = cr_remote_scratch(task->remote);
	ask_thread(&batch);
	if (index == 0)
		ask_process(&batch, signals);
	rc = run(task, &task->threads[index], &batch, &answers, err);
	if (rc == 0)
		fill_in(ask, &batch, &answers);
	return rc;
}

/* Returns 1 if it has told all, 0 if the process has to be asked. */
static int ask_module(struct cr_checkpoint *checkpoint,
		      const struct cr_save_task *task, size_t index,
		      struct cr_ioc_ask *ask, struct cr_error *err)
{
	int rc;

	if (!checkpoint->kmod)
		return 0;
	rc = cr_kmod_ask(checkpoint->kmod, task->pid, task->threads[index].tid,
			 ask);
	if (rc < 0 && checkpoint->options.engine == CR_ENGINE_KERNEL)
		return cr_error_set(err, rc,
				    "the kernel engine: asking about thread "
				    "%d: %s",
				    task->threads[index].tid, strerror(-rc));
	return rc == 0 && !(index == 0 && ask->unknown);
}

static void take_thread(struct cr_wire_thread *wire,
			const struct cr_ioc_ask *ask)
{
	wire->altstack_sp = ask->altstack_sp;
	wire->altstack_size = ask->altstack_size;
	wire->altstack_flags = ask->altstack_flags;
	wire->clear_child_tid = ask->clear_child_tid;
	wire->sched.timer_slack_ns = ask->timer_slack_ns;
	wire->creds.securebits = ask->securebits;
}

static void take_process(struct cr_save_task *task, uint64_t signals,
			 const struct cr_ioc_ask *ask)
{
	struct cr_wire_task *wire = &task->state->task;

	_Static_assert(sizeof(wire->itimer) == sizeof(ask->itimer), "itimer");
	_Static_assert(sizeof(struct cr_wire_sigaction) ==
			       sizeof(struct cr_ioc_action),
		       "sigaction");
	wire->pdeath_signal = ask->pdeath_signal;
	wire->child_subreaper = ask->child_subreaper;
	wire->dumpable = ask->dumpable == 1;
	wire->thp_disabled = ask->thp_disabled;
	wire->personality = ask->personality;
	task->state->mm.brk = ask->brk;
	task->state->mm.locked = ask->locked;
	memcpy(wire->itimer, ask->itimer, sizeof(wire->itimer));
	for (size_t i = 0; i < 64; i++)
		if (signals & 1ull << i)
			memcpy(&task->state->signals->action[i],
			       &ask->action[i], sizeof(ask->action[i]));
}

/* More than the user has for whom this is saved?  What a process has told
 * itself is looked at too: another process of that user may have had a hand in
 * it. */
static void check_rights(struct cr_checkpoint *checkpoint,
			 const struct cr_save_task *task,
			 const struct cr_save_thread *thread)
{
	char what[64];

	if (checkpoint->options.user &&
	    cr_rights_exceed(&thread->wire->creds, checkpoint->options.user,
			     what, sizeof(what)))
		cr_refuse(checkpoint, "process %u (%s): it has %s",
			  task->link.vpid, thread->wire->comm, what);
}

int cr_ask(struct cr_checkpoint *checkpoint, struct cr_save_task *task,
	   struct cr_error *err)
{
	const uint64_t signals =
		(task->caught | task->ignored | 1ull << (SIGCHLD - 1)) &
		~(1ull << (SIGKILL - 1)) & ~(1ull << (SIGSTOP - 1));

	for (size_t i = 0; i < task->nr_threads; i++) {
		struct cr_ioc_ask ask = { 0 };
		int rc = ask_module(checkpoint, task, i, &ask, err);

		if (rc == 0)
			rc = ask_itself(task, i, signals, &ask, err);
		if (rc < 0)
			return rc;
		take_thread(task->threads[i].wire, &ask);
		check_rights(checkpoint, task, &task->threads[i]);
		if (i == 0)
			take_process(task, signals, &ask);
	}
	return 0;
}
