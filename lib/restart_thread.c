/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_thread.c - the steps by which a thread becomes the saved one
 *
 * All but registers and signal mask, which the coordinator sets in the end.
 * Credentials come last: each step before may need root's rights.
 */
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "restart_list.h"

#define NR_CAPS 64
#define GROUPS_ROOM 256 /* who is in more gets them by a call */
#define SCHED_FLAG_RESET_ON_FORK 1 /* linux/sched.h */
#define ROBUST_LIST_HEAD 24 /* sizeof(struct robust_list_head) */

/* struct sched_attr of linux/sched/types.h, which sched.h does not go with */
struct kernel_sched_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static void add_pending(struct cr_arena *arena, struct cr_list *list,
			const struct cr_saved_thread *thread, uint32_t vpid)
{
	for (uint32_t i = 0; i < thread->thread->nr_pending; i++) {
		const siginfo_t *info =
			cr_arena_copy(arena, &thread->pending[i],
				      sizeof(thread->pending[i]));

		if (info->si_signo == SIGSTOP)
			continue; /* restart_finish.c */
		cr_list_add(list, CR_OP_CALL, CR_STEP_SIGNALS,
			    SYS_rt_tgsigqueueinfo, vpid, thread->thread->tid,
			    (uint64_t)info->si_signo, (uint64_t)info);
	}
}

static void add_scheduling(struct cr_restarter *restarter,
			   const struct cr_wire_sched *sched,
			   struct cr_arena *arena, struct cr_list *list)
{
	const struct kernel_sched_attr attr = {
		.size = sizeof(attr),
		.policy = sched->policy & ~(uint32_t)SCHED_RESET_ON_FORK,
		.flags = sched->policy & SCHED_RESET_ON_FORK ?
				 SCHED_FLAG_RESET_ON_FORK :
				 0,
		.nice = sched->nice,
		.priority = sched->priority,
		.runtime = sched->runtime,
		.deadline = sched->deadline,
		.period = sched->period,
	};
	cpu_set_t *cpus = cr_arena_take(arena, sizeof(*cpus));

	cr_restart_map_cpus(restarter->saved, restarter->options->allocation,
			    sched->affinity, cpus);
	cr_list_add(list, CR_OP_CALL, CR_STEP_SCHEDULING, SYS_sched_setaffinity,
		    0, sizeof(*cpus), (uint64_t)cpus, 0);
	cr_list_add(list, CR_OP_CALL, CR_STEP_SCHEDULING, SYS_sched_setattr, 0,
		    (uint64_t)cr_arena_copy(arena, &attr, sizeof(attr)), 0, 0);
	if (sched->io_priority)
		cr_list_add(list, CR_OP_CALL, CR_STEP_SCHEDULING,
			    SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
			    sched->io_priority, 0);
	cr_list_add(list, CR_OP_CALL, CR_STEP_SCHEDULING, SYS_prctl,
		    PR_SET_TIMERSLACK, sched->timer_slack_ns, 0, 0);
}

/*
 * What the image says, but nothing that root lacks on this node: in a
 * container even root has less than elsewhere.
 */
static void add_capabilities(const struct cr_wire_creds *creds,
			     struct cr_arena *arena, struct cr_list *list)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2] = { 0 };
	uint32_t have;

	syscall(SYS_capget, &header, data);
	for (uint32_t i = 0; i < 2; i++) {
		have = data[i].permitted;
		data[i].effective =
			(uint32_t)(creds->cap_effective >> 32 * i) & have;
		data[i].permitted =
			(uint32_t)(creds->cap_permitted >> 32 * i) & have;
		data[i].inheritable =
			(uint32_t)(creds->cap_inheritable >> 32 * i) & have;
	}
	cr_list_add(list, CR_OP_CALL, CR_STEP_CREDENTIALS, SYS_capset,
		    (uint64_t)cr_arena_copy(arena, &header, sizeof(header)),
		    (uint64_t)cr_arena_copy(arena, data, sizeof(data)), 0, 0);
	for (uint64_t cap = 0; cap < NR_CAPS; cap++)
		if (creds->cap_ambient >> cap & 1 &&
		    prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			cr_list_add(list, CR_OP_CALL, CR_STEP_CREDENTIALS,
				    SYS_prctl, PR_CAP_AMBIENT,
				    PR_CAP_AMBIENT_RAISE, cap, 0);
}

/* In the user namespace of an ordinary user setgroups() is forbidden, and what
 * this user has is seen as at saving. */
static int has_groups(const struct cr_saved_thread *thread)
{
	const size_t nr = thread->thread->nr_groups;
	gid_t groups[GROUPS_ROOM];

	return getgroups(GROUPS_ROOM, groups) == (int)nr &&
	       !memcmp(groups, thread->groups, nr * sizeof(groups[0]));
}

/*
 * Bounding set before capset() takes CAP_SETPCAP, ids before it takes
 * CAP_SETUID; SECBIT_NO_SETUID_FIXUP keeps the capabilities over setresuid().
 */
static void add_credentials(const struct cr_saved_thread *thread,
			    struct cr_arena *arena, struct cr_list *list)
{
	const struct cr_wire_creds *creds = &thread->thread->creds;
	const uint32_t *groups =
		cr_arena_copy(arena, thread->groups,
			      4 * (size_t)thread->thread->nr_groups);
	const enum cr_step what = CR_STEP_CREDENTIALS;

	cr_list_add(list, CR_OP_CALL, what, SYS_prctl, PR_SET_SECUREBITS,
		    SECBIT_NO_SETUID_FIXUP, 0, 0);
	if (!has_groups(thread))
		cr_list_add(list, CR_OP_CALL, what, SYS_setgroups,
			    thread->thread->nr_groups, (uint64_t)groups, 0, 0);
	cr_list_add(list, CR_OP_CALL, what, SYS_setresgid, creds->rgid,
		    creds->egid, creds->sgid, 0);
	cr_list_add(list, CR_OP_CALL, what, SYS_setresuid, creds->ruid,
		    creds->euid, creds->suid, 0);
	if (creds->fsgid != creds->egid)
		cr_list_add(list, CR_OP_CALL, what, SYS_setfsgid, creds->fsgid,
			    0, 0, 0);
	if (creds->fsuid != creds->euid)
		cr_list_add(list, CR_OP_CALL, what, SYS_setfsuid, creds->fsuid,
			    0, 0, 0);
	for (uint64_t cap = 0; cap < NR_CAPS; cap++)
		if (!(creds->cap_bounding >> cap & 1) &&
		    prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			cr_list_add(list, CR_OP_CALL, what, SYS_prctl,
				    PR_CAPBSET_DROP, cap, 0, 0);
	cr_list_add(list, CR_OP_CALL, what, SYS_prctl, PR_SET_SECUREBITS,
		    creds->securebits, 0, 0);
	add_capabilities(creds, arena, list);
	if (creds->no_new_privs)
		cr_list_add(list, CR_OP_CALL, what, SYS_prctl,
			    PR_SET_NO_NEW_PRIVS, 1, 0, 0);
}

static void add_memory_pointers(const struct cr_wire_thread *thread,
				struct cr_arena *arena, struct cr_list *list)
{
	const stack_t altstack = {
		.ss_sp = (void *)thread->altstack_sp,
		.ss_size = thread->altstack_size,
		.ss_flags = (int)thread->altstack_flags & ~SS_ONSTACK,
	};

	cr_list_add(list, CR_OP_CALL, CR_STEP_SIGNALS, SYS_sigaltstack,
		    (uint64_t)cr_arena_copy(arena, &altstack, sizeof(altstack)),
		    0, 0, 0);
	/* even if it is none: ours was inherited from the coordinator */
	cr_list_add(list, CR_OP_CALL, CR_STEP_OTHER, SYS_set_robust_list,
		    thread->robust_list, ROBUST_LIST_HEAD, 0, 0);
	cr_list_add(list, CR_OP_CALL, CR_STEP_OTHER, SYS_set_tid_address,
		    thread->clear_child_tid, 0, 0, 0);
	if (thread->rseq_pointer)
		cr_list_add(list, CR_OP_CALL, CR_STEP_OTHER, SYS_rseq,
			    thread->rseq_pointer, thread->rseq_length, 0,
			    thread->rseq_signature);
}

void cr_thread_add(struct cr_restarter *restarter,
		   const struct cr_saved_task *task,
		   const struct cr_saved_thread *thread, struct cr_arena *arena,
		   struct cr_list *list)
{
	const struct cr_wire_thread *wire = thread->thread;

	cr_list_add(list, CR_OP_CALL, CR_STEP_OTHER, SYS_prctl, PR_SET_NAME,
		    (uint64_t)cr_arena_copy(arena, wire->comm,
					    sizeof(wire->comm)),
		    0, 0);
	add_memory_pointers(wire, arena, list);
	add_scheduling(restarter, &wire->sched, arena, list);
	add_pending(arena, list, thread, task->link->vpid);
	add_credentials(thread, arena, list);
}
