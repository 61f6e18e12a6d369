/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_pidfd.c - a descriptor of a child process still means that process, also
 * when it has ended
 */
#include <poll.h>

#include "program.h"

static void child(void *arg)
{
	program_await(arg);
	_exit(4);
}

int main(int argc, char **argv)
{
	struct pollfd poll_fd;
	siginfo_t info = { 0 };
	pid_t pid, ended_pid;
	int fd, ended;

	program_start(argc, argv);
	pid = program_child(child, "over");
	fd = (int)NEED(syscall(SYS_pidfd_open, pid, 0));

	ended_pid = NEED(fork());
	if (!ended_pid)
		_exit(0);
	ended = (int)NEED(syscall(SYS_pidfd_open, ended_pid, 0));
	NEED(waitpid(ended_pid, NULL, 0));

	program_ready();

	poll_fd = (struct pollfd){ ended, POLLIN, 0 };
	CHECK(poll(&poll_fd, 1, 0) == 1, "the ended one does not say so");
	CHECK(syscall(SYS_pidfd_send_signal, ended, 0, NULL, 0) < 0 &&
		      errno == ESRCH,
	      "the ended one lives");
	CHECK(waitpid(-1, NULL, WNOHANG) == 0, "an unknown child has ended");

	poll_fd = (struct pollfd){ fd, POLLIN, 0 };
	CHECK(poll(&poll_fd, 1, 0) == 0, "child has ended already");
	CHECK(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == 0, "%s",
	      strerror(errno));
	program_mark("over");
	CHECK(poll(&poll_fd, 1, 5000) == 1, "no end seen");
	CHECK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED) == 0 &&
		      info.si_pid == pid && info.si_status == 4,
	      "pid %d status %d", info.si_pid, info.si_status);
	return program_result();
}
