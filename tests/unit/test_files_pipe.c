/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_files_pipe.c - pipes and FIFOs with what is in them
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>

#include "files_scene.h"

#define FIFO "/tmp/cr-test-files.fifo"

static int ends[2];

/* A pipe with its ends at @number and @number + 1. */
static void pipe_at(int number, int flags)
{
	int made[2];

	CHECK(pipe2(made, flags) == 0);
	CHECK(dup2(made[0], number) == number);
	CHECK(dup2(made[1], number + 1) == number + 1);
	close(made[0]);
	close(made[1]);
}

static void open_pipes(int task)
{
	if (task == 1) {
		close(10);
		close(13);
		return;
	}
	pipe_at(10, 0);
	CHECK(write(11, "in flight", 9) == 9);
	pipe_at(12, O_NONBLOCK);
	CHECK(fcntl(12, F_SETPIPE_SZ, 1 << 18) == 1 << 18);
	pipe_at(14, 0);
	CHECK(write(15, "last words", 10) == 10);
	close(15);
	pipe_at(16, 0);
	close(16);
}

static void check_pipes(int task)
{
	char text[32] = "";

	if (task == 0) {
		CHECK(read(10, text, sizeof(text)) == 9);
		CHECK(!strcmp(text, "in flight"));
		*(volatile uint64_t *)&shared->notes[0] = 1;
		CHECK(!(fcntl(10, F_GETFL) & O_NONBLOCK));
		CHECK(read(10, text, 1) == 1 && text[0] == '!');
		CHECK(fcntl(12, F_GETPIPE_SZ) == 1 << 18);
		CHECK(fcntl(12, F_GETFL) & O_NONBLOCK);
		CHECK(read(14, text, sizeof(text)) == 10);
		CHECK(!memcmp(text, "last words", 10));
		CHECK(read(14, text, sizeof(text)) == 0);
		signal(SIGPIPE, SIG_IGN);
		CHECK(write(17, "x", 1) < 0 && errno == EPIPE);
	} else {
		while (!*(volatile uint64_t *)&shared->notes[0])
			usleep(100);
		CHECK(write(11, "!", 1) == 1);
		CHECK(fcntl(10, F_GETFD) < 0 && errno == EBADF);
	}
}

static void pipes_keep_content_size_and_closed_ends(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_pipes,
			       .check = check_pipes };

	(void)state;
	assert_scene(&scene);
}

/* Each end with another task: the second makes nothing. */
static void open_split(int task)
{
	if (task == 0) {
		pipe_at(10, 0);
	} else {
		CHECK(write(11, "hello", 5) == 5);
		close(10);
	}
}

static void close_split(int task)
{
	char text[8] = "";

	if (task == 0) {
		close(11);
		CHECK(read(10, text, sizeof(text)) == 5);
		CHECK(read(10, text, sizeof(text)) == 5);
		CHECK(read(10, text, sizeof(text)) == 0);
	} else {
		usleep(20000);
		CHECK(write(11, "again", 5) == 5);
	}
}

static void ends_of_a_pipe_meet_in_other_tasks(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_split,
			       .check = close_split };

	(void)state;
	assert_scene(&scene);
}

static void open_packets(int task)
{
	(void)task;
	pipe_at(10, O_DIRECT);
	CHECK(write(11, "one", 3) == 3);
	CHECK(write(11, "three", 5) == 5);
	pipe_at(12, O_DIRECT);
	CHECK(write(13, "single", 6) == 6);
}

static void check_packets(int task)
{
	char text[32] = "";

	(void)task;
	CHECK(read(10, text, sizeof(text)) == 3 && !memcmp(text, "one", 3));
	CHECK(read(10, text, sizeof(text)) == 5 && !memcmp(text, "three", 5));
	CHECK(write(13, "more", 4) == 4);
	CHECK(read(12, text, sizeof(text)) == 6);
	CHECK(read(12, text, sizeof(text)) == 4);
	CHECK(fcntl(11, F_GETFL) & O_DIRECT);
}

static void packets_stay_apart(void **state)
{
	struct scene scene = { .open_all = open_packets,
			       .check = check_packets };

	(void)state;
	assert_scene(&scene);
}

static void open_full(int task)
{
	char page[4096] = "";

	(void)task;
	pipe_at(10, O_NONBLOCK);
	while (write(11, page, sizeof(page)) > 0)
		page[0]++;
	CHECK(errno == EAGAIN);
	/* A second reading description of the same pipe. */
	CHECK(dup2(open("/proc/self/fd/10", O_RDONLY | O_NONBLOCK), 12) == 12);
	close_range(3, 9, 0);
}

static void check_full(int task)
{
	char page[4096];
	int i;

	(void)task;
	CHECK(syscall(SYS_kcmp, getpid(), getpid(), 0, 10, 12) != 0);
	CHECK(write(11, page, 1) < 0 && errno == EAGAIN);
	for (i = 0; i < 16; i++)
		CHECK(read(i % 2 ? 10 : 12, page, sizeof(page)) == 4096 &&
		      page[0] == i);
	CHECK(read(10, page, sizeof(page)) < 0 && errno == EAGAIN);
}

static void a_full_pipe_stays_full(void **state)
{
	struct scene scene = { .open_all = open_full, .check = check_full };

	(void)state;
	assert_scene(&scene);
}

static void open_outside(int task)
{
	int self;

	(void)task;
	self = (int)syscall(SYS_pidfd_open, getppid(), 0);
	CHECK(syscall(SYS_pidfd_getfd, self, ends[0], 0) >= 0);
	close(self);
}

static void a_pipe_out_of_the_tree_is_refused(void **state)
{
	struct scene scene = { .open_all = open_outside };

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_scene_fails(&scene, -EOPNOTSUPP, "fd 4: pipe:[");
	close(ends[0]);
	close(ends[1]);
}

static void open_fifo(int task)
{
	int both;

	(void)task;
	unlink(FIFO);
	CHECK(mkfifo(FIFO, 0620) == 0 && chmod(FIFO, 0620) == 0);
	both = open(FIFO, O_RDWR);
	CHECK(dup2(open(FIFO, O_RDONLY), 10) == 10);
	CHECK(dup2(open(FIFO, O_WRONLY | O_NONBLOCK), 11) == 11);
	CHECK(write(11, "queued", 6) == 6);
	close(both);
	close_range(3, 9, 0);
}

static void check_fifo(int task)
{
	char text[16] = "";
	struct stat st;

	(void)task;
	CHECK(stat(FIFO, &st) == 0 && (st.st_mode & 07777) == 0620);
	CHECK(read(10, text, sizeof(text)) == 6 && !strcmp(text, "queued"));
	CHECK(!(fcntl(10, F_GETFL) & O_NONBLOCK));
	CHECK(fcntl(11, F_GETFL) & O_NONBLOCK);
	close(11);
	CHECK(read(10, text, sizeof(text)) == 0);
}

static void fifos_keep_their_content(void **state)
{
	struct scene scene = { .open_all = open_fifo, .check = check_fifo };

	(void)state;
	assert_scene(&scene);
	unlink(FIFO);
}

static void remove_fifo(void)
{
	unlink(FIFO);
}

static void a_fifo_that_is_gone_is_made_again(void **state)
{
	struct scene scene = { .open_all = open_fifo,
			       .between = remove_fifo,
			       .check = check_fifo };

	(void)state;
	assert_scene(&scene);
	unlink(FIFO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pipes_keep_content_size_and_closed_ends),
		cmocka_unit_test(ends_of_a_pipe_meet_in_other_tasks),
		cmocka_unit_test(packets_stay_apart),
		cmocka_unit_test(a_full_pipe_stays_full),
		cmocka_unit_test(a_pipe_out_of_the_tree_is_refused),
		cmocka_unit_test(fifos_keep_their_content),
		cmocka_unit_test(a_fifo_that_is_gone_is_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
