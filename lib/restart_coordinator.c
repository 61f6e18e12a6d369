/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_coordinator.c - run the restart protocol from outside the tree
 *
 * The only place that changes the state of a restart: on messages of the
 * tasks, on their deaths (a pidfd each), and when time is up.  The tables are
 * in kernel/restart_fsm.c; here is who is told and who is killed.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "restart_ctx.h"

#define NSEC_PER_MSEC 1000000ull
#define MAX_EVENTS 64
#define SOCKET_KEY UINT64_MAX /* in epoll data; else index of the process */
#define END_MS 5000 /* for killed tasks to be gone */

struct process {
	enum cr_task_state state;
	pid_t pid; /* as we see it */
	int pidfd;
};

/* What comes with a message. */
struct sender {
	pid_t pid; /* as we see it */
	int fd; /* or -1; closed unless somebody takes it */
};

struct coordinator {
	struct cr_restarter *restarter;
	struct process *processes; /* as plan->processes */
	pid_t *children; /* pids of the first plan->nr_roots processes; 0 for
			  * those that have been reaped: they may be another's
			  */
	int epoll;
	size_t nr_expected; /* processes that are to join */
	size_t nr_joined, nr_at_gate, nr_dead;
	size_t nr_turns; /* given so far */
	size_t nr_live, nr_to_die;
	uint64_t deadline_ns;
	struct cr_error *err; /* the first one */
};

uint64_t cr_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void set_word(volatile uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Whoever waits for a turn that will not come looks at the state first. */
static void wake_all(const struct cr_restarter *restarter)
{
	for (size_t i = 0; i < restarter->saved->nr_tasks; i++)
		set_word(&restarter->turns[i], 1);
}

/* Move on.  An event that the table does not know is our own mistake. */
static void happen(struct coordinator *c, enum cr_restart_event event)
{
	struct cr_restart_ctx *ctx = c->restarter->ctx;
	int next = cr_restart_next((enum cr_restart_state)ctx->state, event);

	if (next < 0) {
		if (!c->err->code)
			cr_error_set(c->err, -EPROTO,
				     "event %d in restart state %s", event,
				     cr_restart_state_name(ctx->state));
		next = CR_RESTART_FAILED;
	}
	if ((uint32_t)next == ctx->state)
		return;
	set_word(&ctx->state, (uint32_t)next);
	if (next == CR_RESTART_FAILED)
		wake_all(c->restarter);
}

static void fail(struct coordinator *c, enum cr_restart_event event, int code,
		 const char *what, uint32_t vpid)
{
	if (!c->err->code)
		cr_error_set(c->err, code, "vpid %u %s", vpid, what);
	happen(c, event);
}

static uint32_t vpid_of(const struct coordinator *c, size_t index)
{
	const struct cr_plan_process *plan =
		&c->restarter->plan->processes[index];

	return plan->vpid ? plan->vpid :
			    c->restarter->highest_vpid + 1 + (uint32_t)index;
}

static long find_process(const struct coordinator *c, uint32_t vpid)
{
	for (size_t i = 0; i < c->restarter->plan->nr; i++)
		if (vpid_of(c, i) == vpid)
			return (long)i;
	return -1;
}

static int step_task(struct coordinator *c, size_t index,
		     enum cr_task_event event)
{
	struct process *process = &c->processes[index];
	int next = cr_task_next(process->state, event);

	if (next < 0) {
		fail(c, CR_EV_TASK_FAILED, next,
		     next == -EBUSY ? "has joined twice" :
				      "is at the wrong step of the restart",
		     vpid_of(c, index));
		return next;
	}
	process->state = (enum cr_task_state)next;
	return 0;
}

/* The next task in saved order, or all of that is done. */
static void pass_turn(struct coordinator *c)
{
	const size_t turn = c->nr_turns++;
	const struct cr_plan *plan = c->restarter->plan;

	if (turn == c->restarter->saved->nr_tasks) {
		happen(c, CR_EV_ALL_RESTORED);
		return;
	}
	for (size_t i = 0; i < plan->nr; i++)
		if (plan->processes[i].task == (long)turn)
			step_task(c, i, CR_TASK_EV_TURN);
	set_word(&c->restarter->turns[turn], 1);
}

/* Hear of the end of process @index; takes @pidfd. */
static void watch(struct coordinator *c, size_t index, int pidfd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = index };

	if (c->processes[index].pidfd >= 0) {
		close(pidfd);
		return;
	}
	c->processes[index].pidfd = pidfd;
	if (pidfd < 0 || epoll_ctl(c->epoll, EPOLL_CTL_ADD, pidfd, &event) < 0)
		fail(c, CR_EV_TASK_DIED, -ECANCELED, "died during the restart",
		     vpid_of(c, index));
}

static void joined(struct coordinator *c, size_t index, pid_t pid)
{
	struct process *process = &c->processes[index];

	if (step_task(c, index, CR_TASK_EV_JOIN) < 0)
		return;
	process->pid = pid;
	if (process->pidfd < 0) /* its creator has not told us yet */
		watch(c, index, (int)syscall(SYS_pidfd_open, pid, 0));
	if (++c->nr_joined == c->nr_expected) {
		happen(c, CR_EV_ALL_JOINED);
		pass_turn(c);
	}
}

static void check_all_at_gate(struct coordinator *c)
{
	if (c->nr_at_gate == c->nr_live && c->nr_dead == c->nr_to_die &&
	    c->restarter->ctx->state == CR_RESTART_SETTLE)
		happen(c, CR_EV_ALL_AT_GATE);
}

static void failed(struct coordinator *c,
		   const struct cr_restart_message *message)
{
	if (c->err->code)
		return;
	if (message->step)
		cr_error_set(c->err, message->code, "vpid %u: %s (%#llx): %s",
			     message->vpid, cr_step_text(message->step - 1),
			     (unsigned long long)message->address,
			     strerror(-message->code));
	else
		cr_error_set(c->err, message->code, "%.*s",
			     (int)sizeof(message->text), message->text);
	happen(c, CR_EV_TASK_FAILED);
}

static void handle(struct coordinator *c,
		   const struct cr_restart_message *message,
		   struct sender *sender)
{
	long index;

	if (message->event == CR_MESSAGE_FAILED) {
		failed(c, message);
		return;
	}
	index = find_process(c, message->vpid);
	if (index < 0) {
		fail(c, CR_EV_TASK_FAILED, -ESRCH, "is none of the tree",
		     message->vpid);
		return;
	}
	switch (message->event) {
	case CR_TASK_EV_JOIN:
		joined(c, (size_t)index, sender->pid);
		break;
	case CR_MESSAGE_BORN:
		watch(c, (size_t)index, sender->fd);
		sender->fd = -1;
		break;
	case CR_TASK_EV_RESTORED:
		if (step_task(c, (size_t)index, CR_TASK_EV_RESTORED) == 0)
			pass_turn(c);
		break;
	case CR_TASK_EV_GATE:
		if (step_task(c, (size_t)index, CR_TASK_EV_GATE) == 0)
			c->nr_at_gate++;
		break;
	default:
		fail(c, CR_EV_TASK_FAILED, -EPROTO, "sent what nobody knows",
		     message->vpid);
	}
}

static void read_sender(struct msghdr *header, struct sender *sender)
{
	struct cmsghdr *cmsg;
	struct ucred cred;

	for (cmsg = CMSG_FIRSTHDR(header); cmsg;
	     cmsg = CMSG_NXTHDR(header, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET)
			continue;
		if (cmsg->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&cred, CMSG_DATA(cmsg), sizeof(cred));
			sender->pid = cred.pid;
		} else if (cmsg->cmsg_type == SCM_RIGHTS) {
			memcpy(&sender->fd, CMSG_DATA(cmsg), sizeof(int));
		}
	}
}

/* One message and who sent it, as the kernel says.  0: none is there. */
static int receive(struct coordinator *c)
{
	char control[CMSG_SPACE(sizeof(struct ucred)) +
		     CMSG_SPACE(sizeof(int))];
	struct cr_restart_message message;
	struct iovec iov = { &message, sizeof(message) };
	struct msghdr header = { .msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control) };
	struct sender sender = { .fd = -1 };
	ssize_t n;

	n = recvmsg(c->restarter->coordinator_socket, &header,
		    MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return 0;
	read_sender(&header, &sender);
	if (n == (ssize_t)sizeof(message))
		handle(c, &message, &sender);
	if (sender.fd >= 0)
		close(sender.fd);
	return 1;
}

static void died(struct coordinator *c, size_t index)
{
	const struct cr_plan_process *plan =
		&c->restarter->plan->processes[index];
	struct process *process = &c->processes[index];

	epoll_ctl(c->epoll, EPOLL_CTL_DEL, process->pidfd, NULL);
	if (plan->kind == CR_PLAN_LIVE ||
	    c->restarter->ctx->state != CR_RESTART_SETTLE) {
		fail(c, CR_EV_TASK_DIED, -ECANCELED, "died during the restart",
		     vpid_of(c, index));
		return;
	}
	process->state = CR_TASK_DEAD;
	c->nr_dead++;
	if (plan->creator == CR_PLAN_COORDINATOR &&
	    plan->task == CR_PLAN_HELPER) {
		waitpid(c->children[index], NULL, __WALL);
		c->children[index] = 0;
	}
}

/*
 * Messages first: who dies of an error has told it before.  What they lead to
 * is looked at here, since nobody may have anything to say afterwards.
 */
static void hear(struct coordinator *c, int timeout_ms)
{
	struct epoll_event events[MAX_EVENTS];
	int n = epoll_wait(c->epoll, events, MAX_EVENTS, timeout_ms);

	while (receive(c))
		;
	for (int i = 0; i < n; i++)
		if (events[i].data.u64 != SOCKET_KEY)
			died(c, events[i].data.u64);
	check_all_at_gate(c);
}

static int is_late(struct coordinator *c, uint64_t now)
{
	if (now < c->deadline_ns)
		return 0;
	if (!c->err->code)
		cr_error_set(c->err, -ETIMEDOUT,
			     "%zu of %zu tasks joined, %zu of %zu came to the "
			     "gate in time",
			     c->nr_joined, c->nr_expected, c->nr_at_gate,
			     c->nr_live);
	happen(c, CR_EV_TIMEOUT);
	return 1;
}

static void wait_events(struct coordinator *c)
{
	uint64_t now = cr_now_ns();

	if (is_late(c, now))
		return;
	hear(c, (int)((c->deadline_ns - now) / NSEC_PER_MSEC) + 1);
}

static int open_coordinator(struct coordinator *c)
{
	const struct cr_plan *plan = c->restarter->plan;
	struct epoll_event watch = { .events = EPOLLIN,
				     .data.u64 = SOCKET_KEY };

	c->processes = calloc(plan->nr, sizeof(*c->processes));
	c->children = calloc(plan->nr_roots + 1, sizeof(pid_t));
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!c->processes || !c->children || c->epoll < 0 ||
	    epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->restarter->coordinator_socket,
		      &watch) < 0)
		return cr_error_errno(c->err, "coordinating a restart");
	for (size_t i = 0; i < plan->nr; i++) {
		c->processes[i].pidfd = -1;
		c->nr_expected += plan->processes[i].kind != CR_PLAN_TEMP;
		c->nr_live += plan->processes[i].kind == CR_PLAN_LIVE;
	}
	c->nr_to_die = c->nr_expected - c->nr_live;
	return 0;
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
				fail(c, CR_EV_TASK_DIED, -ECANCELED,
				     "died during the restart",
				     vpid_of(c, index));
			return;
		}
		if (!is_late(c, cr_now_ns()))
			hear(c, 1);
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
				     vpid_of(c, i), strerror((int)-pid));
			happen(c, CR_EV_TASK_FAILED);
			return;
		}
		c->children[i] = (pid_t)pid;
		if (plan->processes[i].kind == CR_PLAN_TEMP)
			close(pidfd);
		else
			watch(c, i, pidfd);
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
		while (receive(c))
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
		hear(c, 0); /* one may die between gate and rest */
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
	happen(&c, CR_EV_TREE_READ);
	make_roots(&c);
	while (restarter->ctx->state < CR_RESTART_RELEASE)
		wait_events(&c);
	wait_parked(&c);
	note_pids(&c, pids);
	if (restarter->ctx->state == CR_RESTART_RELEASE &&
	    cr_restart_finish(restarter, pids, err) < 0) {
		if (err->code == -ESRCH) /* ptrace's way to say: killed */
			err->code = -ECANCELED;
		happen(&c, CR_EV_TASK_FAILED);
	}
	if (restarter->ctx->state == CR_RESTART_RELEASE)
		happen(&c, CR_EV_RELEASED);
	if (restarter->ctx->state != CR_RESTART_DONE) {
		end_all(&c);
		rc = err->code ? err->code : -ECANCELED;
	}
out:
	close_coordinator(&c);
	return rc;
}
