// SPDX-License-Identifier: GPL-2.0-only
/*
 * ask.c - what a thread and its process could otherwise only be asked for
 *
 * Making a stopped thread do calls costs switches of context, three times for
 * each process.  Here its fields are read.  /proc/PID/mem is the proof that the
 * caller may: whoever reads a process' memory learns nothing more by this.
 */
#include <linux/cred.h>
#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/posix-timers.h>
#include <linux/sched/coredump.h>
#include <linux/sched/signal.h>

#include "cr.h"
#include "uapi/cr_ioctl.h"

static void read_thread(struct task_struct *task, struct cr_ioc_ask *ask)
{
	ask->altstack_sp = task->sas_ss_sp;
	ask->altstack_size = task->sas_ss_size;
	ask->altstack_flags = task->sas_ss_flags & SS_AUTODISARM;
	if (!task->sas_ss_size)
		ask->altstack_flags |= SS_DISABLE;
	ask->clear_child_tid = (uintptr_t)task->clear_child_tid;
	ask->timer_slack_ns = task->timer_slack_ns;
	ask->pdeath_signal = task->pdeath_signal;
	ask->personality = task->personality;
	rcu_read_lock();
	ask->securebits = __task_cred(task)->securebits;
	rcu_read_unlock();
}

static void read_mm(const struct mm_struct *mm, struct cr_ioc_ask *ask)
{
	ask->brk = mm->brk;
	ask->dumpable = get_dumpable((struct mm_struct *)mm);
	ask->thp_disabled = test_bit(MMF_DISABLE_THP, &mm->flags);
	if (mm->def_flags & VM_LOCKED)
		ask->locked = MCL_FUTURE;
	if (mm->def_flags & VM_LOCKONFAULT)
		ask->locked |= MCL_ONFAULT;
}

/* As getitimer(2).  How much CPU time was used no exported function tells. */
static void read_itimers(struct signal_struct *signal, struct cr_ioc_ask *ask)
{
	static const int clocks[] = {
		[1] = CPUCLOCK_VIRT, [2] = CPUCLOCK_PROF
	};
	ktime_t left = __hrtimer_get_remaining(&signal->real_timer, true);
	u32 i;

	if (!hrtimer_active(&signal->real_timer))
		left = 0;
	else if (left < NSEC_PER_USEC)
		left = NSEC_PER_USEC;
	ask->itimer[0].value_us = ktime_to_us(left);
	ask->itimer[0].interval_us = ktime_to_us(signal->it_real_incr);
	for (i = 1; i < 3; i++) {
		const struct cpu_itimer *it = &signal->it[clocks[i]];

		ask->itimer[i].interval_us = div_u64(it->incr, NSEC_PER_USEC);
		if (it->expires)
			ask->unknown |= CR_ASK_F_ITIMER;
	}
}

static void read_actions(const struct sighand_struct *sighand,
			 struct cr_ioc_ask *ask)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ask->action); i++) {
		const struct sigaction *from = &sighand->action[i].sa;
		struct cr_ioc_action *to = &ask->action[i];

		to->handler = (uintptr_t)from->sa_handler;
		to->flags = from->sa_flags & UAPI_SA_FLAGS;
		to->restorer = (uintptr_t)from->sa_restorer;
		to->mask = from->sa_mask.sig[0];
	}
}

/* With the lock of the handlers. */
static int read_process(struct task_struct *task,
			const struct sighand_struct *sighand, void *argument)
{
	struct cr_ioc_ask *ask = argument;

	ask->child_subreaper = task->signal->is_child_subreaper;
	read_itimers(task->signal, ask);
	read_actions(sighand, ask);
	return 0;
}

static int tell(struct task_struct *task, struct mm_struct *mm, void *answer)
{
	struct cr_ioc_ask *ask = answer;

	read_thread(task, ask);
	read_mm(mm, ask);
	return cr_with_handlers(task, read_process, ask);
}

/**
 * cr_ask() - CR_IOC_ASK
 * @argument: struct cr_ioc_ask
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_ask(unsigned long argument)
{
	return cr_tell_of_thread(argument, sizeof(struct cr_ioc_ask), tell);
}
