/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_pty.c - a pseudo terminal: its number, size and modes, data on the way
 * both ways, and a session for which it is the controlling terminal
 */
#include <sys/ioctl.h>
#include <termios.h>

#include "program.h"

static char slave_name[64];

static void session(void *arg)
{
	char line[32] = "";
	int fd;

	(void)arg;
	NEED(setsid());
	fd = NEED(open(slave_name, O_RDWR));
	NEED(ioctl(fd, TIOCSCTTY, 0));
	NEED(write(fd, "out", 3));
	program_mark("session");
	program_await("check");
	CHECK(tcgetsid(fd) == getpid(), "session of the terminal: %d",
	      tcgetsid(fd));
	CHECK(tcgetpgrp(fd) == getpid(), "foreground group %d", tcgetpgrp(fd));
	CHECK(read(fd, line, sizeof(line) - 1) == 3 && !strcmp(line, "in\n"),
	      "read `%s'", line);
	fd = open("/dev/tty", O_RDWR);
	CHECK(fd >= 0, "/dev/tty: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	struct winsize size = { 11, 22, 33, 44 }, size_now = { 0 };
	struct termios modes, modes_now;
	char got[32] = "", name[64];
	int master, slave;
	pid_t pid;

	program_start(argc, argv);
	master = NEED(posix_openpt(O_RDWR | O_NOCTTY));
	NEED(grantpt(master));
	NEED(unlockpt(master));
	NEED_ZERO(ptsname_r(master, slave_name, sizeof(slave_name)));
	slave = NEED(open(slave_name, O_RDWR | O_NOCTTY));
	NEED(tcgetattr(slave, &modes));
	modes.c_lflag &= ~(tcflag_t)ECHO;
	modes.c_cc[VINTR] = 7;
	NEED(tcsetattr(slave, TCSANOW, &modes));
	NEED(ioctl(master, TIOCSWINSZ, &size));
	pid = program_child(session, NULL);
	program_await("session");
	NEED(write(master, "in\n", 3));

	program_ready();

	CHECK(ptsname_r(master, name, sizeof(name)) == 0 &&
		      strcmp(name, slave_name) == 0,
	      "name %s was %s", name, slave_name);
	CHECK(ioctl(slave, TIOCGWINSZ, &size_now) == 0 &&
		      memcmp(&size, &size_now, sizeof(size)) == 0,
	      "size %d x %d", size_now.ws_row, size_now.ws_col);
	CHECK(tcgetattr(slave, &modes_now) == 0 &&
		      modes.c_lflag == modes_now.c_lflag &&
		      modes.c_iflag == modes_now.c_iflag &&
		      modes_now.c_cc[VINTR] == 7,
	      "modes");
	CHECK(read(master, got, sizeof(got) - 1) == 3 && !strcmp(got, "out"),
	      "read `%s'", got);
	program_join(pid);
	return program_result();
}
