/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_birth.c - processes are born with the pids that they were saved with
 *
 * In the order that the plan says, so that sessions, groups, terminals and
 * parents are those of the saved tree.
 */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cr_fault.h"
#include "cr_namespace.h"
#include "restart_birth.h"

/* A number stays taken for a moment after its task is gone: since Linux 6.15
 * release_task() frees it outside of tasklist_lock (0.4 ms were seen). */
#define FREE_TRIES 20
#define FREE_LATER_US 1000

void cr_birth_fail(const struct cr_birth *birth, const struct cr_error *err)
{
	cr_restart_send(birth->restarter, CR_MESSAGE_FAILED, birth->vpid, err);
	_exit(1);
}

const struct cr_wire_link *cr_birth_link(const struct cr_restarter *restarter,
					 const struct cr_plan_process *plan)
{
	return plan->task == CR_PLAN_HELPER ?
		       NULL :
		       &restarter->saved->links[plan->task];
}

static uint64_t exit_signal_of(const struct cr_restarter *restarter,
			       const struct cr_plan_process *plan)
{
	const struct cr_saved_task *task;

	if (plan->task == CR_PLAN_HELPER)
		return 0; /* nobody shall hear of its end */
	task = &restarter->saved->tasks[plan->task];
	return task->task && task->task->exit_signal <= 64 ?
		       task->task->exit_signal :
		       SIGCHLD;
}

long cr_restart_fork(struct cr_restarter *restarter, size_t index, int *pidfdp)
{
	const struct cr_plan_process *plan = &restarter->plan->processes[index];
	pid_t vpid = (pid_t)cr_restart_vpid(restarter, index);
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)pidfdp,
		.exit_signal = exit_signal_of(restarter, plan),
		.set_tid = (uint64_t)&vpid,
		.set_tid_size = 1,
	};
	long pid = -1;

	if (cr_fault_at(CR_FAULT_FORK, index))
		return -errno;
	for (int i = 0; i < FREE_TRIES; i++) {
		pid = syscall(SYS_clone3, &args, sizeof(args));
		if (pid == 0)
			cr_restart_process(restarter, index);
		if (pid > 0 || errno != EEXIST)
			break;
		usleep(FREE_LATER_US);
	}
	return pid < 0 ? -errno : pid;
}

/*
 * So that the coordinator hears of the child's death from the first moment:
 * its parent may be gone by then (a TEMP) or busy.
 */
static void tell_birth(const struct cr_birth *birth, uint32_t vpid, int pidfd)
{
	struct cr_restart_message message = { .event = CR_MESSAGE_BORN,
					      .vpid = vpid };
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &message, sizeof(message) };
	struct msghdr header = { .msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &pidfd, sizeof(pidfd));
	while (sendmsg(birth->restarter->task_socket, &header, MSG_NOSIGNAL) <
		       0 &&
	       errno == EINTR)
		;
}

static void fork_children(const struct cr_birth *birth, enum cr_plan_when when)
{
	const struct cr_plan_process *plan = birth->plan, *child;
	struct cr_error err = { 0 };
	int pidfd;
	long pid;

	for (size_t i = 0; i < plan->nr_children; i++) {
		child = &birth->restarter->plan
				 ->processes[plan->first_child + i];
		if (child->when != when)
			continue;
		pid = cr_restart_fork(birth->restarter, plan->first_child + i,
				      &pidfd);
		if (pid < 0) {
			cr_error_set(&err, (int)pid, "making vpid %u: %s",
				     child->vpid, strerror((int)-pid));
			cr_birth_fail(birth, &err);
		}
		birth->children[i] = (pid_t)pid;
		if (child->kind != CR_PLAN_TEMP)
			tell_birth(birth, (uint32_t)pid, pidfd);
		close(pidfd);
	}
}

void cr_birth_reap(const struct cr_birth *birth, int temps)
{
	const struct cr_plan_process *child;
	struct cr_error err = { 0 };
	int is_temp, status;

	for (size_t i = 0; i < birth->plan->nr_children; i++) {
		child = &birth->restarter->plan
				 ->processes[birth->plan->first_child + i];
		is_temp = child->kind == CR_PLAN_TEMP;
		if (child->task != CR_PLAN_HELPER || is_temp != temps)
			continue;
		while (waitpid(birth->children[i], &status, __WALL) < 0 &&
		       errno == EINTR)
			;
		if (status == 0)
			continue;
		cr_error_set(&err, -ECANCELED,
			     "vpid %u: a helper of it died during the restart",
			     birth->vpid);
		cr_birth_fail(birth, &err);
	}
}

/* The coordinator's children start outside of the rank's cgroups and of the
 * tree's mounts. */
static void come_in(const struct cr_birth *birth)
{
	const struct cr_wire_link *link =
		cr_birth_link(birth->restarter, birth->plan);
	const struct cr_restarter_root *root =
		cr_restarter_find_root(birth->restarter,
				       link ? link->rank : CR_RANK_NONE);
	struct cr_error err = { 0 };

	if (birth->plan->creator != CR_PLAN_COORDINATOR)
		return;
	if (root && cr_cgroups_join(&root->cgroups, &err) < 0)
		cr_birth_fail(birth, &err);
	if (birth->restarter->namespace_fd >= 0 &&
	    cr_namespace_enter_mounts(birth->restarter->namespace_fd, &err) < 0)
		cr_birth_fail(birth, &err);
}

int cr_restart_dies_with_creator(const struct cr_restarter *restarter,
				 const struct cr_plan_process *plan)
{
	return plan->creator == CR_PLAN_COORDINATOR ||
	       restarter->plan->processes[plan->creator].kind == CR_PLAN_LIVE;
}

void cr_birth_fault(const struct cr_birth *birth, size_t index)
{
	const struct cr_restart_options *options = birth->restarter->options;

	if (options->fault)
		options->fault(options->fault_arg, index);
}

void cr_birth_run(const struct cr_birth *birth)
{
	const struct cr_wire_link *link =
		cr_birth_link(birth->restarter, birth->plan);
	struct cr_error err = { 0 };

	if (cr_restart_dies_with_creator(birth->restarter, birth->plan))
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (birth->plan->is_subreaper)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	come_in(birth);
	/* numbers that are taken without being asked for (threads that fill
	 * memory) must not be those that some task is about to ask for */
	if (birth->plan == birth->restarter->plan->processes)
		cr_restart_reserve_vpids(birth->restarter);
	fork_children(birth, CR_PLAN_BEFORE_SETSID);
	if (birth->plan->does_setsid)
		setsid();
	if (link && cr_restart_take_terminal(birth->restarter, link, &err) < 0)
		cr_birth_fail(birth, &err);
	fork_children(birth, CR_PLAN_AFTER_SETSID);
	if (birth->plan->makes_group)
		setpgid(0, 0);
	fork_children(birth, CR_PLAN_AFTER_SETPGID);
	if (birth->plan->kind == CR_PLAN_TEMP) {
		cr_birth_fault(birth, SIZE_MAX);
		_exit(0);
	}
	cr_birth_reap(birth, 1);
	if (link)
		cr_restart_leave_terminal(birth->restarter, link);
}
