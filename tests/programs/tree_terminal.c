/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_terminal.c - a session with a controlling terminal whose master is in
 * the tree: all its members have it, but for one that has left it; one group
 * is in the foreground, another is stopped by a read
 */
#include <sys/ioctl.h>

#include "program.h"

static char slave_name[64];
static pid_t foreground_group;
static volatile sig_atomic_t nr_input_signals;

/* Field 7 of /proc/self/stat. */
static unsigned int terminal_number(void)
{
	char text[1024] = "";
	unsigned int number = 0;
	int fd = NEED(open("/proc/self/stat", O_RDONLY));

	NEED(read(fd, text, sizeof(text) - 1));
	close(fd);
	sscanf(strrchr(text, ')') + 1, " %*c %*d %*d %*d %u", &number);
	return number;
}

static void expect_terminal(const char *who, unsigned int number)
{
	unsigned int now = terminal_number();
	int fd = open("/dev/tty", O_RDWR);

	CHECK(now == number, "%s: terminal %#x was %#x", who, now, number);
	CHECK(fd >= 0, "%s: /dev/tty: %s", who, strerror(errno));
	CHECK(tcgetpgrp(fd) == foreground_group, "%s: foreground %d was %d",
	      who, tcgetpgrp(fd), foreground_group);
	close(fd);
}

static void foreground(void *arg)
{
	unsigned int number = terminal_number();
	pid_t grandchild;

	(void)arg;
	NEED(setpgid(0, 0));
	foreground_group = getpid();
	grandchild = NEED(fork());
	if (grandchild == 0) {
		program_mark("grandchild");
		program_await("check");
		expect_terminal("grandchild", number);
		_exit(program_result());
	}
	program_mark("foreground");
	program_await("check");
	expect_terminal("foreground", number);
	program_join(grandchild);
}

static void note_input(int signal_nr)
{
	(void)signal_nr;
	nr_input_signals++;
}

static void background(void *arg)
{
	const struct sigaction action = { .sa_handler = note_input };
	unsigned int number = terminal_number();
	char byte;
	int fd;

	(void)arg;
	NEED(setpgid(0, 0));
	program_mark("background");
	program_await("check");
	expect_terminal("background", number);
	NEED(sigaction(SIGTTIN, &action, NULL));
	fd = NEED(open(slave_name, O_RDONLY | O_NONBLOCK));
	CHECK(read(fd, &byte, 1) < 0 && errno == EINTR && nr_input_signals == 1,
	      "background read: %s, %d signals", strerror(errno),
	      (int)nr_input_signals);
}

static void without(void *arg)
{
	int fd = NEED(open("/dev/tty", O_RDWR));

	(void)arg;
	NEED(ioctl(fd, TIOCNOTTY));
	close(fd);
	program_mark("without");
	program_await("check");
	CHECK(terminal_number() == 0, "left: %#x", terminal_number());
	CHECK(open("/dev/tty", O_RDWR) < 0 && errno == ENXIO, "/dev/tty opens");
}

static pid_t start(void (*member)(void *), const char *name)
{
	pid_t pid = program_child(member, NULL);

	program_await(name);
	return pid;
}

static void session(void *arg)
{
	pid_t members[3];
	int fd;

	(void)arg;
	NEED(setsid());
	fd = NEED(open(slave_name, O_RDWR | O_NOCTTY));
	NEED(ioctl(fd, TIOCSCTTY, 0));
	NEED(signal(SIGTTOU, SIG_IGN) == SIG_ERR ? -1 : 0);
	members[0] = start(foreground, "foreground");
	program_await("grandchild");
	foreground_group = members[0];
	NEED(ioctl(fd, TIOCSPGRP, &foreground_group));
	members[1] = start(background, "background");
	members[2] = start(without, "without");
	program_mark("session");
	program_await("check");
	expect_terminal("leader", terminal_number());
	for (int i = 0; i < 3; i++)
		program_join(members[i]);
}

int main(int argc, char **argv)
{
	int master;
	pid_t pid;

	program_start(argc, argv);
	master = NEED(posix_openpt(O_RDWR | O_NOCTTY));
	NEED(grantpt(master));
	NEED(unlockpt(master));
	NEED_ZERO(ptsname_r(master, slave_name, sizeof(slave_name)));
	pid = program_child(session, NULL);
	program_await("session");

	program_ready();

	program_join(pid);
	CHECK(terminal_number() == 0 || getsid(0) != getpid(),
	      "the program itself has a terminal now");
	return program_result();
}
