/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coordinator_events.c - what messages of tasks and their deaths lead to
 *
 * The only place that changes the state of a restart.  The tables are in
 * kernel/restart_fsm.c; here is who is told.
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
#include <unistd.h>

#include "coordinator.h"

#define MAX_EVENTS 64

/* What comes with a message. */
struct sender {
	pid_t pid; /* as we see it */
	int fd; /* or -1; closed unless somebody takes it */
};

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

void cr_coordinator_set_state(struct coordinator *c, uint32_t state)
{
	if (state == c->restarter->ctx->state)
		return;
	set_word(&c->restarter->ctx->state, state);
	if (state == CR_RESTART_FAILED)
		wake_all(c->restarter);
}

void cr_coordinator_happen(struct coordinator *c, enum cr_restart_event event)
{
	struct cr_restart_ctx *ctx = c->restarter->ctx;
	int next = cr_restart_next((enum cr_restart_state)ctx->state, event);

	if (c->restarter->device >= 0) {
		cr_coordinator_tell_device(c, event);
		return;
	}
	if (next < 0) {
		if (!c->err->code)
			cr_error_set(c->err, -EPROTO,
				     "event %d in restart state %s", event,
				     cr_restart_state_name(ctx->state));
		next = CR_RESTART_FAILED;
	}
	cr_coordinator_set_state(c, (uint32_t)next);
}

static void fail(struct coordinator *c, enum cr_restart_event event, int code,
		 const char *what, uint32_t vpid)
{
	if (!c->err->code)
		cr_error_set(c->err, code, "vpid %u %s", vpid, what);
	cr_coordinator_happen(c, event);
}

void cr_coordinator_lost(struct coordinator *c, size_t index)
{
	fail(c, CR_EV_TASK_DIED, -ECANCELED, "died during the restart",
	     cr_restart_vpid(c->restarter, index));
}

static int compare_vpids(const void *a, const void *b)
{
	const struct vpid_index *x = a, *y = b;

	return x->vpid < y->vpid ? -1 : x->vpid > y->vpid;
}

int cr_coordinator_index(struct coordinator *c)
{
	const struct cr_plan *plan = c->restarter->plan;

	c->by_vpid = calloc(plan->nr, sizeof(*c->by_vpid));
	c->by_task = calloc(c->restarter->saved->nr_tasks, sizeof(*c->by_task));
	if (!c->by_vpid || !c->by_task)
		return -ENOMEM;
	for (uint32_t i = 0; i < plan->nr; i++) {
		c->by_vpid[i] =
			(struct vpid_index){ cr_restart_vpid(c->restarter, i),
					     i };
		if (plan->processes[i].task != CR_PLAN_HELPER)
			c->by_task[plan->processes[i].task] = i;
	}
	qsort(c->by_vpid, plan->nr, sizeof(*c->by_vpid), compare_vpids);
	return 0;
}

static long find_process(const struct coordinator *c, uint32_t vpid)
{
	const struct vpid_index key = { .vpid = vpid }, *found;

	found = bsearch(&key, c->by_vpid, c->restarter->plan->nr, sizeof(key),
			compare_vpids);
	return found ? (long)found->index : -1;
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
		     cr_restart_vpid(c->restarter, index));
		return next;
	}
	process->state = (enum cr_task_state)next;
	return 0;
}

/* The next task in saved order, or all of that is done. */
static void pass_turn(struct coordinator *c)
{
	const size_t turn = c->nr_turns++;

	if (turn == c->restarter->saved->nr_tasks) {
		cr_coordinator_happen(c, CR_EV_ALL_RESTORED);
		return;
	}
	step_task(c, c->by_task[turn], CR_TASK_EV_TURN);
	set_word(&c->restarter->turns[turn], 1);
}

void cr_coordinator_watch(struct coordinator *c, size_t index, int pidfd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT,
				     .data.u64 = index };

	if (c->processes[index].pidfd >= 0) {
		close(pidfd);
		return;
	}
	c->processes[index].pidfd = pidfd;
	if (pidfd < 0 || epoll_ctl(c->epoll, EPOLL_CTL_ADD, pidfd, &event) < 0)
		cr_coordinator_lost(c, index);
}

static void joined(struct coordinator *c, size_t index, pid_t pid)
{
	struct process *process = &c->processes[index];

	if (step_task(c, index, CR_TASK_EV_JOIN) < 0)
		return;
	process->pid = pid;
	if (process->pidfd < 0) /* its creator has not told us yet */
		cr_coordinator_watch(c, index,
				     (int)syscall(SYS_pidfd_open, pid, 0));
	if (++c->nr_joined == c->nr_expected && c->restarter->device < 0) {
		cr_coordinator_happen(c, CR_EV_ALL_JOINED);
		pass_turn(c);
	}
}

static void check_all_at_gate(struct coordinator *c)
{
	if (c->restarter->device < 0 && c->nr_at_gate == c->nr_live &&
	    c->nr_dead == c->nr_to_die &&
	    c->restarter->ctx->state == CR_RESTART_SETTLE)
		cr_coordinator_happen(c, CR_EV_ALL_AT_GATE);
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
	cr_coordinator_happen(c, CR_EV_TASK_FAILED);
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
		cr_coordinator_watch(c, (size_t)index, sender->fd);
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
int cr_coordinator_receive(struct coordinator *c)
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

	/* by the module's word it may be further than by ours */
	if (plan->kind == CR_PLAN_LIVE ||
	    (c->restarter->ctx->state != CR_RESTART_SETTLE &&
	     (c->restarter->device < 0 ||
	      c->restarter->ctx->state != CR_RESTART_RELEASE))) {
		cr_coordinator_lost(c, index);
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
 * Messages first: who dies of an error has told it before.  And before them
 * the module's state, so that the messages are none older: in RELEASE all that
 * joined have told us their pids.  What they lead to is looked at here, since
 * nobody may have anything to say afterwards.
 */
void cr_coordinator_hear(struct coordinator *c, int timeout_ms)
{
	struct epoll_event events[MAX_EVENTS];
	int n = epoll_wait(c->epoll, events, MAX_EVENTS, timeout_ms);

	cr_coordinator_look(c);
	while (cr_coordinator_receive(c))
		;
	cr_coordinator_explain(c);
	for (int i = 0; i < n; i++)
		if (events[i].data.u64 < CR_COORDINATOR_DEVICE)
			died(c, events[i].data.u64);
	check_all_at_gate(c);
}
