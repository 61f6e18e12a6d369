// SPDX-License-Identifier: GPL-2.0-only
/*
 * restart_coordinator.c - the coordinator's calls of a restart
 *
 * It begins one, waits until all are at the gate, and opens it.
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "cr.h"
#include "restart_ctx.h"
#include "uapi/cr_ioctl.h"

#define TIMEOUT_MS_MAX 86400000

/**
 * cr_restart_of() - the restart of an open file
 * @file: open /dev/cr
 *
 * Return: the context, which lives as long as the file is open; NULL: none.
 */
struct cr_restart *cr_restart_of(struct file *file)
{
	struct cr_open *open = file->private_data;

	/* set once, by smp_store_release() */
	return smp_load_acquire(&open->restart);
}

/**
 * cr_restart_adopt() - make a restart that of an open file
 * @file: open /dev/cr, which owns the caller's reference then
 * @restart: the restart
 *
 * Return: 0, -EBUSY it has been used, -EINTR.
 */
int cr_restart_adopt(struct file *file, struct cr_restart *restart)
{
	struct cr_open *open = file->private_data;
	int rc;

	rc = mutex_lock_killable(&open->lock);
	if (rc)
		return rc;
	if (open->restart)
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
	rc = cr_restart_adopt(file, restart);
	if (rc)
		abandon(restart);
out:
	if (rc)
		cr_restart_put(restart);
	return rc;
}

/**
 * cr_restart_is_coordinator() - does the caller coordinate?
 * @restart: the restart
 *
 * Return: whether it does.
 */
bool cr_restart_is_coordinator(const struct cr_restart *restart)
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
	struct cr_restart *restart = cr_restart_of(file);
	int rc = 0;

	if (!restart || READ_ONCE(restart->state) == CR_RESTART_NEW)
		return -EPROTO;
	if (!cr_restart_is_coordinator(restart))
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
 * cr_restart_wait() - CR_IOC_WAIT
 * @file: open /dev/cr
 * @argument: struct cr_ioc_wait
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_restart_wait(struct file *file, unsigned long argument)
{
	struct cr_restart *restart = cr_restart_of(file);
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
	struct cr_restart *restart = cr_restart_of(file);

	if (!restart)
		return EPOLLERR;
	poll_wait(file, &restart->wait, table);
	return READ_ONCE(restart->state) >= CR_RESTART_RELEASE ?
		       EPOLLIN | EPOLLRDNORM :
		       0;
}
