/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * freeze_end.c - let a frozen tree go, or end it
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "collect.h"
#include "remote.h"

#define END_MS 10000u
#define REAP_MS 2000u

int cr_thaw(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		struct cr_save_task *task = checkpoint->tasks[i];

		cr_remote_close(task->remote);
		task->remote = NULL;
		for (size_t j = 0; j < task->nr_threads; j++) {
			struct cr_save_thread *thread = &task->threads[j];
			int failed;

			if (!thread->is_stopped)
				continue;
			failed = cr_trace_release(thread->tid);
			/* it may have been killed meanwhile: that is fine */
			if (failed < 0 && failed != -ESRCH && rc == 0)
				rc = cr_error_set(err, failed,
						  "letting thread %d go: %s",
						  thread->tid,
						  strerror(-failed));
			thread->is_stopped = 0;
			thread->is_seized = 0;
		}
	}
	checkpoint->is_frozen = 0;
	return rc;
}

/* As tracer we are told of each thread's end, the leader's last. */
static int wait_end(pid_t tid, uint64_t deadline_ns)
{
	const struct timespec nap = { 0, 200000 };
	int status;

	for (;;) {
		pid_t got = waitpid(tid, &status, __WALL | WNOHANG);

		if (got < 0 && errno != EINTR)
			return 0; /* ECHILD: told already */
		if (got == tid && !WIFSTOPPED(status))
			return 0;
		if (cr_save_now_ns() >= deadline_ns)
			return -ETIMEDOUT;
		if (got <= 0)
			nanosleep(&nap, NULL);
	}
}

/* Whoever adopts the children of ended tasks reaps them soon; until then their
 * pids are taken.  If not, they are zombies and do no harm. */
static void wait_reaped(pid_t pid, uint64_t deadline_ns)
{
	const struct timespec nap = { 0, 1000000 };

	while (kill(pid, 0) == 0 && cr_save_now_ns() < deadline_ns)
		nanosleep(&nap, NULL);
}

int cr_end(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	uint64_t deadline_ns = cr_save_now_ns() + END_MS * 1000000ull;

	for (size_t i = 0; i < checkpoint->nr_tasks; i++)
		if (!checkpoint->tasks[i]->is_zombie)
			kill(checkpoint->tasks[i]->pid, SIGKILL);
	checkpoint->is_frozen = 0;
	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		struct cr_save_task *task = checkpoint->tasks[i];

		for (size_t j = task->nr_threads; j-- > 0;)
			if (wait_end(task->threads[j].tid, deadline_ns) < 0)
				return cr_error_set(err, -ETIMEDOUT,
						    "process %d does not end",
						    task->pid);
		for (size_t j = 0; j < task->nr_threads; j++)
			task->threads[j].is_stopped = 0;
	}
	deadline_ns = cr_save_now_ns() + REAP_MS * 1000000ull;
	for (size_t i = 0; i < checkpoint->nr_tasks; i++)
		if (checkpoint->tasks[i]->link.rank == CR_RANK_NONE)
			wait_reaped(checkpoint->tasks[i]->pid, deadline_ns);
	return 0;
}
