// SPDX-License-Identifier: GPL-2.0-only
/*
 * restart_call.c - the calls of a restart: begin, join, turn, gate
 *
 * Each is one step of docs/restart-protocol.md.  Whoever waits is woken by
 * failure too, and by a fatal signal; the death of a task or a descriptor that
 * it closes is a failure (restart_ctx.c).
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "cr.h"
#include "restart_ctx.h"
#include "uapi/cr_ioctl.h"

#define TIMEOUT_MS_MAX 86400000

/* The file's context; it lives as long as the file is open. */
static struct cr_restart *restart_of(struct file *file)
{
	struct cr_open *open = file->private_data;

	/* set once, by smp_store_release() */
	return smp_load_acquire(&open->restart);
}

/* Make @restart the file's, which owns the caller's reference then. */
static int adopt(struct file *file, struct cr_restart *restart)
{
	struct cr_open *open = file->private_data;
	int rc;

	rc = mutex_lock_killable(&open->lock);
	if (rc)
		return rc;
	if (open->restart || open->pages)
		rc = -EBUSY;
	else
		smp_store_release(&open->restart, restart);
	mutex_unlock(&open->lock);
	return rc;
}

static int read_image(struct cr_restart *restart,
		      const struct cr_ioc_restart *call)
{
	struct file *image = fget(call->image_fd);
	int rc = -EBADF;

	if (!image)
		return rc;
	if (!S_ISREG(file_inode(image)->i_mode))
		rc = -EBADMSG;
	else if (image->f_mode & FMODE_READ)
		rc = cr_restart_read_tree(restart, image, call->nr_ghosts);
	fput(image);
	return rc;
}

static int read_ghosts(struct cr_restart *restart,
		       const struct cr_ioc_restart *call)
{
	const u32 __user *ghosts = u64_to_user_ptr(call->ghosts);
	u32 i;

	for (i = 0; i < call->nr_ghosts; i++) {
		struct cr_process *ghost =
			&restart->processes[restart->nr_tasks + i];

		ghost->kind = CR_PROCESS_GHOST;
		if (get_user(ghost->vpid, ghosts + i))
			return -EFAULT;
	}
	return 0;
}

static int prepare(struct cr_restart *restart,
		   const struct cr_ioc_restart *call)
{
	int rc = read_image(restart, call);

	if (!rc)
		rc = read_ghosts(restart, call);
	if (!rc)
		rc = cr_restart_index(restart);
	restart->is_inside = call->pid != 0;
	if (!rc && restart->is_inside &&
	    restart->processes[0].vpid != (u32)call->pid)
		rc = -ESRCH;
	return rc;
}

/* Somebody may have found it by our pid already. */
static void abandon(struct cr_restart *restart)
{
	spin_lock_irq(&restart->lock);
	cr_restart_happen(restart, CR_EV_ABANDONED, -ECANCELED, 0);
	spin_unlock_irq(&restart->lock);
}

/**
 * cr_restart_begin() - CR_IOC_RESTART
 * @file: open /dev/cr, not yet used
 * @argument: struct cr_ioc_restart
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_restart_begin(struct file *file, unsigned long argument)
{
	struct cr_restart *restart;
	struct cr_ioc_restart call;
	int rc = cr_copy_argument(&call, argument, sizeof(call));

	if (rc)
		return rc;
	if (call.flags || !call.timeout_ms || call.timeout_ms > TIMEOUT_MS_MAX)
		return -EINVAL;
	if (call.nr_ghosts >= CR_RESTART_TASKS_MAX)
		return -E2BIG;
	if (call.pid && call.pid != task_tgid_vnr(current))
		return -EPERM;
	restart = cr_restart_create();
	if (!restart)
		return -ENOMEM;
	rc = prepare(restart, &call);
	call.nr_tasks = restart->nr_tasks;
	if (!rc && copy_to_user((void __user *)argument, &call, sizeof(call)))
		rc = -EFAULT;
	if (rc)
		goto out;
	cr_restart_start(restart, call.timeout_ms);
	rc = adopt(file, restart);
	if (rc)
		abandon(restart);
out:
	if (rc)
		cr_restart_put(restart);
	return rc;
}

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
	if (restart == restart_of(file)) {
		cr_restart_put(restart);
		return 0;
	}
	rc = is_ours(restart) ? adopt(file, restart) : -EPERM;
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
	restart = restart_of(file);
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
	struct cr_restart *restart = restart_of(file);
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
	struct cr_restart *restart = restart_of(file);
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
	struct cr_restart *restart = restart_of(file);
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
	struct cr_restart *restart = restart_of(file);
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
	struct cr_restart *restart = restart_of(file);
	struct cr_process *process = self_of(restart);
	int rc = come_to_gate(restart, process);

	if (!rc)
		WRITE_ONCE(process->may_close, true);
	return rc;
}

static bool is_coordinator(const struct cr_restart *restart)
{
	return restart->coordinator.pid == task_tgid(current);
}

/**
 * cr_restart_release() - CR_IOC_RELEASE
 * @file: open /dev/cr
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_restart_release(struct file *file)
{
	struct cr_restart *restart = restart_of(file);
	int rc = 0;

	if (!restart || READ_ONCE(restart->state) == CR_RESTART_NEW)
		return -EPROTO;
	if (!is_coordinator(restart))
		return -EPERM;
	spin_lock_irq(&restart->lock);
	if (restart->state == CR_RESTART_FAILED)
		rc = restart->code;
	else if (restart->state != CR_RESTART_RELEASE)
		rc = -EPROTO;
	else
		cr_restart_happen(restart, CR_EV_RELEASED, -EPROTO, 0);
	spin_unlock_irq(&restart->lock);
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
	struct cr_restart *restart = restart_of(file);
	struct cr_process *process = self_of(restart);
	struct cr_ioc_fail call;
	int rc = cr_copy_argument(&call, argument, sizeof(call));

	if (rc)
		return rc;
	if (call.flags || call.code >= 0 || call.code < -MAX_ERRNO)
		return -EINVAL;
	if (!restart)
		return -EPROTO;
	if (!process && !is_coordinator(restart))
		return -EPERM;
	spin_lock_irq(&restart->lock);
	cr_restart_happen(restart,
			  process ? CR_EV_TASK_FAILED : CR_EV_ABANDONED,
			  call.code, process ? process->vpid : 0);
	spin_unlock_irq(&restart->lock);
	return 0;
}

/**
 * cr_restart_wait() - CR_IOC_WAIT
 * @file: open /dev/cr
 * @argument: struct cr_ioc_wait
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_restart_wait(struct file *file, unsigned long argument)
{
	struct cr_restart *restart = restart_of(file);
	struct cr_ioc_wait call;
	int rc = cr_copy_argument(&call, argument, sizeof(call));

	if (rc)
		return rc;
	if (call.flags & ~CR_WAIT_F_NOT)
		return -EINVAL;
	if (!restart)
		return -EPROTO;
	if (!(call.flags & CR_WAIT_F_NOT) &&
	    wait_event_killable(restart->wait, READ_ONCE(restart->state) >=
						       CR_RESTART_RELEASE))
		return -EINTR;
	spin_lock_irq(&restart->lock);
	call.state = restart->state;
	call.code = restart->code;
	call.vpid = restart->vpid;
	spin_unlock_irq(&restart->lock);
	return copy_to_user((void __user *)argument, &call, sizeof(call)) ?
		       -EFAULT :
		       0;
}

/**
 * cr_restart_poll() - the file's poll: for the coordinator's waiting
 * @file: open /dev/cr
 * @table: who waits
 *
 * Return: EPOLLIN where CR_IOC_WAIT would not wait; EPOLLERR without a restart.
 */
__poll_t cr_restart_poll(struct file *file, struct poll_table_struct *table)
{
	struct cr_restart *restart = restart_of(file);

	if (!restart)
		return EPOLLERR;
	poll_wait(file, &restart->wait, table);
	return READ_ONCE(restart->state) >= CR_RESTART_RELEASE ?
		       EPOLLIN | EPOLLRDNORM :
		       0;
}

/**
 * cr_restart_flush() - a process closes a descriptor of the file, or exits
 * @file: open /dev/cr
 *
 * For those who are to die in SETTLE it is no failure: their death is awaited.
 */
void cr_restart_flush(struct file *file)
{
	struct cr_restart *restart = restart_of(file);
	struct cr_process *process = self_of(restart);
	enum cr_restart_event event = CR_EV_TASK_DIED;
	u32 vpid = process ? process->vpid : 0;

	if (!restart)
		return;
	if (is_coordinator(restart))
		event = CR_EV_ABANDONED;
	else if (!process || READ_ONCE(process->may_close))
		return;
	spin_lock_irq(&restart->lock);
	if (event == CR_EV_ABANDONED || process->kind == CR_PROCESS_LIVE ||
	    restart->state < CR_RESTART_SETTLE)
		cr_restart_happen(restart, event, -ECANCELED, vpid);
	spin_unlock_irq(&restart->lock);
}
