/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * look.c - what the module tells of processes instead of /proc; see look.h
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kmod.h"
#include "look.h"
#include "uapi/cr_ioctl.h"

int cr_look_result(enum cr_engine engine, int rc, pid_t pid,
		   struct cr_error *err)
{
	if (rc == 0)
		return 1;
	if (engine != CR_ENGINE_KERNEL)
		return 0;
	return cr_error_set(err, rc,
			    "the kernel engine: looking at process %d: %s", pid,
			    strerror(-rc));
}

static int look(struct cr_checkpoint *checkpoint, pid_t pid, pid_t tid,
		struct cr_ioc_look *look, struct cr_error *err)
{
	if (!checkpoint->kmod)
		return 0;
	return cr_look_result(checkpoint->options.engine,
			      cr_kmod_look(checkpoint->kmod, pid, tid, look),
			      pid, err);
}

static void take_mm(struct cr_wire_mm *mm, const struct cr_ioc_look *look)
{
	mm->start_code = look->start_code;
	mm->end_code = look->end_code;
	mm->start_data = look->start_data;
	mm->end_data = look->end_data;
	mm->start_brk = look->start_brk;
	mm->start_stack = look->start_stack;
	mm->arg_start = look->arg_start;
	mm->arg_end = look->arg_end;
	mm->env_start = look->env_start;
	mm->env_end = look->env_end;
	mm->auxv_length = look->auxv_length;
}

static void take_link(struct cr_save_task *task, const struct cr_ioc_look *look)
{
	task->ppid = look->ppid;
	task->link.vpid = look->vpid;
	task->link.pgid = look->vpgid;
	task->link.sid = look->vsid;
	task->ignored = look->ignored;
	task->caught = look->caught;
	task->terminal = look->terminal;
	task->identities = (struct cr_identities){
		.memory = look->memory,
		.descriptors = look->descriptors,
		.handlers = look->handlers,
		.fs = look->fs,
		.namespaces = look->namespaces,
		.exe = look->exe,
		.cwd = look->cwd,
		.root = look->root,
	};
}

int cr_look_task(struct cr_checkpoint *checkpoint, struct cr_save_task *task,
		 struct cr_error *err)
{
	struct cr_save_state *state = task->state;
	struct cr_ioc_look found;
	int rc = task->is_zombie ?
			 0 :
			 look(checkpoint, task->pid, task->pid, &found, err);

	_Static_assert(sizeof(state->task.rlimit) == sizeof(found.limit),
		       "limits");
	if (rc <= 0)
		return rc;
	state->auxv = malloc(found.auxv_length);
	if (!state->auxv)
		return cr_error_set(err, -ENOMEM, "out of memory");
	memcpy(state->auxv, found.auxv, found.auxv_length);
	take_link(task, &found);
	take_mm(&state->mm, &found);
	state->task.umask = found.umask;
	state->task.exit_signal = found.exit_signal;
	state->task.oom_score_adj = found.oom_score_adj;
	memcpy(state->task.rlimit, found.limit, sizeof(found.limit));
	return 1;
}

static int take_groups(struct cr_proc_status *status,
		       const struct cr_ioc_look *look)
{
	const size_t size = look->nr_groups * sizeof(look->groups[0]);

	status->groups = malloc(size + 1);
	if (!status->groups)
		return -ENOMEM;
	memcpy(status->groups, look->groups, size);
	status->nr_groups = look->nr_groups;
	return 0;
}

static void take_status(struct cr_proc_status *status,
			const struct cr_ioc_look *look)
{
	memset(status, 0, sizeof(*status));
	memcpy(status->uid, look->uid, sizeof(status->uid));
	memcpy(status->gid, look->gid, sizeof(status->gid));
	status->vpid = look->vpid;
	status->pending = look->pending;
	status->shared_pending = look->shared_pending;
	status->blocked = look->blocked;
	status->ignored = look->ignored;
	status->caught = look->caught;
	status->cap_inheritable = look->cap_inheritable;
	status->cap_permitted = look->cap_permitted;
	status->cap_effective = look->cap_effective;
	status->cap_bounding = look->cap_bounding;
	status->cap_ambient = look->cap_ambient;
	status->no_new_privs = look->no_new_privs;
	status->seccomp = look->seccomp;
}

int cr_look_thread(struct cr_checkpoint *checkpoint,
		   const struct cr_save_task *task,
		   struct cr_save_thread *thread, struct cr_proc_status *status,
		   struct cr_error *err)
{
	struct cr_ioc_look found;
	int rc = look(checkpoint, task->pid, thread->tid, &found, err);

	/* who has more groups than it tells is rare */
	if (rc <= 0 || found.nr_groups > CR_LOOK_GROUPS_MAX)
		return rc < 0 ? rc : 0;
	take_status(status, &found);
	if (take_groups(status, &found) < 0)
		return cr_error_set(err, -ENOMEM, "out of memory");
	snprintf(thread->wire->comm, sizeof(thread->wire->comm), "%.15s",
		 found.comm);
	return 1;
}

int cr_look_regs(struct cr_checkpoint *checkpoint,
		 struct cr_save_thread *thread, void *xstate, size_t *lengthp,
		 struct cr_error *err)
{
	struct cr_ioc_regs call = { .tid = thread->tid,
				    .xstate = (uintptr_t)xstate,
				    .xstate_length = (uint32_t)*lengthp };
	int rc;

	_Static_assert(sizeof(thread->wire->regs) == sizeof(call.regs), "regs");
	if (!checkpoint->kmod)
		return 0;
	rc = cr_kmod_regs(checkpoint->kmod, &call);
	if (rc == -EOPNOTSUPP) /* ptrace(2) has words for it, or can */
		return 0;
	rc = cr_look_result(checkpoint->options.engine, rc, thread->tid, err);
	if (rc <= 0)
		return rc;
	memcpy(&thread->wire->regs, call.regs, sizeof(call.regs));
	thread->wire->signal_mask = call.signal_mask;
	*lengthp = call.xstate_length;
	return 1;
}
