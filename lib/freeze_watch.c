/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * freeze_watch.c - get out of a PTRACE_SEIZE that execve(2) holds up
 *
 * From its beginning until the other threads of its process are gone, execve(2)
 * holds a lock that PTRACE_SEIZE takes for any of them; and one that is traced
 * is gone only when its tracer has waited for it.  So a tracer of some threads
 * that seizes another one may wait for ever, for itself.  No signal helps: the
 * call is restarted.  A thread of ours waits for the dead ones meanwhile.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/wait.h>

#include "collect.h"

#define PATIENCE_NS 50000000

struct cr_freeze_watch {
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t ended;
	int is_ended;
	const struct cr_save_task *task; /* a thread of it is being seized */
	unsigned int nr; /* of seizures so far */
};

static void reap(const struct cr_save_task *task)
{
	siginfo_t info;

	for (size_t i = 0; i < task->nr_threads; i++)
		if (task->threads[i].is_seized)
			waitid(P_PID, (id_t)task->threads[i].tid, &info,
			       WEXITED | WNOHANG | __WALL);
}

static void *watch_seizures(void *arg)
{
	struct cr_freeze_watch *watch = arg;
	unsigned int last = 0;
	struct timespec until;

	pthread_mutex_lock(&watch->lock);
	while (!watch->is_ended) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += PATIENCE_NS;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&watch->ended, &watch->lock, &until);
		if (watch->task && watch->nr == last)
			reap(watch->task);
		last = watch->nr;
	}
	pthread_mutex_unlock(&watch->lock);
	return NULL;
}

/* Signals are for the caller's threads. */
static int start(struct cr_freeze_watch *watch)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&watch->thread, NULL, watch_seizures, watch);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static int create(struct cr_freeze_watch **watchp, struct cr_error *err)
{
	struct cr_freeze_watch *watch = calloc(1, sizeof(*watch));
	pthread_condattr_t monotonic;
	int rc;

	if (!watch)
		return cr_error_set(err, -ENOMEM, "out of memory");
	pthread_mutex_init(&watch->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&watch->ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	rc = start(watch);
	if (rc) {
		free(watch);
		return cr_error_set(err, -rc, "cannot start a thread: %s",
				    strerror(rc));
	}
	*watchp = watch;
	return 0;
}

int cr_freeze_watch_begin(struct cr_freeze_watch **watchp,
			  const struct cr_save_task *task, struct cr_error *err)
{
	int rc = *watchp ? 0 : create(watchp, err);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&(*watchp)->lock);
	(*watchp)->task = task;
	(*watchp)->nr++;
	pthread_mutex_unlock(&(*watchp)->lock);
	return 0;
}

void cr_freeze_watch_end(struct cr_freeze_watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	watch->task = NULL;
	pthread_mutex_unlock(&watch->lock);
}

void cr_freeze_watch_stop(struct cr_freeze_watch *watch)
{
	if (!watch)
		return;
	pthread_mutex_lock(&watch->lock);
	watch->is_ended = 1;
	pthread_cond_signal(&watch->ended);
	pthread_mutex_unlock(&watch->lock);
	pthread_join(watch->thread, NULL);
	pthread_cond_destroy(&watch->ended);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}
