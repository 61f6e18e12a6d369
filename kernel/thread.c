// SPDX-License-Identifier: GPL-2.0-only
/*
 * thread.c - somebody else's thread: found, and kept from ending
 */
#include <linux/err.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "cr.h"

/**
 * cr_find_thread() - a thread whose memory the caller may read
 * @nr: its number in the caller's PID namespace
 * @mm: of an open /proc/PID/mem
 *
 * Return: the thread, which uses @mm now, referenced; ERR_PTR(-ESRCH).
 */
struct task_struct *cr_find_thread(pid_t nr, const struct mm_struct *mm)
{
	struct pid *pid = find_get_pid(nr);
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);
	bool is_its;

	put_pid(pid);
	if (!task)
		return ERR_PTR(-ESRCH);
	task_lock(task);
	is_its = task->mm == mm;
	task_unlock(task);
	if (is_its)
		return task;
	put_task_struct(task);
	return ERR_PTR(-ESRCH);
}

/**
 * cr_with_handlers() - do something with the lock of a thread's handlers held
 * @task: the thread, referenced
 * @call: does it, and must not sleep
 * @argument: for it
 *
 * While it is held, nobody sends the thread a signal or changes what is done
 * about them, and SIGKILL does not get it out of a stop.  The kernel's
 * lock_task_sighand() is not for modules.
 *
 * Return: what @call has returned; -ESRCH the thread is about to end, or to
 * execute another program.
 */
int cr_with_handlers(struct task_struct *task,
		     int (*call)(struct task_struct *task,
				 const struct sighand_struct *sighand,
				 void *argument),
		     void *argument)
{
	struct sighand_struct *sighand;
	int rc = -ESRCH;

	rcu_read_lock();
	sighand = rcu_dereference(task->sighand);
	if (!sighand)
		goto out;
	spin_lock_irq(&sighand->siglock);
	/* what was replaced or let go meanwhile is not looked for again */
	if (sighand == rcu_access_pointer(task->sighand))
		rc = call(task, sighand, argument);
	spin_unlock_irq(&sighand->siglock);
out:
	rcu_read_unlock();
	return rc;
}
