/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * namespace.c - make, enter and end the namespaces of a tree
 *
 * unshare(2) changes its caller for good, so a short-lived maker does it: it
 * unshares, sets the clocks while the time namespace is still empty, and
 * makes the init with CLONE_PARENT, as a child of our caller.
 *
 * Each of the three may be killed at any time.  Init says that it is ready and
 * runs on only when the caller has answered: whoever has no caller any more
 * hears the end of the socket instead.
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
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cr_namespace.h"

#define NSEC_PER_SEC 1000000000ll
#define NAMESPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWTIME)

/* What the caller hears: that init is ready, or what has failed. */
struct report {
	int error; /* negative errno, 0: ready */
	char what[32]; /* that failed */
};

static void tell(int fd, int error, const char *what)
{
	struct report report = { .error = error };
	ssize_t n;

	snprintf(report.what, sizeof(report.what), "%s", what);
	do {
		n = send(fd, &report, sizeof(report), MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
}

static void __attribute__((noreturn)) give_up(int fd, const char *what)
{
	tell(fd, -errno, what);
	_exit(1);
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

static void close_all_but(int fd)
{
	if (fd > 0)
		close_range(0, (unsigned int)fd - 1, 0);
	close_range((unsigned int)fd + 1, ~0U, 0);
}

/* An answer comes from a caller that has lived when PDEATHSIG was set. */
static void wait_taken_over(int fd)
{
	char answer;
	ssize_t n;

	do {
		n = recv(fd, &answer, 1, 0);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(1);
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
	close_all_but(fd);
	/* slave: mounts that the node makes later are seen, ours stay ours */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL) < 0)
		give_up(fd, "mount /proc");
	if ((flags & CR_NAMESPACE_OWN_TERMINALS) && mount_terminals() < 0)
		give_up(fd, "mount /dev/pts");
	setsid();
	if (chdir("/") < 0)
		give_up(fd, "chdir /");
	tell(fd, 0, "");
	wait_taken_over(fd);
	close(fd);
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

	if (unshare(NAMESPACES) < 0)
		give_up(fd, "unshare");
	if (set_clocks(monotonic_ns, boottime_ns) < 0)
		give_up(fd, "timens_offsets");
	init = syscall(SYS_clone3, &args, sizeof(args));
	if (init == 0)
		run_init(flags, fd);
	if (init < 0)
		give_up(fd, "clone3");
	_exit(0);
}

/*
 * Read the one report.  Stores in *@speakerp whose it is, which the kernel
 * says: init's pid needs no maker that lives long enough to tell it.
 */
static int read_report(int fd, pid_t *speakerp, struct cr_error *err)
{
	char control[CMSG_SPACE(sizeof(struct ucred))];
	struct report report = { 0 };
	struct iovec iov = { &report, sizeof(report) };
	struct msghdr header = { .msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	struct ucred cred;
	ssize_t n;

	do {
		n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	cmsg = n == (ssize_t)sizeof(report) ? CMSG_FIRSTHDR(&header) : NULL;
	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET ||
	    cmsg->cmsg_type != SCM_CREDENTIALS)
		return cr_error_set(err, -ECANCELED,
				    "making namespaces: maker died");
	memcpy(&cred, CMSG_DATA(cmsg), sizeof(cred));
	*speakerp = cred.pid;
	if (report.error < 0)
		return cr_error_set(err, report.error,
				    "making namespaces: %s: %s", report.what,
				    strerror(-report.error));
	return 0;
}

/* Let init, which waits for an answer at @fd, run on as ours. */
static int take_over(int fd, pid_t init, struct cr_namespace *ns,
		     struct cr_error *err)
{
	int rc, init_fd = (int)syscall(SYS_pidfd_open, init, 0);

	if (init_fd < 0)
		return cr_error_errno(err, "pidfd of the namespace's init");
	if (send(fd, "", 1, MSG_NOSIGNAL) != 1) {
		rc = cr_error_errno(err, "the namespace's init has died");
		close(init_fd);
		return rc;
	}
	ns->init = init;
	ns->init_fd = init_fd;
	return 0;
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
}

/* Two ends: ours hears who speaks. */
static int open_ends(int *fds, struct cr_error *err)
{
	int one = 1, rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return cr_error_errno(err, "making namespaces: socketpair");
	if (setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0)
		return 0;
	rc = cr_error_errno(err, "making namespaces: SO_PASSCRED");
	close(fds[0]);
	close(fds[1]);
	return rc;
}

int cr_namespace_create(unsigned int flags, uint64_t monotonic_ns,
			uint64_t boottime_ns, struct cr_namespace *ns,
			struct cr_error *err)
{
	pid_t maker, speaker = 0;
	int fds[2], rc;

	rc = open_ends(fds, err);
	if (rc < 0)
		return rc;
	maker = fork();
	if (maker == 0) {
		close(fds[0]);
		run_maker(flags, monotonic_ns, boottime_ns, fds[1]);
	}
	if (maker < 0)
		rc = cr_error_errno(err, "making namespaces: fork");
	close(fds[1]);
	if (!rc)
		rc = read_report(fds[0], &speaker, err);
	if (maker > 0)
		reap(maker);
	if (!rc)
		rc = take_over(fds[0], speaker, ns, err);
	close(fds[0]); /* init ends unless we have taken it over */
	if (rc < 0 && speaker > 0 && speaker != maker)
		reap(speaker);
	return rc;
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
