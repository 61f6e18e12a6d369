/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_signalfd.c - a signal descriptor keeps its mask and gives a signal that
 * came before and one that comes after
 */
#include <sys/signalfd.h>

#include "program.h"

static void expect(int fd, int signal, int value)
{
	struct signalfd_siginfo info = { 0 };

	CHECK(read(fd, &info, sizeof(info)) == sizeof(info), "%s",
	      strerror(errno));
	CHECK(info.ssi_signo == (uint32_t)signal && info.ssi_int == value,
	      "signal %u value %d", info.ssi_signo, info.ssi_int);
}

int main(int argc, char **argv)
{
	union sigval value = { .sival_int = 42 };
	sigset_t set;
	int fd;

	program_start(argc, argv);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL));
	fd = NEED(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
	NEED(sigqueue(getpid(), SIGRTMIN, value));

	program_ready();

	expect(fd, SIGRTMIN, 42);
	value.sival_int = 43;
	CHECK(sigqueue(getpid(), SIGUSR1, value) == 0, "sigqueue");
	expect(fd, SIGUSR1, 43);
	CHECK(read(fd, &set, 0) < 0, "empty");
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC, "close on exec");
	return program_result();
}
