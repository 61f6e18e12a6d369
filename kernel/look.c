// SPDX-License-Identifier: GPL-2.0-only
/*
 * look.c - what /proc tells of a thread and its process, at once
 *
 * Opening, formatting and parsing a dozen files for each process was most of
 * the time for which a tree of small processes stood still.
 */
#include <linux/binfmts.h>
#include <linux/cred.h>
#include <linux/fs_struct.h>
#include <linux/kdev_t.h>
#include <linux/mm.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seccomp.h>
#include <linux/tty.h>
#include <linux/user_namespace.h>

#include "compat.h"
#include "cr.h"
#include "uapi/cr_ioctl.h"

static void read_ids(struct task_struct *task, struct cr_ioc_look *look)
{
	struct pid_namespace *ours = task_active_pid_ns(current), *its;

	rcu_read_lock();
	its = task_active_pid_ns(task);
	if (its) { /* it has not been reaped */
		look->tgid = task_tgid_nr_ns(task, ours);
		look->ppid = task_tgid_nr_ns(rcu_dereference(task->real_parent),
					     ours);
		look->vpid = task_pid_nr_ns(task, its);
		look->vpgid = task_pgrp_nr_ns(task, its);
		look->vsid = task_session_nr_ns(task, its);
	}
	rcu_read_unlock();
}

static void read_groups(const struct cred *cred, struct cr_ioc_look *look)
{
	const struct group_info *groups = cred->group_info;
	u32 i;

	look->nr_groups = groups->ngroups;
	for (i = 0; i < look->nr_groups && i < CR_LOOK_GROUPS_MAX; i++)
		look->groups[i] =
			from_kgid_munged(current_user_ns(), groups->gid[i]);
}

static void read_creds(struct task_struct *task, struct cr_ioc_look *look)
{
	const struct cred *cred = get_task_cred(task);
	const kuid_t uid[] = { cred->uid, cred->euid, cred->suid, cred->fsuid };
	const kgid_t gid[] = { cred->gid, cred->egid, cred->sgid, cred->fsgid };
	u32 i;

	for (i = 0; i < 4; i++) {
		look->uid[i] = from_kuid_munged(current_user_ns(), uid[i]);
		look->gid[i] = from_kgid_munged(current_user_ns(), gid[i]);
	}
	read_groups(cred, look);
	look->cap_inheritable = cr_cap_bits(&cred->cap_inheritable);
	look->cap_permitted = cr_cap_bits(&cred->cap_permitted);
	look->cap_effective = cr_cap_bits(&cred->cap_effective);
	look->cap_bounding = cr_cap_bits(&cred->cap_bset);
	look->cap_ambient = cr_cap_bits(&cred->cap_ambient);
	put_cred(cred);
	look->no_new_privs = task_no_new_privs(task);
#ifdef CONFIG_SECCOMP
	look->seccomp = task->seccomp.mode;
#endif
	get_task_comm(look->comm, task);
}

/* All three with the lock of the handlers. */
static void read_handlers(const struct sighand_struct *sighand,
			  struct cr_ioc_look *look)
{
	u32 i;

	look->handlers = cr_identity(sighand);
	for (i = 0; i < 64; i++) {
		const void *handler =
			(__force void *)sighand->action[i].sa.sa_handler;

		if (handler == (__force void *)SIG_IGN)
			look->ignored |= 1ull << i;
		else if (handler != (__force void *)SIG_DFL)
			look->caught |= 1ull << i;
	}
}

static void read_signal(const struct signal_struct *signal,
			struct cr_ioc_look *look)
{
	u32 i;

	look->shared_pending = signal->shared_pending.signal.sig[0];
	look->oom_score_adj = signal->oom_score_adj;
	if (signal->tty)
		look->terminal = new_encode_dev(tty_devnum(signal->tty));
	for (i = 0; i < ARRAY_SIZE(look->limit); i++) {
		look->limit[i].soft = signal->rlim[i].rlim_cur;
		look->limit[i].hard = signal->rlim[i].rlim_max;
	}
}

static int read_process(struct task_struct *task,
			const struct sighand_struct *sighand, void *argument)
{
	struct cr_ioc_look *look = argument;

	BUILD_BUG_ON(ARRAY_SIZE(look->limit) != RLIM_NLIMITS);
	look->pending = task->pending.signal.sig[0];
	look->blocked = task->blocked.sig[0];
	read_handlers(sighand, look);
	read_signal(task->signal, look);
	return 0;
}

static void read_mm(struct mm_struct *mm, struct cr_ioc_look *look)
{
	const struct file *exe;
	u32 words = 0;

	BUILD_BUG_ON(sizeof(mm->saved_auxv) > sizeof(look->auxv));
	look->start_code = mm->start_code;
	look->end_code = mm->end_code;
	look->start_data = mm->start_data;
	look->end_data = mm->end_data;
	look->start_brk = mm->start_brk;
	look->start_stack = mm->start_stack;
	look->arg_start = mm->arg_start;
	look->arg_end = mm->arg_end;
	look->env_start = mm->env_start;
	look->env_end = mm->env_end;
	memcpy(look->auxv, mm->saved_auxv, sizeof(mm->saved_auxv));
	do
		words += 2;
	while (words < ARRAY_SIZE(look->auxv) && look->auxv[words - 2]);
	look->auxv_length = words * sizeof(look->auxv[0]);
	look->memory = cr_identity(mm);
	rcu_read_lock();
	exe = rcu_dereference(mm->exe_file);
	if (exe)
		look->exe = cr_identity_of_path(&exe->f_path);
	rcu_read_unlock();
}

static void read_fs(struct task_struct *task, struct cr_ioc_look *look)
{
	task_lock(task);
	if (task->fs) {
		look->fs = cr_identity(task->fs);
		spin_lock(&task->fs->lock);
		look->umask = task->fs->umask;
		look->cwd = cr_identity_of_path(&task->fs->pwd);
		look->root = cr_identity_of_path(&task->fs->root);
		spin_unlock(&task->fs->lock);
	}
	look->descriptors = cr_identity(task->files);
	rcu_read_lock();
	look->namespaces = cr_identity_of_namespaces(task->nsproxy,
						     __task_cred(task)->user_ns,
						     task_active_pid_ns(task));
	rcu_read_unlock();
	task_unlock(task);
}

static int tell(struct task_struct *task, struct mm_struct *mm, void *answer)
{
	struct cr_ioc_look *look = answer;

	look->exit_signal = task->exit_signal;
	read_ids(task, look);
	read_creds(task, look);
	read_mm(mm, look);
	read_fs(task, look);
	return cr_with_handlers(task, read_process, look);
}

/**
 * cr_look() - CR_IOC_LOOK
 * @argument: struct cr_ioc_look
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_look(unsigned long argument)
{
	return cr_tell_of_thread(argument, sizeof(struct cr_ioc_look), tell);
}
