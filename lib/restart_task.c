/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_task.c - the life of a task from its birth to the restorer
 *
 * Birth (in the order that the plan says), join, private memory in parallel
 * with everybody else's, then shared state at its turn, then the last stage's
 * list, and into the restorer.  docs/restart-protocol.md tells the whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cr_fault.h"
#include "cr_namespace.h"
#include "kmod.h"
#include "restart_list.h"

#define LOOK_NS 100000000 /* how often a waiting task looks after children */

struct steps;

/* One process while it is being made. */
struct birth {
	struct cr_restarter *restarter;
	const struct cr_plan_process *plan;
	uint32_t vpid;
	const struct steps *steps;
	pid_t *children; /* [plan->nr_children] */
};

static void __attribute__((noreturn))
fail(const struct birth *birth, const struct cr_error *err)
{
	cr_restart_send(birth->restarter, CR_MESSAGE_FAILED, birth->vpid, err);
	_exit(1);
}

void cr_restart_send(const struct cr_restarter *restarter, uint32_t event,
		     uint32_t vpid, const struct cr_error *err)
{
	struct cr_restart_message message = { .event = event, .vpid = vpid };

	if (err) {
		message.code = err->code;
		snprintf(message.text, sizeof(message.text), "%.230s",
			 err->text);
	}
	while (send(restarter->task_socket, &message, sizeof(message),
		    MSG_NOSIGNAL) < 0 &&
	       errno == EINTR)
		;
}

struct cr_restarter_root *
cr_restarter_find_root(const struct cr_restarter *restarter, uint32_t rank)
{
	for (size_t i = 0; i < restarter->options->nr_roots; i++)
		if (restarter->roots[i].rank == rank)
			return &restarter->roots[i];
	return restarter->options->nr_roots ? restarter->roots : NULL;
}

static const struct cr_wire_link *link_of(const struct cr_restarter *restarter,
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
	/* helpers get numbers that no task of the tree will want */
	pid_t vpid = plan->vpid ? (pid_t)plan->vpid :
				  (pid_t)(restarter->highest_vpid + 1 + index);
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)pidfdp,
		.exit_signal = exit_signal_of(restarter, plan),
		.set_tid = (uint64_t)&vpid,
		.set_tid_size = 1,
	};
	long pid;

	if (cr_fault_at(CR_FAULT_FORK, index))
		return -errno;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		cr_restart_process(restarter, index);
	return pid < 0 ? -errno : pid;
}

/*
 * So that the coordinator hears of the child's death from the first moment:
 * its parent may be gone by then (a TEMP) or busy.
 */
static void tell_birth(const struct birth *birth, uint32_t vpid, int pidfd)
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

static void fork_children(const struct birth *birth, enum cr_plan_when when)
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
			fail(birth, &err);
		}
		birth->children[i] = (pid_t)pid;
		if (child->kind != CR_PLAN_TEMP)
			tell_birth(birth, (uint32_t)pid, pidfd);
		close(pidfd);
	}
}

static void reap_children(const struct birth *birth, int temps)
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
		fail(birth, &err);
	}
}

/* A child that dies before the last stage ends the restart for all. */
static void look_after_children(const struct birth *birth)
{
	struct cr_error err = { 0 };
	siginfo_t info = { 0 };

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | (int)__WALL) <
		    0 ||
	    !info.si_pid)
		return;
	/* read last: from SETTLE on ghosts and zombies die as they should */
	if (__atomic_load_n(&birth->restarter->ctx->state, __ATOMIC_ACQUIRE) >=
	    CR_RESTART_SETTLE)
		return;
	cr_error_set(&err, -ECANCELED, "vpid %d died during the restart",
		     info.si_pid);
	fail(birth, &err);
}

/*
 * Wait until *@word is @wanted or more; end with the restart.  Only who has
 * children wakes up to look after them: thousands that do so would leave no
 * time for anything else.
 */
static void wait_word(const struct birth *birth, volatile uint32_t *word,
		      uint32_t wanted)
{
	const struct timespec often = { .tv_nsec = LOOK_NS };
	const struct timespec *look = birth->plan->nr_children ? &often : NULL;
	uint32_t now;

	for (;;) {
		if (birth->restarter->ctx->state == CR_RESTART_FAILED)
			_exit(1);
		now = *word;
		if (now >= wanted)
			return;
		if (syscall(SYS_futex, word, FUTEX_WAIT, now, look, NULL, 0) <
			    0 &&
		    errno == ETIMEDOUT)
			look_after_children(birth);
	}
}

/*
 * What a process does with the others; each returns when they are so far, or
 * ends with the restart.  docs/restart-protocol.md
 */
struct steps {
	void (*join)(const struct birth *birth);
	void (*turn)(const struct birth *birth);
	void (*restored)(const struct birth *birth);
	void (*settle)(const struct birth *birth);
};

static void user_join(const struct birth *birth)
{
	wait_word(birth, &birth->restarter->ctx->state, CR_RESTART_RESTORE);
}

static void user_turn(const struct birth *birth)
{
	wait_word(birth, &birth->restarter->turns[birth->plan->task], 1);
}

static void user_restored(const struct birth *birth)
{
	cr_restart_send(birth->restarter, CR_TASK_EV_RESTORED, birth->vpid,
			NULL);
}

static void user_settle(const struct birth *birth)
{
	wait_word(birth, &birth->restarter->ctx->state, CR_RESTART_SETTLE);
}

static const struct steps user_steps = { user_join, user_turn, user_restored,
					 user_settle };

/* Whoever has made it fail has told the coordinator, or died. */
static void take_step(const struct birth *birth, enum cr_kmod_step step)
{
	if (cr_kmod_restart_step(birth->restarter->device, step) < 0)
		_exit(1);
}

static void kernel_join(const struct birth *birth)
{
	take_step(birth, CR_KMOD_JOIN);
}

static void kernel_turn(const struct birth *birth)
{
	take_step(birth, CR_KMOD_TURN);
}

static void kernel_restored(const struct birth *birth)
{
	take_step(birth, CR_KMOD_RESTORED);
}

static void kernel_settle(const struct birth *birth)
{
	take_step(birth, CR_KMOD_SETTLE);
}

static const struct steps kernel_steps = { kernel_join, kernel_turn,
					   kernel_restored, kernel_settle };

/* The coordinator's children start outside of the rank's cgroups and of the
 * tree's mounts. */
static void come_in(const struct birth *birth)
{
	const struct cr_wire_link *link =
		link_of(birth->restarter, birth->plan);
	const struct cr_restarter_root *root =
		cr_restarter_find_root(birth->restarter,
				       link ? link->rank : CR_RANK_NONE);
	struct cr_error err = { 0 };

	if (birth->plan->creator != CR_PLAN_COORDINATOR)
		return;
	if (root && cr_cgroups_join(&root->cgroups, &err) < 0)
		fail(birth, &err);
	if (birth->restarter->namespace_fd >= 0 &&
	    cr_namespace_enter_mounts(birth->restarter->namespace_fd, &err) < 0)
		fail(birth, &err);
}

int cr_restart_dies_with_creator(const struct cr_restarter *restarter,
				 const struct cr_plan_process *plan)
{
	return plan->creator == CR_PLAN_COORDINATOR ||
	       restarter->plan->processes[plan->creator].kind == CR_PLAN_LIVE;
}

/*
 * Numbers that are taken without being asked for (threads that fill memory)
 * must not be those that some task is about to ask for.
 */
static void reserve_vpids(const struct cr_restarter *r)
{
	char text[16];
	int fd, n;

	fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* then one of them may fail with EEXIST */
	n = snprintf(text, sizeof(text), "%zu",
		     (size_t)r->highest_vpid + 1 + r->plan->nr);
	n = (int)write(fd, text, (size_t)n);
	close(fd);
}

static void call_fault(const struct birth *birth, size_t index)
{
	const struct cr_restart_options *options = birth->restarter->options;

	if (options->fault)
		options->fault(options->fault_arg, index);
}

/* Steps 1 to 7 of plan.h. */
static void be_born(const struct birth *birth)
{
	const struct cr_wire_link *link =
		link_of(birth->restarter, birth->plan);
	struct cr_error err = { 0 };

	if (cr_restart_dies_with_creator(birth->restarter, birth->plan))
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (birth->plan->is_subreaper)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	come_in(birth);
	if (birth->plan == birth->restarter->plan->processes)
		reserve_vpids(birth->restarter);
	fork_children(birth, CR_PLAN_BEFORE_SETSID);
	if (birth->plan->does_setsid)
		setsid();
	if (link && cr_restart_take_terminal(birth->restarter, link, &err) < 0)
		fail(birth, &err);
	fork_children(birth, CR_PLAN_AFTER_SETSID);
	if (birth->plan->makes_group)
		setpgid(0, 0);
	fork_children(birth, CR_PLAN_AFTER_SETPGID);
	if (birth->plan->kind == CR_PLAN_TEMP) {
		call_fault(birth, SIZE_MAX);
		_exit(0);
	}
	reap_children(birth, 1);
	if (link)
		cr_restart_leave_terminal(birth->restarter, link);
}

static void join_group(const struct birth *birth)
{
	struct cr_error err = { 0 };

	if (!birth->plan->joins_group)
		return;
	if (setpgid(0, (pid_t)birth->plan->joins_group) == 0)
		return;
	cr_error_errno(&err, "vpid %u: joining process group %u", birth->vpid,
		       birth->plan->joins_group);
	fail(birth, &err);
}

static void __attribute__((noreturn)) end_as(uint32_t status)
{
	const struct rlimit no_core = { 0 };
	int signal_nr = WTERMSIG((int)status);
	sigset_t none;

	if (!WIFSIGNALED((int)status))
		_exit(WEXITSTATUS((int)status));
	setrlimit(RLIMIT_CORE, &no_core);
	signal(signal_nr, SIG_DFL);
	kill(getpid(), signal_nr);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	_exit(128 + signal_nr);
}

static void __attribute__((noreturn)) be_zombie(const struct birth *birth)
{
	const struct cr_restarter *restarter = birth->restarter;
	const struct cr_saved_task *task =
		&restarter->saved->tasks[birth->plan->task];

	birth->steps->turn(birth);
	join_group(birth);
	if (task->task)
		prctl(PR_SET_NAME, task->task->comm);
	birth->steps->restored(birth);
	birth->steps->settle(birth);
	reap_children(birth, 0);
	end_as(task->link->exit_status);
}

static void __attribute__((noreturn)) be_ghost(const struct birth *birth)
{
	if (birth->plan->joins_group)
		join_group(birth);
	birth->steps->settle(birth);
	reap_children(birth, 0);
	_exit(0);
}

static int stream_fd(void *arg, uint32_t rank, uint32_t stream)
{
	const struct cr_restarter *restarter = arg;
	const struct cr_restarter_root *root =
		cr_restarter_find_root(restarter, rank);

	return root && stream < 3 ? root->stream[stream] : -1;
}

static int terminal_fd(void *arg, uint32_t id)
{
	return cr_restart_terminal_master(arg, id);
}

static int external_fd(void *arg, uint32_t id)
{
	const struct cr_restarter *restarter = arg;

	return restarter->externals ? restarter->externals[id - 1] : -1;
}

static int set_oom_score(int score, struct cr_error *err)
{
	char text[16];
	int fd, n, rc = 0;

	fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return cr_error_errno(err, "oom_score_adj");
	n = (int)read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	if (atoi(text) != score) {
		n = snprintf(text, sizeof(text), "%d", score);
		if (pwrite(fd, text, (size_t)n, 0) < 0)
			rc = cr_error_errno(err, "oom_score_adj %d", score);
	}
	close(fd);
	return rc;
}

/* Paths are those of the namespace: all are opened before a chroot(2). */
static int go_home(struct cr_file_restore *files,
		   const struct cr_saved_task *task, struct cr_error *err)
{
	const uint32_t root = task->task->root;
	int root_fd = -1, cwd_fd, rc = 0;

	cwd_fd = cr_files_open(files, task->task->cwd, 0, 0, err);
	if (cwd_fd < 0)
		return cwd_fd;
	if (root)
		root_fd = cr_files_open(files, root, 0, 0, err);
	if (root && root_fd < 0)
		rc = root_fd;
	else if (root && (fchdir(root_fd) < 0 || chroot(".") < 0))
		rc = cr_error_errno(err, "root directory %s",
				    files->saved->files[root - 1].path);
	else if (fchdir(cwd_fd) < 0)
		rc = cr_error_errno(err, "working directory %s",
				    files->saved->files[task->task->cwd - 1]
					    .path);
	close(cwd_fd);
	if (root_fd >= 0)
		close(root_fd);
	return rc;
}

/* What others may see or share, while nobody else does. */
static int restore_in_turn(const struct birth *birth,
			   const struct cr_saved_task *task,
			   struct cr_file_restore *files,
			   struct cr_staged *staged, int *exe_fdp,
			   struct cr_error *err)
{
	int rc;

	join_group(birth);
	if (cr_fault_at(CR_FAULT_FILE, (size_t)birth->plan->task))
		return cr_error_errno(err, "restoring files");
	rc = set_oom_score(task->task->oom_score_adj, err);
	if (!rc)
		rc = cr_files_restore(files, task, err);
	if (!rc)
		rc = cr_mm_stage_shared(birth->restarter, task, files, staged,
					err);
	if (!rc)
		rc = cr_files_lock(files, task, err);
	if (rc < 0)
		return rc;
	*exe_fdp = cr_files_open(files, task->mm->exe, 1, 0, err);
	if (*exe_fdp < 0)
		return *exe_fdp;
	return go_home(files, task, err);
}

static void __attribute__((noreturn)) be_task(const struct birth *birth)
{
	struct cr_restarter *restarter = birth->restarter;
	const struct cr_saved_task *task =
		&restarter->saved->tasks[birth->plan->task];
	struct cr_file_restore files = { .saved = restarter->saved,
					 .image = restarter->image,
					 .places = restarter->file_places,
					 .fd_floor = restarter->fd_floor,
					 .tcp = &restarter->options->tcp,
					 .stream = stream_fd,
					 .terminal = terminal_fd,
					 .external = external_fd,
					 .arg = restarter,
					 .task = task };
	struct cr_staged *staged = NULL;
	struct cr_error err = { 0 };
	int exe_fd = -1, rc;

	rc = cr_mm_stage_private(restarter, task, &files, &staged, &err);
	if (!rc) {
		birth->steps->turn(birth);
		rc = restore_in_turn(birth, task, &files, staged, &exe_fd,
				     &err);
	}
	if (!rc) {
		birth->steps->restored(birth);
		rc = cr_restart_last_stage(restarter, (size_t)birth->plan->task,
					   staged, birth->plan, birth->children,
					   exe_fd, &err);
	}
	if (!err.code)
		cr_error_set(&err, rc, "%s", strerror(-rc));
	cr_error_prefix(&err, "vpid %u", birth->vpid);
	fail(birth, &err);
}

void cr_restart_process(struct cr_restarter *restarter, size_t index)
{
	const struct cr_plan_process *plan = &restarter->plan->processes[index];
	struct birth birth = { .restarter = restarter,
			       .plan = plan,
			       .vpid = (uint32_t)getpid(),
			       .steps = restarter->device >= 0 ? &kernel_steps :
								 &user_steps };
	struct cr_error err = { 0 };

	birth.children = calloc(plan->nr_children + 1, sizeof(pid_t));
	if (!birth.children) {
		cr_error_set(&err, -ENOMEM, "out of memory");
		fail(&birth, &err);
	}
	be_born(&birth);
	if (plan->task != CR_PLAN_HELPER)
		call_fault(&birth, (size_t)plan->task);
	/* by which the coordinator learns its pid, also where it does not
	 * count who has joined */
	cr_restart_send(restarter, CR_TASK_EV_JOIN, birth.vpid, NULL);
	birth.steps->join(&birth);
	if (plan->task == CR_PLAN_HELPER)
		be_ghost(&birth);
	if (plan->kind == CR_PLAN_ZOMBIE)
		be_zombie(&birth);
	be_task(&birth);
}
