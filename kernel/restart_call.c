// SPDX-License-Identifier: GPL-2.0-only
/*
 * restart_call.c - the calls of a restart by its tasks: join, turn, gate
 *
 * Each is one step of docs/restart-protocol.md.  Whoever waits is woken by
 * failure too, and by a fatal signal; the death of a task or a descriptor that
 * it closes is a failure (restart_death.c).
 */
#include <linux/mm.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "cr.h"
#include "restart_ctx.h"
#include "uapi/cr_ioctl.h"

static bool is_ours(const struct cr_restart *restart)
{
	return uid_eq(current_euid(), restart->cred->euid) ||
	       ns_capable(restart->cred->user_ns, CAP_SYS_PTRACE);
}

/* Take the restart of coordinator @nr for this file. */
static int find_other(struct file *file, pid_t nr)
{
	struct cr_restart *restart;
	struct pid *pid = find_get_pid(nr);
	int rc = -EAGAIN;

	restart = pid ? cr_restart_find(pid) : NULL;
	put_pid(pid);
	if (!restart)
		return rc;
	if (restart == cr_restart_of(file)) {
		cr_restart_put(restart);
		return 0;
	}
	rc = is_ours(restart) ? cr_restart_adopt(file, restart) : -EPERM;
	if (rc)
		cr_restart_put(restart);
	return rc;
}

/* Wait on @queue until @condition, or all is over. */
#define wait_for(restart, queue, condition)                                 \
	({                                                                  \
		int rc_ = wait_event_killable(                              \
			queue,                                              \
			READ_ONCE((restart)->state) == CR_RESTART_FAILED || \
				(condition));                               \
		rc_ ? -EINTR : cr_code_of(restart);                         \
	})

static int cr_code_of(struct cr_restart *restart)
{
	int code = 0;

	spin_lock_irq(&restart->lock);
	if (restart->state == CR_RESTART_FAILED)
		code = restart->code;
	spin_unlock_irq(&restart->lock);
	return code;
}

/* With the lock: the caller's entry, if it may join.  Vpids are of one
 * namespace: that of who came first. */
static struct cr_process *find_self(struct cr_restart *restart)
{
	struct pid_namespace *namespace = task_active_pid_ns(current);

	if (!restart->namespace)
		restart->namespace = get_pid_ns(namespace);
	if (restart->namespace != namespace)
		return NULL;
	return cr_restart_process(restart, NULL, task_tgid_vnr(current));
}

static int join(struct cr_restart *restart)
{
	struct cr_process *process;
	int rc = -ESRCH;

	spin_lock_irq(&restart->lock);
	process = find_self(restart);
	if (process)
		rc = process->who.pid ? -EBUSY : 0;
	if (rc)
		cr_restart_happen(restart, CR_EV_TASK_FAILED, rc,
				  task_tgid_vnr(current));
	else
		process->who.pid = get_pid(task_tgid(current));
	spin_unlock_irq(&restart->lock);
	if (rc)
		return rc;
	/* before it counts: from then on others rely on it */
	cr_restart_mourn(&process->who);
	spin_lock_irq(&restart->lock);
	cr_restart_step(restart, process, CR_TASK_EV_JOIN);
	spin_unlock_irq(&restart->lock);
	return wait_for(restart, process->wait,
			READ_ONCE(restart->state) >= CR_RESTART_RESTORE);
}

/**
 * cr_restart_join() - CR_IOC_JOIN
 * @file: open /dev/cr
 * @argument: struct cr_ioc_join
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_restart_join(struct file *file, unsigned long argument)
{
	struct cr_ioc_join call;
	struct cr_restart *restart;
	int rc = cr_copy_argument(&call, argument, sizeof(call));

	if (rc)
		return rc;
	if (call.flags || call.pid < 0)
		return -EINVAL;
	if (call.pid)
		rc = find_other(file, call.pid);
	if (rc)
		return rc;
	restart = cr_restart_of(file);
	return restart ? join(restart) : -EPROTO;
}

/* The caller as one that has joined; NULL: it has not. */
static struct cr_process *self_of(struct cr_restart *restart)
{
	struct cr_process *process;

	if (!restart)
		return NULL;
	spin_lock_irq(&restart->lock);
	process = cr_restart_process(restart, task_tgid(current),
				     task_tgid_vnr(current));
	spin_unlock_irq(&restart->lock);
	return process;
}

/* Take a step; the restart's own error, if it has failed before. */
static int step(struct cr_restart *restart, struct cr_process *process,
		enum cr_task_event event)
{
	int rc;

	spin_lock_irq(&restart->lock);
	rc = restart->state == CR_RESTART_FAILED ?
		     restart->code :
		     cr_restart_step(restart, process, event);
	spin_unlock_irq(&restart->lock);
	return rc;
}

/**
 * cr_restart_turn() - CR_IOC_TURN
 * @file: open /dev/cr
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_restart_turn(struct file *file)
{
	struct cr_restart *restart = cr_restart_of(file);
	struct cr_process *process = self_of(restart);

	if (!process || process->kind == CR_PROCESS_GHOST)
		return -EPROTO;
	return wait_for(restart, process->wait,
			READ_ONCE(process->state) >= CR_TASK_TURN);
}

/**
 * cr_restart_restored() - CR_IOC_RESTORED
 * @file: open /dev/cr
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_restart_restored(struct file *file)
{
	struct cr_restart *restart = cr_restart_of(file);
	struct cr_process *process = self_of(restart);

	return process ? step(restart, process, CR_TASK_EV_RESTORED) : -EPROTO;
}

/**
 * cr_restart_settle() - CR_IOC_SETTLE
 * @file: open /dev/cr
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_restart_settle(struct file *file)
{
	struct cr_restart *restart = cr_restart_of(file);
	struct cr_process *process = self_of(restart);

	if (!process)
		return -EPROTO;
	return wait_for(restart, process->wait,
			READ_ONCE(restart->state) >= CR_RESTART_SETTLE);
}

/* Say that the calling task has nothing left to do by itself. */
static int come_to_gate(struct cr_restart *restart, struct cr_process *process)
{
	if (!process || process->kind != CR_PROCESS_LIVE)
		return -EPROTO;
	return step(restart, process, CR_TASK_EV_GATE);
}

/**
 * cr_restart_gate() - CR_IOC_GATE
 * @file: open /dev/cr
 *
 * Return: 0 the gate is open; or a negative errno as in cr_ioctl.h.
 */
long cr_restart_gate(struct file *file)
{
	struct cr_restart *restart = cr_restart_of(file);
	struct cr_process *process = self_of(restart);
	int rc = come_to_gate(restart, process);

	if (!rc)
		rc = wait_for(restart, process->wait,
			      READ_ONCE(restart->state) == CR_RESTART_DONE);
	if (!rc)
		rc = step(restart, process, CR_TASK_EV_RELEASE);
	return rc;
}

/**
 * cr_restart_arrive() - CR_IOC_ARRIVE
 * @file: open /dev/cr
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_restart_arrive(struct file *file)
{
	struct cr_restart *restart = cr_restart_of(file);
	struct cr_process *process = self_of(restart);
	int rc = come_to_gate(restart, process);

	if (!rc)
		WRITE_ONCE(process->may_close, true);
	return rc;
}

/**
 * cr_restart_fail() - CR_IOC_FAIL
 * @file: open /dev/cr
 * @argument: struct cr_ioc_fail
 *
 * Return: 0; -EPERM the caller neither coordinates nor has joined; or as in
 * cr_ioctl.h.
 */
long cr_restart_fail(struct file *file, unsigned long argument)
{
	struct cr_restart *restart = cr_restart_of(file);
	struct cr_process *process = self_of(restart);
	struct cr_ioc_fail call;
	int rc = cr_copy_argument(&call, argument, sizeof(call));

	if (rc)
		return rc;
	if (call.flags || call.code >= 0 || call.code < -MAX_ERRNO)
		return -EINVAL;
	if (!restart)
		return -EPROTO;
	if (!process && !cr_restart_is_coordinator(restart))
		return -EPERM;
	spin_lock_irq(&restart->lock);
	cr_restart_happen(restart,
			  process ? CR_EV_TASK_FAILED : CR_EV_ABANDONED,
			  call.code, process ? process->vpid : 0);
	spin_unlock_irq(&restart->lock);
	return 0;
}

/**
 * cr_restart_flush() - a process closes a descriptor of the file, or exits
 * @file: open /dev/cr
 *
 * For those who are to die in SETTLE it is no failure: their death is awaited.
 */
void cr_restart_flush(struct file *file)
{
	struct cr_restart *restart = cr_restart_of(file);
	struct cr_process *process = self_of(restart);
	enum cr_restart_event event = CR_EV_TASK_DIED;
	u32 vpid = process ? process->vpid : 0;

	if (!restart)
		return;
	if (cr_restart_is_coordinator(restart))
		event = CR_EV_ABANDONED;
	else if (!process || READ_ONCE(process->may_close))
		return;
	spin_lock_irq(&restart->lock);
	if (event == CR_EV_ABANDONED || process->kind == CR_PROCESS_LIVE ||
	    restart->state < CR_RESTART_SETTLE)
		cr_restart_happen(restart, event, -ECANCELED, vpid);
	spin_unlock_irq(&restart->lock);
}
