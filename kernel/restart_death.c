// SPDX-License-Identifier: GPL-2.0-only
/*
 * restart_death.c - the death of a task or of the coordinator of a restart
 *
 * Heard of by the queue of its struct pid, as pidfds do.
 */
#include <linux/sched/signal.h>

#include "restart_ctx.h"

/* With the lock.  A task that lives, or that is to die but not yet. */
static void process_died(struct cr_restart *restart, struct cr_process *process)
{
	if (process->kind != CR_PROCESS_LIVE &&
	    restart->state == CR_RESTART_SETTLE &&
	    cr_task_next(process->state, CR_TASK_EV_DIED) >= 0)
		cr_restart_step(restart, process, CR_TASK_EV_DIED);
	else if (process->state != CR_TASK_DEAD)
		cr_restart_happen(restart, CR_EV_TASK_DIED, -ECANCELED,
				  process->vpid);
}

static bool is_dead(struct pid *pid)
{
	struct task_struct *task;
	bool dead;

	rcu_read_lock();
	task = pid_task(pid, PIDTYPE_TGID);
	dead = !task ||
	       (READ_ONCE(task->exit_state) && thread_group_empty(task));
	rcu_read_unlock();
	return dead;
}

/* From the exit of somebody: interrupts are off, and locks held. */
static int hear_of_death(wait_queue_entry_t *entry, unsigned int mode,
			 int flags, void *key)
{
	struct cr_mourned *who = container_of(entry, struct cr_mourned, death);
	struct cr_restart *restart = who->restart;
	unsigned long irq;

	if (!is_dead(who->pid))
		return 0;
	spin_lock_irqsave(&restart->lock, irq);
	if (who == &restart->coordinator)
		cr_restart_happen(restart, CR_EV_ABANDONED, -ECANCELED, 0);
	else
		process_died(restart,
			     container_of(who, struct cr_process, who));
	spin_unlock_irqrestore(&restart->lock, irq);
	return 0;
}

/**
 * cr_restart_mourn() - hear of the death of a process from now on
 * @who: with its pid set to the caller's own, who cannot be dead
 */
void cr_restart_mourn(struct cr_mourned *who)
{
	add_wait_queue(&who->pid->wait_pidfd, &who->death);
}

/**
 * cr_restart_stop_mourning() - it does not matter any more
 * @who: made by cr_restart_init_mourned(); who nobody is yet may be, too
 */
void cr_restart_stop_mourning(struct cr_mourned *who)
{
	if (!who->pid)
		return;
	remove_wait_queue(&who->pid->wait_pidfd, &who->death);
	put_pid(who->pid);
}

/**
 * cr_restart_init_mourned() - nobody yet
 * @who: to be made ready
 * @restart: whose end their death is
 */
void cr_restart_init_mourned(struct cr_mourned *who, struct cr_restart *restart)
{
	who->restart = restart;
	init_waitqueue_func_entry(&who->death, hear_of_death);
	INIT_LIST_HEAD(&who->death.entry);
}
