/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_coordinator.c - run the restart protocol from outside the tree
 *
 * Forks the roots, waits until all are restored or the time is up, and then
 * lets all go, or ends all.  What tasks say and what their deaths (a pidfd
 * each) lead to is in coordinator_events.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "coordinator.h"

#define NSEC_PER_MSEC 1000000ull
#define END_MS 5000 /* for killed tasks to be gone */

uint64_t cr_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* With the module tasks come to the gate without a word to us. */
static void set_late(struct coordinator *c)
{
	if (c->restarter->device >= 0)
		cr_error_set(c->err, -ETIMEDOUT,
			     "%zu of %zu tasks joined, not all came to the "
			     "gate in time",
			     c->nr_joined, c->nr_expected);
	else
		cr_error_set(c->err, -ETIMEDOUT,
			     "%zu of %zu tasks joined, %zu of %zu came to the "
			     "gate in time",
			     c->nr_joined, c->nr_expected, c->nr_at_gate,
			     c->nr_live);
}

static int is_late(struct coordinator *c, uint64_t now)
{
	if (now < c->deadline_ns)
		return 0;
	if (!c->err->code)
		set_late(c);
	cr_coordinator_happen(c, CR_EV_TIMEOUT);
	return 1;
}

static void wait_events(struct coordinator *c)
{
	uint64_t now = cr_now_ns();

	if (is_late(c, now))
		return;
	cr_coordinator_hear(c,
			    (int)((c->deadline_ns - now) / NSEC_PER_MSEC) + 1);
}

static int open_coordinator(struct coordinator *c)
{
	const struct cr_plan *plan = c->restarter->plan;
	struct epoll_event watch = { .events = EPOLLIN,
				     .data.u64 = CR_COORDINATOR_SOCKET };

	c->processes = calloc(plan->nr, sizeof(*c->processes));
	c->children = calloc(plan->nr_roots + 1, sizeof(pid_t));
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!c->processes || !c->children || c->epoll < 0 ||
	    cr_coordinator_index(c) < 0 ||
	    epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->restarter->coordinator_socket,
		      &watch) < 0)
		return cr_error_errno(c->err, "coordinating a restart");
	for (size_t i = 0; i < plan->nr; i++) {
		c->processes[i].pidfd = -1;
		c->nr_expected += plan->processes[i].kind != CR_PLAN_TEMP;
		c->nr_live += plan->processes[i].kind == CR_PLAN_LIVE;
	}
	c->nr_to_die = c->nr_expected - c->nr_live;
	return c->restarter->device < 0 ? 0 : cr_coordinator_begin_device(c);
}

/* Messages are read meanwhile: there may be more than the socket holds. */
static void reap_temp(struct coordinator *c, size_t index)
{
	pid_t pid = c->children[index];
	int status = 0;

	while (c->restarter->ctx->state != CR_RESTART_FAILED) {
		if (waitpid(pid, &status, __WALL | WNOHANG) > 0) {
			c->children[index] = 0;
			if (status)
				cr_coordinator_lost(c, index);
			return;
		}
		if (!is_late(c, cr_now_ns()))
			cr_coordinator_hear(c, 1);
	}
}

static void make_roots(struct coordinator *c)
{
	const struct cr_plan *plan = c->restarter->plan;
	int pidfd;
	long pid;

	for (size_t i = 0; i < plan->nr_roots && !c->err->code; i++) {
		pid = cr_restart_fork(c->restarter, i, &pidfd);
		if (pid < 0) {
			cr_error_set(c->err, (int)pid, "making vpid %u: %s",
				     cr_restart_vpid(c->restarter, i),
				     strerror((int)-pid));
			cr_coordinator_happen(c, CR_EV_TASK_FAILED);
			return;
		}
		c->children[i] = (pid_t)pid;
		if (plan->processes[i].kind == CR_PLAN_TEMP)
			close(pidfd);
		else
			cr_coordinator_watch(c, i, pidfd);
	}
	for (size_t i = 0; i < plan->nr_roots; i++)
		if (plan->processes[i].kind == CR_PLAN_TEMP)
			reap_temp(c, i);
}

/* Returns how many of those that we know have not gone yet. */
static size_t kill_known(const struct coordinator *c)
{
	size_t nr_left = 0;

	for (size_t i = 0; i < c->restarter->plan->nr; i++)
		if (c->processes[i].pidfd >= 0 &&
		    syscall(SYS_pidfd_send_signal, c->processes[i].pidfd,
			    SIGKILL, NULL, 0) == 0)
			nr_left++;
	return nr_left;
}

static size_t kill_children(struct coordinator *c)
{
	size_t nr_left = 0;

	for (size_t i = 0; i < c->restarter->plan->nr_roots; i++) {
		if (c->children[i] <= 0)
			continue;
		kill(c->children[i], SIGKILL);
		if (waitpid(c->children[i], NULL, __WALL | WNOHANG) == 0)
			nr_left++;
		else
			c->children[i] = 0;
	}
	return nr_left;
}

/* No stray process: kill whom we know, and whom we hear of meanwhile.  Who has
 * not joined sees the state and ends by itself. */
static void end_all(struct coordinator *c)
{
	const uint64_t until = cr_now_ns() + END_MS * NSEC_PER_MSEC;
	size_t nr_left;

	do {
		while (cr_coordinator_receive(c))
			;
		nr_left = kill_children(c);
		nr_left += kill_known(c);
	} while (nr_left && cr_now_ns() < until && usleep(1000) == 0);
}

static void close_coordinator(struct coordinator *c)
{
	for (size_t i = 0; c->processes && i < c->restarter->plan->nr; i++)
		if (c->processes[i].pidfd >= 0)
			close(c->processes[i].pidfd);
	if (c->epoll >= 0)
		close(c->epoll);
	free(c->by_vpid);
	free(c->by_task);
	free(c->processes);
	free(c->children);
}

/* All have said that they are at the gate: wait until they do nothing more. */
static void wait_parked(struct coordinator *c)
{
	while (c->restarter->ctx->state == CR_RESTART_RELEASE &&
	       __atomic_load_n(&c->restarter->ctx->nr_parked,
			       __ATOMIC_ACQUIRE) < c->nr_live) {
		is_late(c, cr_now_ns());
		cr_coordinator_hear(c,
				    0); /* one may die between gate and rest */
		usleep(50);
	}
}

/* A zombie that is a root is our child, and its status our caller's. */
static void note_pids(const struct coordinator *c, pid_t *pids)
{
	const struct cr_plan *plan = c->restarter->plan;

	for (size_t i = 0; i < plan->nr; i++)
		if (plan->processes[i].kind == CR_PLAN_LIVE ||
		    (plan->processes[i].kind == CR_PLAN_ZOMBIE &&
		     plan->processes[i].creator == CR_PLAN_COORDINATOR))
			pids[plan->processes[i].task] = c->processes[i].pid;
}

int cr_restart_coordinate(struct cr_restarter *restarter, uint64_t deadline_ns,
			  pid_t *pids, struct cr_error *err)
{
	struct coordinator c = { .restarter = restarter,
				 .epoll = -1,
				 .deadline_ns = deadline_ns,
				 .err = err };
	int rc;

	err->code = 0;
	rc = open_coordinator(&c);
	if (rc < 0)
		goto out;
	cr_coordinator_happen(&c, CR_EV_TREE_READ);
	make_roots(&c);
	while (restarter->ctx->state < CR_RESTART_RELEASE)
		wait_events(&c);
	wait_parked(&c);
	note_pids(&c, pids);
	if (restarter->ctx->state == CR_RESTART_RELEASE &&
	    cr_restart_finish(restarter, pids, err) < 0) {
		if (err->code == -ESRCH) /* ptrace's way to say: killed */
			err->code = -ECANCELED;
		cr_coordinator_happen(&c, CR_EV_TASK_FAILED);
	}
	if (restarter->ctx->state == CR_RESTART_RELEASE)
		cr_coordinator_happen(&c, CR_EV_RELEASED);
	if (restarter->ctx->state != CR_RESTART_DONE) {
		end_all(&c);
		rc = err->code ? err->code : -ECANCELED;
	}
out:
	close_coordinator(&c);
	return rc;
}
