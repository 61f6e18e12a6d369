/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_worker.c - do what may block, crash or take long in a process of its
 * own, and hear of it in the event loop
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"
#include "cr_write.h"

#define KILL_TIMEOUT_MS 1000

struct agent_worker {
	struct agent *agent;
	const char *name;
	agent_done_fn done;
	struct event *event;
	int result_fd, pidfd;
	unsigned int timeout_ms;
	atomic_uint *steps; /* shared with it: agent_worker_get_on() */
	unsigned int nr_seen; /* of them, when it was looked at last */
	size_t received;
	/* the result, then the pids */
	struct {
		struct agent_result result;
		pid_t pids[CR_STEP_RANKS_MAX];
	} reply;
};

/* In the worker: where it reports; -1 once it has. */
static int report_fd = -1;
static uint32_t nr_pids;
static atomic_uint *own_steps;

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void agent_close_others(const int *keep, size_t nr_keep)
{
	int sorted[4 * CR_STEP_RANKS_MAX + 16];
	unsigned int from = 3;
	size_t nr = 0;

	for (size_t i = 0; i < nr_keep; i++)
		if (keep[i] >= 3 && nr < sizeof(sorted) / sizeof(*sorted))
			sorted[nr++] = keep[i];
	qsort(sorted, nr, sizeof(*sorted), compare);
	for (size_t i = 0; i < nr; i++) {
		if ((unsigned int)sorted[i] > from)
			close_range(from, (unsigned int)sorted[i] - 1, 0);
		from = (unsigned int)sorted[i] + 1;
	}
	close_range(from, ~0U, 0);
}

void agent_worker_report(const struct agent_result *result, const pid_t *pids)
{
	if (report_fd < 0)
		return;
	/* nobody to tell it to: the agent has gone */
	cr_write_all(report_fd, result, sizeof(*result));
	if (pids)
		cr_write_all(report_fd, pids, nr_pids * sizeof(*pids));
	close(report_fd);
	report_fd = -1;
}

void agent_worker_get_on(void)
{
	if (own_steps)
		atomic_fetch_add(own_steps, 1);
}

static void __attribute__((noreturn))
run(struct agent *agent, const char *name, agent_work_fn work, const int *keep,
    size_t nr_keep)
{
	struct agent_result result;
	int all[4 * CR_STEP_RANKS_MAX + 16];

	if (nr_keep > 4 * CR_STEP_RANKS_MAX + 8)
		_exit(1);
	memcpy(all, keep, nr_keep * sizeof(*keep));
	all[nr_keep] = report_fd;
	agent_close_others(all, nr_keep + 1);
	signal(SIGCHLD, SIG_DFL);
	prctl(PR_SET_NAME, name);
	nr_pids = agent->step->nr_local_ranks;
	memset(&result, 0, sizeof(result));
	work(agent, &result);
	agent_worker_report(&result, NULL);
	_exit(0);
}

static void destroy(struct agent_worker *worker)
{
	if (worker->event)
		event_free(worker->event);
	close(worker->result_fd);
	if (worker->pidfd >= 0)
		close(worker->pidfd);
	if (worker->steps != MAP_FAILED)
		munmap(worker->steps, sizeof(*worker->steps));
	free(worker);
}

/* Until it is gone it may still trace the tree. */
static void kill_and_wait(int pidfd)
{
	struct pollfd pollfd = { .fd = pidfd, .events = POLLIN };

	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	poll(&pollfd, 1, KILL_TIMEOUT_MS);
}

void agent_worker_cancel(struct agent_worker *worker)
{
	if (!worker)
		return;
	if (worker->pidfd >= 0)
		kill_and_wait(worker->pidfd);
	destroy(worker);
}

static void finish(struct agent_worker *worker, int is_timeout)
{
	struct agent_result *result = &worker->reply.result;

	if (is_timeout) {
		kill_and_wait(worker->pidfd);
		memset(result, 0, sizeof(*result));
		cr_error_set(&result->err, -ETIMEDOUT,
			     "%s has come no further within %g s", worker->name,
			     worker->timeout_ms / 1000.0);
	} else if (worker->received < sizeof(*result)) {
		memset(result, 0, sizeof(*result));
		cr_error_set(&result->err, -ECANCELED, "%s has died",
			     worker->name);
	}
	result->err.text[sizeof(result->err.text) - 1] = '\0';
	worker->done(worker->agent, result);
	destroy(worker);
}

static int has_got_on(struct agent_worker *worker)
{
	const unsigned int nr = atomic_load(worker->steps);

	if (nr == worker->nr_seen)
		return 0;
	worker->nr_seen = nr;
	return 1;
}

static void readable(evutil_socket_t fd, short what, void *arg)
{
	struct agent_worker *worker = arg;
	ssize_t n;

	if (what & EV_TIMEOUT) {
		/* the event persists, and so does its timeout */
		if (!has_got_on(worker))
			finish(worker, 1);
		return;
	}
	n = read(fd, (char *)&worker->reply + worker->received,
		 sizeof(worker->reply) - worker->received);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0)
		worker->received += (size_t)n;
	else
		finish(worker, 0);
}

const pid_t *agent_worker_pids(const struct agent_result *result)
{
	return (const pid_t *)(result + 1);
}

/* One that cannot be killed for sure may go on when it is thought dead, and
 * end the tree.  -ESRCH: it has ended by now. */
static int watch(struct agent_worker *worker, pid_t pid, struct cr_error *err)
{
	const struct timeval timeout = { worker->timeout_ms / 1000,
					 worker->timeout_ms % 1000 * 1000L };

	worker->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (worker->pidfd < 0 && errno != ESRCH)
		return cr_error_errno(err, "watch %s", worker->name);
	fcntl(worker->result_fd, F_SETFL, O_NONBLOCK);
	worker->event = event_new(worker->agent->base, worker->result_fd,
				  EV_READ | EV_PERSIST, readable, worker);
	if (!worker->event ||
	    event_add(worker->event, worker->timeout_ms ? &timeout : NULL) < 0)
		return cr_error_set(err, -ENOMEM, "watch %s: no memory",
				    worker->name);
	return 0;
}

/* With a pipe for its result, whose other end is *@report_fdp. */
static struct agent_worker *create(struct cr_error *err, int *report_fdp)
{
	struct agent_worker *worker = calloc(1, sizeof(*worker));
	int fds[2];

	if (!worker || pipe2(fds, O_CLOEXEC) < 0) {
		cr_error_errno(err, "a worker");
		free(worker);
		return NULL;
	}
	worker->result_fd = fds[0];
	worker->pidfd = -1;
	worker->steps =
		mmap(NULL, sizeof(*worker->steps), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (worker->steps == MAP_FAILED) {
		cr_error_errno(err, "a worker");
		close(fds[1]);
		destroy(worker);
		return NULL;
	}
	*report_fdp = fds[1];
	return worker;
}

struct agent_worker *agent_worker_start(struct agent *agent, const char *name,
					agent_work_fn work, agent_done_fn done,
					unsigned int timeout_ms,
					const int *keep, size_t nr_keep,
					struct cr_error *err)
{
	struct agent_worker *worker;
	pid_t pid;
	int fd;

	worker = create(err, &fd);
	if (!worker)
		return NULL;
	worker->agent = agent;
	worker->name = name;
	worker->done = done;
	worker->timeout_ms = timeout_ms;
	pid = fork();
	if (pid == 0) {
		report_fd = fd;
		own_steps = worker->steps;
		run(agent, name, work, keep, nr_keep);
	}
	if (pid < 0)
		cr_error_errno(err, "fork %s", name);
	close(fd);
	if (pid > 0 && !watch(worker, pid, err))
		return worker;
	if (pid > 0)
		kill(pid, SIGKILL);
	destroy(worker);
	return NULL;
}
