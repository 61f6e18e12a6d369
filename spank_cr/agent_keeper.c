/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_keeper.c - a process that keeps namespaces alive as long as needed
 *
 * It holds one end of a pipe, the lifeline; the agent and each shepherd hold
 * the other.  When all of them are gone, however they ended, it ends the
 * namespaces' init and with it whatever still runs in there.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"
#include "cr_namespace.h"

#define START_TIMEOUT_MS 10000

struct report {
	pid_t init;
	struct cr_error err;
};

static void __attribute__((noreturn))
keep(unsigned int flags, uint64_t monotonic_ns, uint64_t boottime_ns,
     int lifeline, int report_fd)
{
	const int fds[] = { lifeline, report_fd };
	struct cr_namespace namespace = CR_NAMESPACE_NONE;
	struct pollfd pollfd = { .fd = lifeline };
	struct report report = { 0 };
	int rc;

	agent_close_others(fds, 2);
	signal(SIGCHLD, SIG_DFL);
	prctl(PR_SET_NAME, "cr-keeper");
	rc = cr_namespace_create(flags, monotonic_ns, boottime_ns, &namespace,
				 &report.err);
	report.init = namespace.init;
	if (write(report_fd, &report, sizeof(report)) != sizeof(report) || rc)
		_exit(1);
	close(report_fd);
	/* nobody writes to the lifeline: its only event is its end */
	while (!(pollfd.revents & (POLLHUP | POLLERR)))
		poll(&pollfd, 1, -1);
	cr_namespace_destroy(&namespace);
	_exit(0);
}

static int read_report(int fd, struct report *report)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	if (poll(&pollfd, 1, START_TIMEOUT_MS) != 1)
		return cr_error_set(&report->err, -ETIMEDOUT,
				    "no new namespaces within %d s",
				    START_TIMEOUT_MS / 1000);
	if (read(fd, report, sizeof(*report)) != sizeof(*report))
		return cr_error_set(&report->err, -ECANCELED,
				    "the keeper of the namespaces has died");
	return report->err.code;
}

int agent_keeper_start(struct agent *agent, uint64_t monotonic_ns,
		       uint64_t boottime_ns, struct agent_keeper *keeper,
		       struct cr_error *err)
{
	const unsigned int flags =
		CR_NAMESPACE_DIES_WITH_CALLER |
		(agent->step->has_terminal ? 0 : CR_NAMESPACE_OWN_TERMINALS);
	struct report report = { 0 };
	int line[2], pipe_fds[2];
	int init_fd = -1;
	pid_t pid;

	if (pipe2(line, O_CLOEXEC) < 0)
		return cr_error_errno(err, "pipe");
	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		cr_error_errno(err, "pipe");
		close(line[0]);
		close(line[1]);
		return err->code;
	}
	pid = fork();
	if (pid == 0)
		keep(flags, monotonic_ns, boottime_ns, line[0], pipe_fds[1]);
	close(line[0]);
	close(pipe_fds[1]);
	if (pid < 0)
		cr_error_errno(&report.err, "fork the keeper");
	else
		read_report(pipe_fds[0], &report);
	close(pipe_fds[0]);
	if (!report.err.code) {
		init_fd = (int)syscall(SYS_pidfd_open, report.init, 0);
		if (init_fd < 0)
			cr_error_errno(&report.err, "pidfd of the init");
	}
	if (report.err.code) {
		close(line[1]);
		*err = report.err;
		return err->code;
	}
	*keeper = (struct agent_keeper){ .init = report.init,
					 .init_fd = init_fd,
					 .lifeline = line[1] };
	return 0;
}

void agent_keeper_release(struct agent_keeper *keeper)
{
	if (keeper->init_fd >= 0)
		close(keeper->init_fd);
	if (keeper->lifeline >= 0)
		close(keeper->lifeline);
	keeper->init_fd = keeper->lifeline = -1;
	keeper->init = 0;
}
