/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * namespace.c - make, enter and end the namespaces of a tree
 *
 * unshare(2) changes its caller for good, so a short-lived maker does it: it
 * unshares, sets the clocks while the time namespace is still empty, and
 * makes the init with CLONE_PARENT, as a child of our caller.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cr_namespace.h"

#define NSEC_PER_SEC 1000000000ll
#define NAMESPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWTIME)

/* What maker and init tell the caller, through a pipe. */
struct report {
	pid_t init; /* from the maker */
	int error; /* negative errno */
	char what[32]; /* that failed */
};

static void tell(int fd, pid_t init, const char *what)
{
	struct report report = { .init = init, .error = init ? 0 : -errno };
	ssize_t n;

	snprintf(report.what, sizeof(report.what), "%s", what);
	do {
		n = write(fd, &report, sizeof(report));
	} while (n < 0 && errno == EINTR);
}

/* Line of /proc/self/timens_offsets that makes @clock show @wanted_ns now. */
static int format_offset(char *line, size_t size, clockid_t clock,
			 const char *name, uint64_t wanted_ns)
{
	struct timespec now;
	long long delta, seconds;

	if (!wanted_ns)
		return 0;
	clock_gettime(clock, &now);
	delta = (long long)wanted_ns - now.tv_sec * NSEC_PER_SEC - now.tv_nsec;
	seconds = delta / NSEC_PER_SEC;
	delta -= seconds * NSEC_PER_SEC;
	if (delta < 0) {
		seconds--;
		delta += NSEC_PER_SEC;
	}
	return snprintf(line, size, "%s %lld %lld\n", name, seconds, delta);
}

static int set_clocks(uint64_t monotonic_ns, uint64_t boottime_ns)
{
	char text[128];
	int length, fd;
	ssize_t n;

	length = format_offset(text, sizeof(text), CLOCK_MONOTONIC, "monotonic",
			       monotonic_ns);
	length += format_offset(text + length, sizeof(text) - (size_t)length,
				CLOCK_BOOTTIME, "boottime", boottime_ns);
	if (!length)
		return 0;
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = write(fd, text, (size_t)length);
	close(fd);
	return n == length ? 0 : -1;
}

/* As the distributions mount it: group tty may write.  The kernel takes
 * /dev/ptmx for that of the /dev/pts beside it. */
static int mount_terminals(void)
{
	return mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		     "newinstance,gid=5,mode=620,ptmxmode=666");
}

/* Pid 1: mount /proc, say so, and reap for ever. */
static void __attribute__((noreturn)) run_init(unsigned int flags, int fd)
{
	sigset_t all;
	int signal;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (flags & CR_NAMESPACE_DIES_WITH_CALLER)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	else
		prctl(PR_SET_PDEATHSIG, 0);
	prctl(PR_SET_NAME, "cr-init");
	/* slave: mounts that the node makes later are seen, ours stay ours */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL) < 0) {
		tell(fd, 0, "mount /proc");
		_exit(1);
	}
	if ((flags & CR_NAMESPACE_OWN_TERMINALS) && mount_terminals() < 0) {
		tell(fd, 0, "mount /dev/pts");
		_exit(1);
	}
	setsid();
	if (chdir("/") < 0) {
		tell(fd, 0, "chdir /");
		_exit(1);
	}
	tell(fd, 1, "ready");
	close_range(0, ~0U, 0);
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
			;
		sigemptyset(&all);
		sigaddset(&all, SIGCHLD);
		sigwait(&all, &signal);
	}
}

static void __attribute__((noreturn))
run_maker(unsigned int flags, uint64_t monotonic_ns, uint64_t boottime_ns,
	  int fd)
{
	/* no exit signal: CLONE_PARENT takes that of our group leader */
	struct clone_args args = { .flags = CLONE_PARENT };
	long init;

	if (unshare(NAMESPACES) < 0) {
		tell(fd, 0, "unshare");
		_exit(1);
	}
	if (set_clocks(monotonic_ns, boottime_ns) < 0) {
		tell(fd, 0, "timens_offsets");
		_exit(1);
	}
	init = syscall(SYS_clone3, &args, sizeof(args));
	if (init == 0)
		run_init(flags, fd);
	if (init < 0) {
		tell(fd, 0, "clone3");
		_exit(1);
	}
	tell(fd, (pid_t)init, "init");
	_exit(0);
}

/* Read the maker's and init's reports; returns init's pid or -errno. */
static pid_t read_reports(int fd, struct cr_error *err)
{
	struct report report;
	int is_ready = 0;
	pid_t init = 0;
	ssize_t n;

	while (!init || !is_ready) {
		n = read(fd, &report, sizeof(report));
		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(report))
			return cr_error_set(err, -ECANCELED,
					    "making namespaces: maker died");
		if (report.error < 0)
			return cr_error_set(err, report.error,
					    "making namespaces: %s: %s",
					    report.what,
					    strerror(-report.error));
		if (report.init == 1 && !strcmp(report.what, "ready"))
			is_ready = 1;
		else
			init = report.init;
	}
	return init;
}

int cr_namespace_create(unsigned int flags, uint64_t monotonic_ns,
			uint64_t boottime_ns, struct cr_namespace *ns,
			struct cr_error *err)
{
	int fds[2], fd, rc;
	pid_t maker, init;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return cr_error_errno(err, "making namespaces: pipe");
	maker = fork();
	if (maker == 0)
		run_maker(flags, monotonic_ns, boottime_ns, fds[1]);
	close(fds[1]);
	if (maker < 0) {
		rc = cr_error_errno(err, "making namespaces: fork");
		close(fds[0]);
		return rc;
	}
	init = read_reports(fds[0], err);
	close(fds[0]);
	waitpid(maker, NULL, 0);
	if (init < 0)
		return init;
	fd = (int)syscall(SYS_pidfd_open, init, 0);
	if (fd < 0) {
		rc = cr_error_errno(err, "pidfd of the namespace's init");
		kill(init, SIGKILL);
		waitpid(init, NULL, __WALL);
		return rc;
	}
	ns->init = init;
	ns->init_fd = fd;
	return 0;
}

int cr_namespace_enter_processes(int init_fd, struct cr_error *err)
{
	if (setns(init_fd, CLONE_NEWPID | CLONE_NEWTIME) < 0)
		return cr_error_errno(err, "entering the PID namespace");
	return 0;
}

int cr_namespace_enter_mounts(int init_fd, struct cr_error *err)
{
	char *cwd = getcwd(NULL, 0);
	int rc = 0;

	if (setns(init_fd, CLONE_NEWNS | CLONE_NEWIPC) < 0)
		rc = cr_error_errno(err, "entering the mount namespace");
	else if ((!cwd || chdir(cwd) < 0) && chdir("/") < 0)
		rc = cr_error_errno(err, "chdir /");
	free(cwd);
	return rc;
}

int cr_namespace_enter(int init_fd, struct cr_error *err)
{
	int rc = cr_namespace_enter_processes(init_fd, err);

	return rc < 0 ? rc : cr_namespace_enter_mounts(init_fd, err);
}

int cr_namespace_clocks(uint64_t monotonic_ns, uint64_t boottime_ns,
			struct cr_error *err)
{
	if (unshare(CLONE_NEWTIME) < 0)
		return cr_error_errno(err, "making a time namespace");
	if (set_clocks(monotonic_ns, boottime_ns) < 0)
		return cr_error_errno(err, "setting the namespace's clocks");
	return 0;
}

void cr_namespace_destroy(struct cr_namespace *ns)
{
	int saved_errno = errno;

	if (ns->init > 0) {
		kill(ns->init, SIGKILL);
		while (waitpid(ns->init, NULL, __WALL) < 0 && errno == EINTR)
			;
	}
	if (ns->init_fd >= 0)
		close(ns->init_fd);
	ns->init = 0;
	ns->init_fd = -1;
	errno = saved_errno;
}
