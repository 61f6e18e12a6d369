// SPDX-License-Identifier: GPL-2.0-only
/*
 * files.c - the descriptors of a process, and which are the same file
 *
 * Relatives share most of theirs: what has been fetched once need not be
 * fetched and compared again.
 */
#include <linux/err.h>
#include <linux/fdtable.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "cr.h"
#include "uapi/cr_ioctl.h"

/* With RCU's lock: from @call->first on, as many as there is room for. */
static void list(const struct fdtable *table, struct cr_ioc_files *call,
		 struct cr_ioc_descriptor *descriptors)
{
	u32 fd, nr = 0;

	for (fd = call->first; fd < table->max_fds && nr < call->nr; fd++) {
		const struct file *file = rcu_dereference(table->fd[fd]);

		if (!file)
			continue;
		descriptors[nr].fd = fd;
		descriptors[nr].flags = test_bit(fd, table->close_on_exec) ?
						CR_DESCRIPTOR_F_CLOEXEC :
						0;
		descriptors[nr++].identity = cr_identity(file);
	}
	call->next = fd < table->max_fds ? fd : 0;
	call->nr = nr;
}

static int list_files(struct cr_ioc_files *call,
		      struct cr_ioc_descriptor *descriptors)
{
	struct mm_struct *mm;
	struct task_struct *task = cr_thread_get(call->mem_fd, call->tid, &mm);
	int rc = -ESRCH;

	if (IS_ERR(task))
		return PTR_ERR(task);
	task_lock(task);
	/* not those of another program */
	if (task->files && task->mm == mm) {
		rcu_read_lock();
		list(rcu_dereference(task->files->fdt), call, descriptors);
		rcu_read_unlock();
		rc = 0;
	}
	task_unlock(task);
	cr_thread_put(task, mm);
	return rc;
}

/**
 * cr_files() - CR_IOC_FILES
 * @argument: struct cr_ioc_files
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_files(unsigned long argument)
{
	struct cr_ioc_descriptor *descriptors;
	struct cr_ioc_files call;
	int rc = cr_copy_argument(&call, argument, sizeof(call));

	if (rc)
		return rc;
	if (call.flags || !call.nr || call.nr > CR_FILES_MAX)
		return -EINVAL;
	descriptors = kcalloc(call.nr, sizeof(*descriptors), GFP_KERNEL);
	if (!descriptors)
		return -ENOMEM;
	rc = list_files(&call, descriptors);
	if (!rc && (copy_to_user(u64_to_user_ptr(call.list), descriptors,
				 call.nr * sizeof(*descriptors)) ||
		    copy_to_user((void __user *)argument, &call, sizeof(call))))
		rc = -EFAULT;
	kfree(descriptors);
	return rc;
}
