/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_finish.c - from the gate into the saved program
 *
 * Every thread waits in the restorer.  The coordinator stops them all, gives
 * them their registers and signal masks, takes the restorer away, and only
 * then lets all go.  ptrace(2) does what rt_sigreturn(2) cannot: an
 * interrupted call goes on through the kernel's own restart treatment, with a
 * restart block that is made anew, and nothing of ours stays mapped.
 *
 * Should the coordinator die meanwhile, the kernel ends every task that it has
 * not let go yet: a thread may stand in the middle of a call for us.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cr_fault.h"
#include "kmod.h"
#include "remote.h"
#include "restart_ctx.h"

#define STOP_MS 5000
#define XSTATE_MAX 65536

/* A thread as we see it. */
struct thread {
	pid_t tid;
	const struct cr_saved_task *task;
	const struct cr_saved_thread *saved;
};

struct finish {
	struct cr_restarter *restarter;
	struct thread *threads;
	size_t nr, max;
	uint64_t instruction; /* of a system call, in every arena */
};

/* Last number of NSpid: the thread in its own namespace. */
static uint32_t read_vtid(pid_t pid, pid_t tid)
{
	char path[64], line[256];
	uint32_t vtid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		char *last = strrchr(line, '\t');

		if (strncmp(line, "NSpid:", 6) == 0 && last) {
			vtid = (uint32_t)strtoul(last + 1, NULL, 10);
			break;
		}
	}
	fclose(file);
	return vtid;
}

static const struct cr_saved_thread *
find_thread(const struct cr_saved_task *task, uint32_t vtid)
{
	for (size_t i = 0; i < task->nr_threads; i++)
		if (task->threads[i].thread->tid == vtid)
			return &task->threads[i];
	return NULL;
}

static int add_thread(struct finish *f, const struct cr_saved_task *task,
		      pid_t pid, pid_t tid, struct cr_error *err)
{
	const struct cr_saved_thread *saved =
		find_thread(task, read_vtid(pid, tid));

	if (!saved || f->nr == f->max)
		return cr_error_set(err, -ECANCELED,
				    "vpid %u has a thread that was not saved",
				    task->link->vpid);
	f->threads[f->nr++] = (struct thread){ tid, task, saved };
	return 0;
}

static int add_task(struct finish *f, const struct cr_saved_task *task,
		    pid_t pid, struct cr_error *err)
{
	size_t before = f->nr;
	struct dirent *entry;
	char path[64];
	DIR *dir;
	int rc = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return cr_error_set(err, -ECANCELED, "vpid %u has died",
				    task->link->vpid);
	while (!rc && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			rc = add_thread(f, task, pid, atoi(entry->d_name), err);
	closedir(dir);
	if (!rc && f->nr - before != task->nr_threads)
		rc = cr_error_set(err, -ECANCELED,
				  "vpid %u has %zu of %zu threads",
				  task->link->vpid, f->nr - before,
				  task->nr_threads);
	return rc;
}

static int stop_all(struct finish *f, struct cr_error *err)
{
	int signal, rc = 0;

	for (size_t i = 0; i < f->nr && !rc; i++)
		rc = cr_trace_seize_for_life(f->threads[i].tid, err);
	for (size_t i = 0; i < f->nr && !rc; i++)
		rc = cr_trace_wait(f->threads[i].tid, STOP_MS, &signal, err);
	return rc;
}

/*
 * The image's state for this CPU's XSAVE area.  Components that neither the
 * area nor the image has in use may differ; cr_restart() has checked that all
 * that are in use exist here.
 */
static int set_xstate(const struct thread *thread, struct cr_error *err)
{
	static uint8_t area[XSTATE_MAX];
	struct iovec iov = { area, sizeof(area) };
	size_t length = thread->saved->thread->xstate_length;

	if (ptrace(PTRACE_GETREGSET, thread->tid, (void *)NT_X86_XSTATE, &iov) <
	    0)
		return cr_error_errno(err, "reading extended state");
	memset(area, 0, iov.iov_len);
	memcpy(area, thread->saved->xstate,
	       length < iov.iov_len ? length : iov.iov_len);
	if (ptrace(PTRACE_SETREGSET, thread->tid, (void *)NT_X86_XSTATE, &iov) <
	    0)
		return cr_error_errno(err, "setting extended state of vpid %u",
				      thread->task->link->vpid);
	return 0;
}

/* Last calls in the leader: its own death signal, and away with the arena. */
static int take_arena(struct finish *f, const struct thread *thread,
		      struct cr_error *err)
{
	const struct cr_restarter *r = f->restarter;
	const uint64_t death[6] = { PR_SET_PDEATHSIG,
				    thread->task->task->pdeath_signal };
	const uint64_t unmap[6] = {
		r->zone.start, r->arena_start + r->arena_length - r->zone.start
	};
	int64_t result;
	int rc;

	rc = cr_trace_syscall(thread->tid, f->instruction, SYS_prctl, death,
			      &result, err);
	if (!rc)
		rc = cr_trace_syscall(thread->tid, f->instruction, SYS_munmap,
				      unmap, &result, err);
	if (!rc && result < 0)
		rc = cr_error_set(err, (int)result, "removing the restorer");
	return rc;
}

static int is_leader(const struct thread *thread)
{
	return thread->saved == &thread->task->threads[0];
}

static int inject_fault(const struct finish *f, const struct thread *thread,
			struct cr_error *err)
{
	size_t index = (size_t)(thread - f->threads);

	if (cr_fault_at(CR_FAULT_RELEASE_DEATH, index))
		syscall(SYS_tkill, thread->tid, SIGKILL);
	return cr_fault_at(CR_FAULT_RELEASE, index) ?
		       cr_error_errno(err, "letting thread %u go",
				      thread->saved->thread->tid) :
		       0;
}

static int has_stop(const struct cr_wire_siginfo *pending, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		if (((const siginfo_t *)(const void *)&pending[i])->si_signo ==
		    SIGSTOP)
			return 1;
	return 0;
}

/* No mask keeps SIGSTOP from stopping a task at once: it is sent to one that we
 * hold, and becomes true when it is let go. */
static void queue_stop(const struct thread *thread)
{
	const struct cr_saved_task *task = thread->task;

	if (has_stop(thread->saved->pending, thread->saved->thread->nr_pending))
		syscall(SYS_tkill, thread->tid, SIGSTOP);
	if (is_leader(thread) &&
	    has_stop(task->pending, task->signals->nr_pending))
		kill(thread->tid, SIGSTOP);
}

static int set_thread(struct finish *f, const struct thread *thread,
		      struct cr_error *err)
{
	const struct cr_wire_thread *saved = thread->saved->thread;
	struct cr_wire_regs regs = saved->regs;
	int rc;

	rc = inject_fault(f, thread, err);
	cr_restart_tcp_resume(f->restarter->saved, thread->task, &regs);
	if (!rc)
		rc = set_xstate(thread, err);
	if (!rc)
		rc = cr_restart_rearm(f->restarter, thread->tid, thread->saved,
				      &regs, err);
	if (!rc && is_leader(thread))
		rc = take_arena(f, thread, err);
	if (!rc)
		rc = cr_trace_set_regs(thread->tid, &regs, err);
	if (!rc)
		rc = cr_trace_set_sigmask(thread->tid, saved->signal_mask, err);
	if (!rc)
		queue_stop(thread);
	return rc < 0 ? cr_error_prefix(err, "vpid %u",
					thread->task->link->vpid) :
			0;
}

/* Threads before their leader: it takes the arena from all of them. */
static int set_all(struct finish *f, struct cr_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < f->nr && !rc; i++)
		if (!is_leader(&f->threads[i]))
			rc = set_thread(f, &f->threads[i], err);
	for (size_t i = 0; i < f->nr && !rc; i++)
		if (is_leader(&f->threads[i]))
			rc = set_thread(f, &f->threads[i], err);
	return rc;
}

/* A leader's death is told when no other thread of it is left, zombies that
 * their tracer has not waited for included: so threads go first. */
static void for_each(struct finish *f, void (*act)(const struct thread *))
{
	for (size_t i = 0; i < f->nr; i++)
		if (!is_leader(&f->threads[i]))
			act(&f->threads[i]);
	for (size_t i = 0; i < f->nr; i++)
		if (is_leader(&f->threads[i]))
			act(&f->threads[i]);
}

static void reap(const struct thread *thread)
{
	waitpid(thread->tid, NULL, __WALL);
}

/* End what we have stopped, and reap it: a tracer gets to know of each. */
static void kill_all(struct finish *f)
{
	for (size_t i = 0; i < f->nr; i++)
		syscall(SYS_tkill, f->threads[i].tid, SIGKILL);
	for_each(f, reap);
}

/*
 * Who has been let go may end all its threads at once; those that we still
 * hold then stay zombies until their tracer has waited for them.  A root is
 * our own child: its status is the caller's to wait for.
 */
static void release(const struct thread *thread)
{
	if (cr_trace_release(thread->tid) == -ESRCH &&
	    !(is_leader(thread) && thread->task->link->parent == 0))
		waitpid(thread->tid, NULL, __WALL);
}

/* The last that may fail before tasks run; sockets that are still in repair
 * mode then vanish without a word. */
static int open_gate(struct cr_restarter *restarter, const pid_t *pids,
		     struct cr_error *err)
{
	const struct cr_restart_options *options = restarter->options;
	int rc = 0;

	if (options->at_gate)
		rc = options->at_gate(options->at_gate_arg, err);
	if (rc < 0 && !err->code)
		cr_error_set(err, rc, "not let through the gate: %s",
			     strerror(-rc));
	return rc < 0 ? rc : cr_restart_tcp(restarter, pids, err);
}

/* To the module, too, from here on a death is nobody's failure: a program may
 * end as soon as it has been let go. */
static int tell_module(const struct cr_restarter *restarter,
		       struct cr_error *err)
{
	int rc = 0;

	if (restarter->device >= 0)
		rc = cr_kmod_restart_step(restarter->device, CR_KMOD_RELEASE);
	return rc < 0 ? cr_error_set(err, rc,
				     "the kernel engine: opening the gate: %s",
				     strerror(-rc)) :
			0;
}

int cr_restart_finish(struct cr_restarter *restarter, const pid_t *pids,
		      struct cr_error *err)
{
	const struct cr_saved *saved = restarter->saved;
	struct finish f = { .restarter = restarter };
	int rc = 0;

	for (size_t i = 0; i < saved->nr_tasks; i++)
		f.max += saved->tasks[i].nr_threads;
	f.threads = calloc(f.max + 1, sizeof(*f.threads));
	if (!f.threads)
		return cr_error_set(err, -ENOMEM, "out of memory");
	f.instruction = restarter->arena_start + cr_restorer_syscall_offset();
	for (size_t i = 0; i < saved->nr_tasks && !rc; i++)
		if (saved->tasks[i].mm)
			rc = add_task(&f, &saved->tasks[i], pids[i], err);
	if (!rc)
		rc = stop_all(&f, err);
	if (!rc)
		rc = set_all(&f, err);
	if (!rc)
		rc = open_gate(restarter, pids, err);
	if (!rc)
		rc = tell_module(restarter, err);
	if (!rc)
		for_each(&f, release);
	else
		kill_all(&f);
	free(f.threads);
	return rc;
}
