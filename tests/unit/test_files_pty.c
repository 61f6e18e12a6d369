/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_files_pty.c - pseudo terminals
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <termios.h>

#include "files_scene.h"

static int outside = -1;

static int open_master(void)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	CHECK(fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0);
	return fd;
}

static void wait_note(int i)
{
	while (!*(volatile uint64_t *)&shared->notes[i] && !shared->failed[0])
		usleep(100);
}

static void open_terminal(int task)
{
	struct winsize size = { .ws_row = 33, .ws_col = 111 };
	struct termios termios;
	unsigned int index;
	int fd;

	if (task == 0) {
		CHECK(dup2(open_master(), 10) == 10);
		CHECK(dup2(open_master(), 11) == 11);
		close_range(3, 9, 0);
		CHECK(ioctl(10, TIOCGPTN, &index) == 0);
		shared->notes[8] = index;
		CHECK(ioctl(10, TIOCSWINSZ, &size) == 0);
		return;
	}
	CHECK(setsid() > 0);
	fd = open(ptsname(10), O_RDWR);
	CHECK(fd >= 0 && dup2(fd, 12) == 12);
	close(fd);
	CHECK(tcgetattr(12, &termios) == 0);
	cfmakeraw(&termios);
	termios.c_cc[VMIN] = 3;
	CHECK(tcsetattr(12, TCSANOW, &termios) == 0);
	CHECK(tcgetsid(12) == getpid());
	fd = open("/dev/tty", O_RDWR);
	CHECK(fd >= 0 && dup2(fd, 14) == 14);
	close(fd);
	close(10);
	close(11);
}

static void check_terminal(int task)
{
	struct winsize size = { 0 };
	struct termios termios;
	unsigned int index;
	char text[16] = "";

	if (task == 0) {
		CHECK(ioctl(10, TIOCGPTN, &index) == 0);
		CHECK(index == shared->notes[8]);
		CHECK(ioctl(10, TIOCGWINSZ, &size) == 0);
		CHECK(size.ws_row == 33 && size.ws_col == 111);
		CHECK(fcntl(12, F_GETFD) < 0);
		CHECK(write(10, "abc", 3) == 3);
		CHECK(read(10, text, 3) == 3 && !memcmp(text, "xyz", 3));
		shared->notes[0] = 1;
		return;
	}
	signal(SIGHUP, SIG_IGN); /* the other may end first */
	/* whose terminal it is, is restored elsewhere: tree_terminal */
	CHECK(tcgetattr(12, &termios) == 0);
	CHECK(!(termios.c_lflag & (ICANON | ECHO)));
	CHECK(termios.c_cc[VMIN] == 3);
	snprintf(text, sizeof(text), "/dev/pts/%u",
		 (unsigned int)shared->notes[8]);
	CHECK(ttyname(12) && !strcmp(ttyname(12), text));
	CHECK(read(12, text, 3) == 3 && !memcmp(text, "abc", 3));
	CHECK(write(14, "xyz", 3) == 3);
	wait_note(0);
}

static void terminals_keep_number_size_and_modes(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_terminal,
			       .check = check_terminal };

	(void)state;
	assert_scene(&scene);
}

static void take_number(void)
{
	unsigned int index;
	int fds[2] = { posix_openpt(O_RDWR | O_NOCTTY),
		       posix_openpt(O_RDWR | O_NOCTTY) };

	assert_int_equal(ioctl(fds[0], TIOCGPTN, &index), 0);
	assert_int_equal(index, shared->notes[8]);
	outside = fds[0];
	close(fds[1]);
}

static void a_number_that_is_taken_is_told(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_terminal,
			       .between = take_number,
			       .check = check_terminal };

	(void)state;
	assert_scene_fails(&scene, -EEXIST, "the number is taken here");
	close(outside);
}

static void open_unread(int task)
{
	open_terminal(task);
	if (task == 0) {
		/* A canonical one: two lines, and the start of a third. */
		CHECK(dup2(open(ptsname(11), O_RDWR | O_NOCTTY), 13) == 13);
		CHECK(write(11, "one\ntwo\nthr", 11) == 11);
		close_range(3, 9, 0);
		return;
	}
	CHECK(write(12, "unread\n", 7) == 7);
}

static void check_unread(int task)
{
	struct termios termios;
	char text[32] = "";
	int n;

	if (task)
		return;
	CHECK(read(10, text, 32) == 7 && !memcmp(text, "unread\n", 7));
	CHECK(read(13, text, 32) == 4 && !memcmp(text, "one\n", 4));
	CHECK(read(13, text, 32) == 4 && !memcmp(text, "two\n", 4));
	CHECK(write(11, "ee\n", 3) == 3);
	CHECK(read(13, text, 32) == 6 && !memcmp(text, "three\n", 6));
	/* Echoed once, when it was written. */
	for (n = 0; n < 17;)
		n += (int)read(11, text + n, sizeof(text) - (size_t)n);
	CHECK(n == 17);
	CHECK(!memcmp(text, "one\r\ntwo\r\nthree\r\n", 17));
	CHECK(tcgetattr(13, &termios) == 0 && termios.c_lflag & ECHO);
	CHECK(termios.c_cc[VEOF] == 4 && termios.c_oflag & OPOST);
}

static void bytes_on_their_way_arrive(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_unread,
			       .check = check_unread };

	(void)state;
	assert_scene(&scene);
}

static void open_slave_of_other(int task)
{
	int self = (int)syscall(SYS_pidfd_open, getppid(), 0);
	int fd = (int)syscall(SYS_pidfd_getfd, self, outside, 0);

	(void)task;
	CHECK(dup2(open(ptsname(fd), O_RDWR | O_NOCTTY), 0) == 0);
	CHECK(dup2(open("/dev/tty", O_RDWR), 9) < 0);
	close_range(3, 9, 0);
}

static void check_stream(int task)
{
	(void)task;
	CHECK(write(0, "here", 4) == 4);
}

static void a_terminal_from_outside_is_a_stream_or_refused(void **state)
{
	struct scene scene = { .open_all = open_slave_of_other,
			       .check = check_stream };
	char text[8] = "";
	int to[2];

	(void)state;
	outside = posix_openpt(O_RDWR | O_NOCTTY);
	assert_int_equal(grantpt(outside), 0);
	assert_int_equal(unlockpt(outside), 0);
	assert_scene_fails(&scene, -EOPNOTSUPP, "outside the tree");
	assert_int_equal(pipe(to), 0);
	scene.guess_streams = 1;
	scene.stream = to[1];
	assert_scene(&scene);
	assert_int_equal(read(to[0], text, 8), 4);
	close(to[0]);
	close(to[1]);
	close(outside);
}

/* Terminals of our own: the numbers are nobody else's. */
static int private_terminals(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("devpts", "/dev/pts", "devpts", 0,
		  "newinstance,ptmxmode=0666,mode=0620") < 0)
		return -errno;
	return mount("/dev/pts/ptmx", "/dev/ptmx", NULL, MS_BIND, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(terminals_keep_number_size_and_modes),
		cmocka_unit_test(a_number_that_is_taken_is_told),
		cmocka_unit_test(bytes_on_their_way_arrive),
		cmocka_unit_test(
			a_terminal_from_outside_is_a_stream_or_refused),
	};

	return cmocka_run_group_tests(tests, private_terminals, NULL);
}
