// SPDX-License-Identifier: GPL-2.0-only
/*
 * thread.c - somebody else's thread: found, kept from ending, and told of
 */
#include <linux/err.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "cr.h"
#include "uapi/cr_ioctl.h"

/* What ASK and LOOK begin with, see cr_ioctl.h. */
struct question {
	__s32 mem_fd;
	__s32 tid;
	__u32 flags;
	__u32 reserved;
};

static_assert(offsetof(struct cr_ioc_ask, altstack_sp) ==
	      sizeof(struct question));
static_assert(offsetof(struct cr_ioc_look, tgid) == sizeof(struct question));

/* The thread, which uses @mm now, referenced; ERR_PTR(-ESRCH). */
static struct task_struct *find_thread(pid_t nr, const struct mm_struct *mm)
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
 * cr_thread_get() - a thread whose memory the caller may read
 * @mem_fd: an open /proc/PID/mem
 * @nr: its number in the caller's PID namespace
 * @mmp: out: its memory, which is that of @mem_fd, referenced
 *
 * Return: the thread, referenced, to be given back with cr_thread_put();
 * ERR_PTR(-ESRCH), or an error of cr_mem_file_get().
 */
struct task_struct *cr_thread_get(int mem_fd, pid_t nr, struct mm_struct **mmp)
{
	struct mm_struct *mm = cr_mem_file_get(mem_fd, FMODE_READ);
	struct task_struct *task;

	if (IS_ERR(mm))
		return ERR_CAST(mm);
	task = find_thread(nr, mm);
	if (IS_ERR(task))
		mmput(mm);
	else
		*mmp = mm;
	return task;
}

/**
 * cr_thread_put() - give back what cr_thread_get() has found
 * @task: the thread
 * @mm: its memory
 */
void cr_thread_put(struct task_struct *task, struct mm_struct *mm)
{
	put_task_struct(task);
	mmput(mm);
}

static int answer(struct question *question, cr_tell_fn *tell)
{
	struct mm_struct *mm;
	struct task_struct *task;
	int rc;

	if (question->flags || question->reserved)
		return -EINVAL;
	task = cr_thread_get(question->mem_fd, question->tid, &mm);
	if (IS_ERR(task))
		return PTR_ERR(task);
	rc = tell(task, mm, question);
	cr_thread_put(task, mm);
	return rc;
}

/**
 * cr_tell_of_thread() - a call that tells of a thread: CR_IOC_ASK, CR_IOC_LOOK
 * @argument: a pointer of user space to @size bytes, a struct question first
 * @size: of the answer, bytes
 * @tell: fills the answer in behind the question, where all is zero
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_tell_of_thread(unsigned long argument, size_t size, cr_tell_fn *tell)
{
	void *told = kzalloc(size, GFP_KERNEL);
	int rc;

	if (!told)
		return -ENOMEM;
	rc = cr_copy_argument(told, argument, sizeof(struct question));
	if (!rc)
		rc = answer(told, tell);
	if (!rc && copy_to_user((void __user *)argument, told, size))
		rc = -EFAULT;
	kfree(told);
	return rc;
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
