/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * freeze.c - stop a whole tree
 *
 * All threads that are known are interrupted, then waited for, then looked
 * for anew, until nothing new turns up.
 *
 * A parent in vfork(2) cannot be stopped before its child has called execve(2)
 * or ended.  Then all are let go for some milliseconds and it starts over.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "collect.h"
#include "cr_fault.h"
#include "remote.h"

#define FREEZE_MS 10000u /* unless the caller says */
#define LATE_FACTOR 6 /* as long for one that works in the kernel */
#define LATE_MS 200u /* more each time it does, and for what is new then */
#define WAIT_MS 20u /* before asking why a thread does not stop */
#define RELEASE_MS 2000u /* for a thread to stop so that it can be let go */
#define VFORK_NAP_NS 2000000
#define BUSY_NAP_NS 50000000

struct freezer {
	struct cr_checkpoint *checkpoint;
	uint64_t deadline_ns;
	uint64_t limit_ns; /* of it: threads that work in the kernel defer it */
	uint64_t busy_limit_ns; /* for one that another traces */
	struct cr_late late;
	struct cr_clocks clocks;
	struct cr_freeze_watch *watch; /* NULL: not needed yet */
};

uint64_t cr_save_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void drop_thread(struct cr_save_task *task, size_t index)
{
	task->nr_threads--;
	memmove(&task->threads[index], &task->threads[index + 1],
		(task->nr_threads - index) * sizeof(task->threads[0]));
}

static int seize_thread(struct freezer *freezer,
			const struct cr_save_task *task,
			struct cr_save_thread *thread, struct cr_error *err)
{
	int rc;

	if (cr_fault(CR_FAULT_FREEZE))
		return cr_error_errno(err, "tracing thread %d", thread->tid);
	if (task->nr_threads == 1)
		return cr_trace_seize(thread->tid, err);
	rc = cr_freeze_watch_begin(&freezer->watch, task, err);
	if (rc < 0)
		return rc;
	rc = cr_trace_seize(thread->tid, err);
	cr_freeze_watch_end(freezer->watch);
	/* ours already when execve(2) made it the leader? */
	if (rc == -ESRCH && thread->tid != task->pid)
		cr_trace_interrupt_again(task->pid);
	return rc;
}

/* Interrupt what is not ours yet.  Returns 1 if that must wait for a vfork. */
static int seize_all(struct freezer *freezer, size_t *nr_newp,
		     struct cr_error *err)
{
	struct cr_checkpoint *checkpoint = freezer->checkpoint;
	int in_vfork = 0, rc;

	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		struct cr_save_task *task = checkpoint->tasks[i];

		for (size_t j = 0; j < task->nr_threads; j++) {
			struct cr_save_thread *thread = &task->threads[j];

			if (thread->is_seized)
				continue;
			cr_waiting_note(&freezer->clocks, thread);
			if (cr_waiting_in_vfork(thread)) {
				in_vfork = 1;
				continue;
			}
			rc = seize_thread(freezer, task, thread, err);
			if (rc == -ESRCH) {
				drop_thread(task, j--);
				(*nr_newp)++;
				continue;
			}
			if (rc < 0)
				return rc;
			thread->is_seized = 1;
		}
	}
	return in_vfork;
}

/* Returns 0, 1 for a vfork, -ESRCH, -ETIMEDOUT: not yet. */
static int wait_thread(struct freezer *freezer, struct cr_save_thread *thread,
		       struct cr_error *err)
{
	int rc;

	rc = cr_trace_wait(thread->tid, WAIT_MS, &thread->stop_signal, err);
	if (rc == 0) {
		thread->is_stopped = 1;
		cr_waiting_check(thread);
	} else if (rc == -ETIMEDOUT) {
		cr_waiting_note(&freezer->clocks, thread);
		if (cr_waiting_in_vfork(thread))
			return 1;
	}
	return rc;
}

/*
 * A thread that called execve(2) is the leader by now, under whose id another
 * was known, and stops (again) as such; all others of @task are gone.  Returns
 * how many are not stopped any more.
 */
static size_t doubt_stopped(struct cr_save_task *task)
{
	size_t nr_lost = 0;
	uint64_t mask;

	for (size_t j = 0; j < task->nr_threads; j++) {
		struct cr_save_thread *thread = &task->threads[j];

		if (!thread->is_stopped)
			continue;
		if (cr_trace_get_sigmask(thread->tid, &mask, NULL) < 0) {
			thread->is_stopped = 0;
			nr_lost++;
		} else {
			cr_trace_wait(thread->tid, 0, &thread->stop_signal,
				      NULL);
		}
	}
	return nr_lost;
}

/* Those of one task; *@nr_latep counts the ones that do not stop yet. */
static int wait_task(struct freezer *freezer, struct cr_save_task *task,
		     size_t *nr_newp, size_t *nr_latep, struct cr_error *err)
{
	for (size_t j = 0; j < task->nr_threads; j++) {
		struct cr_save_thread *thread = &task->threads[j];
		int rc;

		if (!thread->is_seized || thread->is_stopped)
			continue;
		rc = wait_thread(freezer, thread, err);
		if (rc == -ESRCH) {
			drop_thread(task, j--);
			(*nr_newp)++;
		} else if (rc == -ETIMEDOUT) {
			(*nr_latep)++;
			doubt_stopped(task);
		} else if (rc) {
			return rc;
		}
	}
	return 0;
}

/* A thread does not stop yet: has it had its time? */
static int is_too_late(struct freezer *freezer)
{
	const uint64_t now_ns = cr_save_now_ns();

	cr_late_note(freezer->checkpoint, &freezer->late);
	if (now_ns < freezer->deadline_ns)
		return 0;
	if (now_ns >= freezer->limit_ns || !cr_late_works(&freezer->late))
		return 1;
	freezer->deadline_ns = now_ns + LATE_MS * 1000000ull;
	return 0;
}

/* One that was late has stopped, perhaps at the last moment: what it has made
 * meanwhile must be looked for, and stopped, too. */
static void allow_for_new(struct freezer *freezer)
{
	const uint64_t now_ns = cr_save_now_ns();
	const uint64_t end_ns = now_ns + LATE_MS * 1000000ull;

	if (now_ns < freezer->limit_ns && freezer->deadline_ns < end_ns)
		freezer->deadline_ns = end_ns;
}

/*
 * Again and again: a thread in execve(2) stops only when all others of its
 * process have ended and their tracer, we, has been told so.
 */
static int wait_all(struct freezer *freezer, size_t *nr_newp,
		    struct cr_error *err)
{
	struct cr_checkpoint *checkpoint = freezer->checkpoint;
	size_t nr_late, was_late = 0;
	int rc;

	do {
		nr_late = 0;
		for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
			rc = wait_task(freezer, checkpoint->tasks[i], nr_newp,
				       &nr_late, err);
			if (rc)
				return rc;
		}
		if (nr_late && is_too_late(freezer))
			return cr_late_explain(checkpoint, err);
		was_late |= nr_late;
	} while (nr_late);
	if (was_late)
		allow_for_new(freezer);
	return 0;
}

/* Let go those that have not been waited for; returns how many did not stop. */
static size_t release_late(struct cr_checkpoint *checkpoint)
{
	size_t nr_left = 0;
	int waited;

	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		struct cr_save_task *task = checkpoint->tasks[i];

		for (size_t j = 0; j < task->nr_threads; j++) {
			struct cr_save_thread *thread = &task->threads[j];

			if (!thread->is_seized)
				continue;
			waited = cr_trace_wait(thread->tid, WAIT_MS,
					       &thread->stop_signal, NULL);
			if (waited == 0)
				cr_trace_release(thread->tid);
			if (waited == -ETIMEDOUT)
				nr_left++;
			else
				thread->is_seized = 0;
		}
	}
	return nr_left;
}

/*
 * Let all go.  Only a stopped thread can be let go, and one may not stop
 * before another has been let go: so they are gone through again and again.
 * Returns -ETIMEDOUT if one never stopped.
 */
static int release_all(struct cr_checkpoint *checkpoint)
{
	uint64_t limit_ns = cr_save_now_ns() + RELEASE_MS * 1000000ull;
	size_t nr_left;

	cr_thaw(checkpoint, NULL);
	do
		nr_left = release_late(checkpoint);
	while (nr_left && cr_save_now_ns() < limit_ns);
	cr_forget_tasks(checkpoint);
	return nr_left ? -ETIMEDOUT : 0;
}

/* Once nothing new turns up; *@nr_newp counts what has run since. */
static int leave_vdso(struct cr_checkpoint *checkpoint, size_t *nr_newp,
		      struct cr_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < checkpoint->nr_tasks && rc == 0; i++)
		rc = cr_leave_vdso(checkpoint->tasks[i], nr_newp, err);
	return rc;
}

/* One attempt.  Returns 0, 1 if a vfork is under way, or an error. */
static int freeze_once(struct freezer *freezer, struct cr_error *err)
{
	size_t nr_new;
	int rc;

	do {
		rc = cr_discover(freezer->checkpoint, &nr_new, err);
		if (rc < 0)
			return rc;
		rc = seize_all(freezer, &nr_new, err);
		if (rc)
			return rc;
		rc = wait_all(freezer, &nr_new, err);
		if (rc)
			return rc;
		for (size_t i = 0; i < freezer->checkpoint->nr_tasks; i++)
			nr_new += doubt_stopped(freezer->checkpoint->tasks[i]);
		rc = nr_new ? 0 : leave_vdso(freezer->checkpoint, &nr_new, err);
		if (rc < 0)
			return rc;
		if (nr_new && cr_save_now_ns() >= freezer->deadline_ns)
			return cr_error_set(err, -ETIMEDOUT,
					    "the tree grows faster than it can "
					    "be stopped");
	} while (nr_new > 0);
	return 0;
}

/* May one that failed so be tried again? */
static int is_passing(const struct freezer *freezer, int rc)
{
	const uint64_t now_ns = cr_save_now_ns();

	switch (rc) {
	case -EAGAIN: /* a thread in the vdso */
		return now_ns < freezer->deadline_ns;
	case -EBUSY: /* somebody who only has a look, with gdb, say */
		return now_ns < freezer->busy_limit_ns;
	default:
		return rc >= 0;
	}
}

/* Until no vfork(2) is under way, no thread stays in the vdso, and nobody else
 * traces one. */
static int freeze_patiently(struct freezer *freezer, struct cr_error *err)
{
	struct cr_error why = { 0 }; /* of what may work when tried again */
	int rc;

	for (;;) {
		struct timespec nap = { 0, VFORK_NAP_NS };

		freezer->checkpoint->frozen_at_ns = cr_save_now_ns();
		rc = freeze_once(freezer, &why);
		if (rc == 0)
			return 0;
		if (release_all(freezer->checkpoint) < 0 && rc > 0)
			freezer->deadline_ns = 0;
		if (rc > 0 && cr_save_now_ns() >= freezer->deadline_ns)
			rc = cr_error_set(&why, -ETIMEDOUT,
					  "a vfork(2) does not end");
		if (!is_passing(freezer, rc))
			return cr_error_set(err, rc, "%s", why.text);
		if (rc == -EBUSY)
			nap.tv_nsec = BUSY_NAP_NS;
		nanosleep(&nap, NULL);
	}
}

int cr_freeze(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	unsigned int timeout_ms = checkpoint->options.timeout_ms;
	struct freezer freezer = { .checkpoint = checkpoint };
	int rc;

	if (!timeout_ms)
		timeout_ms = FREEZE_MS;
	freezer.deadline_ns = cr_save_now_ns() + timeout_ms * 1000000ull;
	freezer.limit_ns =
		cr_save_now_ns() + timeout_ms * 1000000ull * LATE_FACTOR;
	freezer.busy_limit_ns =
		cr_save_now_ns() + checkpoint->options.patience_ms * 1000000ull;
	rc = freeze_patiently(&freezer, err);
	cr_freeze_watch_stop(freezer.watch);
	checkpoint->is_frozen = rc == 0;
	return rc;
}
