// SPDX-License-Identifier: GPL-2.0-only
/*
 * regs.c - the registers of a thread that the caller traces and has stopped
 *
 * Through its regsets, as ptrace(2) and core dumps read them.
 */
#include <linux/delay.h>
#include <linux/elf.h>
#include <linux/err.h>
#include <linux/ptrace.h>
#include <linux/regset.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "cr.h"
#include "uapi/cr_ioctl.h"

#define SWITCH_WAITS 1000 /* of 10 us and more, until it is off its CPU */

struct reading {
	struct cr_ioc_regs *call;
	void *xstate;
};

static bool is_stopped_for_us(struct task_struct *task)
{
	bool is_ours;

	rcu_read_lock();
	is_ours = task->ptrace && rcu_dereference(task->parent) == current;
	rcu_read_unlock();
	return is_ours && task_is_traced(task);
}

/* Where a segment is of the process' own table, reading its base sleeps. */
static bool has_segments(const struct task_struct *task)
{
	return !boot_cpu_has(X86_FEATURE_FSGSBASE) &&
	       (task->thread.fsindex || task->thread.gsindex);
}

static const struct user_regset *find_set(const struct user_regset_view *view,
					  u32 type)
{
	u32 i;

	for (i = 0; i < view->n; i++)
		if (view->regsets[i].core_note_type == type)
			return &view->regsets[i];
	return NULL;
}

static int read_sets(struct task_struct *task, struct cr_ioc_regs *call,
		     void *xstate)
{
	const struct user_regset_view *view = task_user_regset_view(task);
	const struct user_regset *general = find_set(view, NT_PRSTATUS);
	const struct user_regset *extended = find_set(view, NT_X86_XSTATE);
	int rc;

	if (!general || !extended)
		return -EOPNOTSUPP;
	rc = regset_get(task, general, sizeof(call->regs), call->regs);
	if (rc < 0)
		return rc;
	if (rc != sizeof(call->regs))
		return -EOPNOTSUPP; /* 32-bit code */
	if (call->xstate_length < extended->n * extended->size)
		return -EMSGSIZE;
	rc = regset_get(task, extended, call->xstate_length, xstate);
	if (rc < 0)
		return rc;
	call->xstate_length = rc;
	return 0;
}

/*
 * With the lock of the handlers: it stays stopped, and its stack, where its
 * registers are, stays.  They are there once it has been switched away from.
 */
static int read_stopped(struct task_struct *task,
			const struct sighand_struct *sighand, void *argument)
{
	struct reading *reading = argument;
	struct cr_ioc_regs *call = reading->call;

	if (!is_stopped_for_us(task))
		return -EBUSY;
	/* with the release in the scheduler's finish_task() */
	if (smp_load_acquire(&task->on_cpu))
		return -EAGAIN;
	if (has_segments(task))
		return -EOPNOTSUPP;
	/* what it has in a call such as sigsuspend(2) is not its own */
	call->signal_mask = test_tsk_restore_sigmask(task) ?
				    task->saved_sigmask.sig[0] :
				    task->blocked.sig[0];
	return read_sets(task, call, reading->xstate);
}

static int read_thread(struct cr_ioc_regs *call, void *xstate)
{
	struct reading reading = { .call = call, .xstate = xstate };
	struct pid *pid = find_get_pid(call->tid);
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);
	int rc = -EAGAIN;
	u32 i;

	put_pid(pid);
	if (!task)
		return -ESRCH;
	for (i = 0; rc == -EAGAIN && i < SWITCH_WAITS; i++) {
		if (i)
			usleep_range(10, 20);
		rc = cr_with_handlers(task, read_stopped, &reading);
	}
	put_task_struct(task);
	return rc == -EAGAIN ? -EBUSY : rc;
}

/**
 * cr_regs() - CR_IOC_REGS
 * @argument: struct cr_ioc_regs
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_regs(unsigned long argument)
{
	struct cr_ioc_regs call;
	void *xstate;
	int rc = cr_copy_argument(&call, argument, sizeof(call));

	if (rc)
		return rc;
	if (call.flags || call.reserved || !call.xstate_length ||
	    call.xstate_length > CR_XSTATE_MAX)
		return -EINVAL;
	xstate = kvzalloc(call.xstate_length, GFP_KERNEL);
	if (!xstate)
		return -ENOMEM;
	rc = read_thread(&call, xstate);
	if (!rc && (copy_to_user(u64_to_user_ptr(call.xstate), xstate,
				 call.xstate_length) ||
		    copy_to_user((void __user *)argument, &call, sizeof(call))))
		rc = -EFAULT;
	kvfree(xstate);
	return rc;
}
