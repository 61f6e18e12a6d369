// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_load_task.c - the records of one saved task
 *
 * Tasks come in saved order, each with its TASK record first.  Here every
 * record is checked by itself; what it refers to, at the end of the image.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "image_chunk.h"
#include "image_loader.h"

static int damaged(struct cr_error *err, const char *what)
{
	return cr_error_set(err, -EBADMSG, "%s", what);
}

static int load_task(struct cr_saved_task *task, struct cr_load_cursor *cursor,
		     struct cr_error *err)
{
	task->task = cr_load_take(cursor, 1, sizeof(*task->task));
	if (!task->task)
		return damaged(err, "contents do not fit its length");
	if (task->task->comm[sizeof(task->task->comm) - 1])
		return damaged(err, "name that does not end");
	if (task->task->dumpable > 1 || task->task->child_subreaper > 1 ||
	    task->task->thp_disabled > 1 || task->task->umask > 07777 ||
	    task->task->pdeath_signal > 64 || task->task->exit_signal > 64)
		return damaged(err, "impossible numbers");
	return 0;
}

static int load_mm(struct cr_saved_task *task, struct cr_load_cursor *cursor,
		   struct cr_error *err)
{
	const struct cr_wire_mm *mm = cr_load_take(cursor, 1, sizeof(*mm));

	if (!mm || mm->auxv_length > CR_LOAD_AUXV_MAX || mm->auxv_length % 16)
		return damaged(err, "impossible length");
	task->auxv = cr_load_take(cursor, mm->auxv_length, 1);
	if (!task->auxv)
		return damaged(err, "contents do not fit its length");
	if (mm->start_code > CR_TASK_SIZE || mm->end_code > CR_TASK_SIZE ||
	    mm->start_data > CR_TASK_SIZE || mm->end_data > CR_TASK_SIZE ||
	    mm->start_brk > CR_TASK_SIZE || mm->brk > CR_TASK_SIZE ||
	    mm->start_stack > CR_TASK_SIZE || mm->arg_start > CR_TASK_SIZE ||
	    mm->arg_end > CR_TASK_SIZE || mm->env_start > CR_TASK_SIZE ||
	    mm->env_end > CR_TASK_SIZE)
		return damaged(err, "address outside of user space");
	task->mm = mm;
	return 0;
}

/* Take all that is left as elements of @size bytes. */
static const void *take_rest(struct cr_load_cursor *cursor, size_t size,
			     size_t *nr, struct cr_error *err)
{
	*nr = cursor->left / size;
	if (cursor->left % size) {
		damaged(err, "contents do not fit its length");
		return NULL;
	}
	return cr_load_take(cursor, *nr, size);
}

static int load_vmas(struct cr_saved_task *task, struct cr_load_cursor *cursor,
		     struct cr_error *err)
{
	uint64_t end = 0;

	task->vmas =
		take_rest(cursor, sizeof(*task->vmas), &task->nr_vmas, err);
	if (!task->vmas)
		return -EBADMSG;
	for (size_t i = 0; i < task->nr_vmas; i++) {
		const struct cr_wire_vma *vma = &task->vmas[i];

		if (vma->start < end || vma->end <= vma->start ||
		    vma->end > CR_TASK_SIZE || vma->start % CR_WIRE_PAGE ||
		    vma->end % CR_WIRE_PAGE)
			return cr_error_set(err, -EBADMSG,
					    "impossible range %#llx-%#llx",
					    (unsigned long long)vma->start,
					    (unsigned long long)vma->end);
		end = vma->end;
	}
	return 0;
}

static int load_fds(struct cr_saved_task *task, struct cr_load_cursor *cursor,
		    struct cr_error *err)
{
	task->fds = take_rest(cursor, sizeof(*task->fds), &task->nr_fds, err);
	if (!task->fds)
		return -EBADMSG;
	for (size_t i = 0; i < task->nr_fds; i++) {
		if (task->fds[i].fd > INT32_MAX || task->fds[i].cloexec > 1 ||
		    (i && task->fds[i].fd <= task->fds[i - 1].fd))
			return cr_error_set(err, -EBADMSG,
					    "descriptor %u out of order",
					    task->fds[i].fd);
	}
	return 0;
}

static int load_signals(struct cr_saved_task *task,
			struct cr_load_cursor *cursor, struct cr_error *err)
{
	const struct cr_wire_signals *signals =
		cr_load_take(cursor, 1, sizeof(*signals));

	if (!signals)
		return damaged(err, "contents do not fit its length");
	task->pending = cr_load_take(cursor, signals->nr_pending,
				     sizeof(*task->pending));
	if (!task->pending)
		return damaged(err, "contents do not fit its length");
	task->signals = signals;
	return 0;
}

static int load_timers(struct cr_saved_task *task,
		       struct cr_load_cursor *cursor, struct cr_error *err)
{
	task->timers =
		take_rest(cursor, sizeof(*task->timers), &task->nr_timers, err);
	if (!task->timers)
		return -EBADMSG;
	for (size_t i = 0; i < task->nr_timers; i++) {
		const struct cr_wire_timer *timer = &task->timers[i];

		if (timer->id < 0 || timer->signal < 0 || timer->signal > 64 ||
		    timer->interval_ns > INT64_MAX ||
		    timer->value_ns > INT64_MAX)
			return cr_error_set(err, -EBADMSG,
					    "timer %d: impossible numbers",
					    timer->id);
	}
	return 0;
}

static int load_locks(struct cr_saved_task *task, struct cr_load_cursor *cursor,
		      struct cr_error *err)
{
	task->locks =
		take_rest(cursor, sizeof(*task->locks), &task->nr_locks, err);
	if (!task->locks)
		return -EBADMSG;
	for (size_t i = 0; i < task->nr_locks; i++) {
		const struct cr_wire_lock *lock = &task->locks[i];

		if (lock->kind < CR_LOCK_POSIX || lock->kind > CR_LOCK_OFD ||
		    (lock->type != F_RDLCK && lock->type != F_WRLCK) ||
		    lock->start > INT64_MAX ||
		    lock->length > INT64_MAX - lock->start)
			return cr_error_set(err, -EBADMSG,
					    "impossible lock on descriptor %u",
					    lock->fd);
	}
	return 0;
}

static int check_thread(const struct cr_saved_task *task,
			const struct cr_wire_thread *thread,
			struct cr_error *err)
{
	if (thread->comm[sizeof(thread->comm) - 1])
		return damaged(err, "name that does not end");
	if (thread->flags)
		return cr_error_set(err, -EPROTONOSUPPORT,
				    "thread %u: unknown flags %#x", thread->tid,
				    thread->flags);
	if (thread->tid < 2 || thread->tid > CR_LOAD_VPID_MAX ||
	    (task->nr_threads == 0) != (thread->tid == task->link->vpid))
		return cr_error_set(err, -EBADMSG, "thread %u in a wrong place",
				    thread->tid);
	if (thread->resume.kind > CR_RESUME_REISSUE)
		return cr_error_set(err, -EPROTONOSUPPORT,
				    "thread %u: unknown way to go on %u",
				    thread->tid, thread->resume.kind);
	if (thread->xstate_length > CR_LOAD_XSTATE_MAX ||
	    thread->xstate_length % 8 || thread->nr_groups > CR_LOAD_GROUPS_MAX)
		return cr_error_set(err, -EBADMSG,
				    "thread %u: impossible lengths",
				    thread->tid);
	return 0;
}

static int load_thread(struct cr_saved_task *task,
		       struct cr_load_cursor *cursor, struct cr_error *err)
{
	const struct cr_wire_thread *thread =
		cr_load_take(cursor, 1, sizeof(*thread));
	struct cr_saved_thread *to = &task->threads[task->nr_threads];
	int rc;

	if (!thread)
		return damaged(err, "contents do not fit its length");
	if (task->nr_threads == task->link->nr_threads)
		return damaged(err, "more threads than the tree has");
	rc = check_thread(task, thread, err);
	if (rc)
		return rc;
	to->thread = thread;
	to->pending =
		cr_load_take(cursor, thread->nr_pending, sizeof(*to->pending));
	if (to->pending)
		to->xstate = cr_load_take(cursor, thread->xstate_length, 1);
	if (to->xstate)
		to->groups = cr_load_take(cursor, thread->nr_groups,
					  sizeof(*to->groups));
	if (!to->groups)
		return damaged(err, "contents do not fit its length");
	task->nr_threads++;
	return 0;
}

static int load_one(struct cr_saved_task *task, int type,
		    struct cr_load_cursor *cursor, struct cr_error *err)
{
	switch (type) {
	case CR_RECORD_TASK:
		return load_task(task, cursor, err);
	case CR_RECORD_MM:
		return load_mm(task, cursor, err);
	case CR_RECORD_VMAS:
		return load_vmas(task, cursor, err);
	case CR_RECORD_FDS:
		return load_fds(task, cursor, err);
	case CR_RECORD_SIGNALS:
		return load_signals(task, cursor, err);
	case CR_RECORD_TIMERS:
		return load_timers(task, cursor, err);
	case CR_RECORD_LOCKS:
		return load_locks(task, cursor, err);
	case CR_RECORD_THREAD:
		return load_thread(task, cursor, err);
	default:
		return damaged(err, "record in a wrong place");
	}
}

int cr_load_finish_task(struct cr_loader *loader, struct cr_error *err)
{
	const struct cr_saved_task *task;

	if (loader->nr_started == 0)
		return 0;
	task = &loader->saved->tasks[loader->nr_started - 1];
	if (task->link->flags & CR_LINK_F_ZOMBIE)
		return 0;
	if (!task->mm || !task->signals ||
	    task->nr_threads != task->link->nr_threads)
		return cr_error_set(err, -EBADMSG,
				    "vpid %u: records are missing",
				    task->link->vpid);
	return 0;
}

/* The next task begins. */
static int start_task(struct cr_loader *loader, struct cr_error *err)
{
	int rc = cr_load_finish_task(loader, err);

	if (rc)
		return rc;
	if (loader->nr_started == loader->saved->nr_tasks)
		return damaged(err, "more tasks than the tree has");
	loader->nr_started++;
	loader->seen = 0;
	return 0;
}

int cr_load_task_record(struct cr_loader *loader,
			const struct cr_record *record,
			struct cr_load_cursor *cursor, struct cr_error *err)
{
	uint32_t bit = 1u << record->type;
	struct cr_saved_task *task;
	int rc = 0;

	if (record->type == CR_RECORD_TASK)
		rc = start_task(loader, err);
	if (rc)
		return rc;
	if (loader->nr_started == 0)
		return damaged(err, "record in front of its task");
	task = &loader->saved->tasks[loader->nr_started - 1];
	if (record->vpid != task->link->vpid)
		return cr_error_set(err, -EBADMSG,
				    "vpid %u where %u is expected",
				    record->vpid, task->link->vpid);
	if (record->type != CR_RECORD_TASK &&
	    (task->link->flags & CR_LINK_F_ZOMBIE))
		return damaged(err, "record of a zombie");
	if ((loader->seen & bit) && record->type != CR_RECORD_THREAD)
		return damaged(err, "second record of its type");
	loader->seen |= bit;
	return load_one(task, record->type, cursor, err);
}
