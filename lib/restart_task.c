/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_task.c - the life of a task from its birth to the restorer
 *
 * Birth, join, private memory in parallel with everybody else's, then shared
 * state at its turn, then the last stage's list, and into the restorer.
 * docs/restart-protocol.md tells the whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cr_fault.h"
#include "restart_birth.h"
#include "restart_list.h"

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

static void join_group(const struct cr_birth *birth)
{
	struct cr_error err = { 0 };

	if (!birth->plan->joins_group)
		return;
	if (setpgid(0, (pid_t)birth->plan->joins_group) == 0)
		return;
	cr_error_errno(&err, "vpid %u: joining process group %u", birth->vpid,
		       birth->plan->joins_group);
	cr_birth_fail(birth, &err);
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

static void __attribute__((noreturn)) be_zombie(const struct cr_birth *birth)
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
	cr_birth_reap(birth, 0);
	end_as(task->link->exit_status);
}

static void __attribute__((noreturn)) be_ghost(const struct cr_birth *birth)
{
	if (birth->plan->joins_group)
		join_group(birth);
	birth->steps->settle(birth);
	cr_birth_reap(birth, 0);
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
static int restore_in_turn(const struct cr_birth *birth,
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

static void __attribute__((noreturn)) be_task(const struct cr_birth *birth)
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
	cr_birth_fail(birth, &err);
}

void cr_restart_process(struct cr_restarter *restarter, size_t index)
{
	const struct cr_plan_process *plan = &restarter->plan->processes[index];
	struct cr_birth birth = { .restarter = restarter,
				  .plan = plan,
				  .vpid = (uint32_t)getpid(),
				  .steps = restarter->device >= 0 ?
						   &cr_steps_kernel :
						   &cr_steps_user };
	struct cr_error err = { 0 };

	birth.children = calloc(plan->nr_children + 1, sizeof(pid_t));
	if (!birth.children) {
		cr_error_set(&err, -ENOMEM, "out of memory");
		cr_birth_fail(&birth, &err);
	}
	cr_birth_run(&birth);
	if (plan->task != CR_PLAN_HELPER)
		cr_birth_fault(&birth, (size_t)plan->task);
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
