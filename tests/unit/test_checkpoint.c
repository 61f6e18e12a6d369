/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_checkpoint.c - the steps of a checkpoint, on small trees of our own
 *
 * Trees count in memory that is shared with the test, so that it is seen
 * whether they run.  What an image must hold is tested by restarting it, in
 * tests/engine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cr_checkpoint.h"
#include "cr_tcp.h"
#include "image_wire.h"

#define NR_COUNTERS 64
#define TEXT_LENGTH 4096

struct fixture {
	volatile uint64_t *counters; /* [NR_COUNTERS], shared */
	char folder[64];
	pid_t pid;
	struct cr_root root;
	struct cr_checkpoint_options options;
	struct cr_checkpoint *checkpoint;
};

static struct fixture *fixture; /* for the children */

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->counters = mmap(NULL, NR_COUNTERS * 8, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	strcpy(f->folder, "/tmp/test_checkpoint.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	*state = fixture = f;
	return f->counters == MAP_FAILED;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char path[128];

	cr_checkpoint_close(f->checkpoint);
	if (f->pid > 0) {
		kill(-f->pid, SIGKILL);
		while (waitpid(-f->pid, NULL, 0) > 0)
			;
	}
	snprintf(path, sizeof(path), "%s/image", f->folder);
	unlink(path);
	/* fails if anything else was left */
	assert_int_equal(rmdir(f->folder), 0);
	munmap((void *)(uintptr_t)f->counters, NR_COUNTERS * 8);
	free(f);
	return 0;
}

static void nap(void)
{
	usleep(1000);
}

/* Start @body in a process group of its own and wait until it counts. */
static void start(struct fixture *f, void (*body)(void))
{
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0) {
		int null = open("/dev/null", O_RDWR);

		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
		close_range(3, ~0u, 0);
		body();
		_exit(0);
	}
	setpgid(f->pid, f->pid);
	while (!f->counters[0])
		nap();
	f->root.pid = f->pid;
	f->options.roots = &f->root;
	f->options.nr_roots = 1;
	f->options.dirfd = open(f->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	f->options.name = "image";
	f->options.image_fd = -1;
}

static void open_and_freeze(struct fixture *f)
{
	struct cr_error err = { 0 };

	assert_int_equal(cr_checkpoint_open(&f->options, &f->checkpoint, &err),
			 0);
	if (cr_checkpoint_freeze(f->checkpoint, &err) < 0)
		fail_msg("%s", err.text);
}

/* Does counter @i still move? */
static int counts(const struct fixture *f, int i)
{
	uint64_t before = f->counters[i];

	for (int tries = 0; tries < 200; tries++) {
		nap();
		if (f->counters[i] != before)
			return 1;
	}
	return 0;
}

static void assert_stands_still(const struct fixture *f)
{
	uint64_t before[NR_COUNTERS];

	memcpy(before, (void *)(uintptr_t)f->counters, sizeof(before));
	usleep(50000);
	assert_memory_equal((void *)(uintptr_t)f->counters, before,
			    sizeof(before));
}

static void count(int i)
{
	for (;;) {
		fixture->counters[i]++;
		nap();
	}
}

static void count_alone(void)
{
	count(0);
}

static void *count_in_thread(void *arg)
{
	count((int)(intptr_t)arg);
	return NULL;
}

/* Four processes of four threads each; the first counter comes last. */
static void count_in_tree(void)
{
	pthread_t thread;
	int base = 0;

	for (int i = 1; i < 4; i++)
		if (fork() == 0) {
			base = i * 4;
			break;
		}
	for (int i = 1; i < 4; i++)
		pthread_create(&thread, NULL, count_in_thread,
			       (void *)(intptr_t)(base + i));
	if (base)
		count(base);
	for (int i = 1; i < 16; i++)
		while (!fixture->counters[i])
			nap();
	count(0);
}

static void a_frozen_tree_stands_still_until_thaw(void **state)
{
	struct fixture *f = *state;
	struct cr_checkpoint_stats stats;
	struct cr_error err = { 0 };

	start(f, count_in_tree);
	open_and_freeze(f);
	assert_stands_still(f);
	if (cr_checkpoint_save(f->checkpoint, &err) < 0)
		fail_msg("%s", err.text);
	assert_stands_still(f);
	cr_checkpoint_stats(f->checkpoint, &stats);
	assert_int_equal(stats.nr_tasks, 4);
	assert_int_equal(stats.nr_threads, 16);
	assert_int_equal(cr_checkpoint_thaw(f->checkpoint, &err), 0);
	for (int i = 0; i < 16; i++)
		assert_true(counts(f, i));
}

static void closing_thaws_and_leaves_no_image(void **state)
{
	struct fixture *f = *state;
	struct cr_error err = { 0 };

	start(f, count_alone);
	open_and_freeze(f);
	assert_int_equal(cr_checkpoint_save(f->checkpoint, &err), 0);
	cr_checkpoint_close(f->checkpoint);
	f->checkpoint = NULL;
	assert_true(counts(f, 0)); /* and teardown finds no file */
	assert_int_equal(rmdir(f->folder), 0);
	assert_int_equal(mkdir(f->folder, 0700), 0);
}

static void collecting_tells_of_connections_and_writes_nothing(void **state)
{
	struct fixture *f = *state;
	struct cr_error err = { 0 };
	struct cr_tcp_end *ends;
	size_t nr_ends;

	start(f, count_alone);
	open_and_freeze(f);
	assert_int_equal(cr_checkpoint_connections(f->checkpoint, &ends,
						   &nr_ends, &err),
			 -EPROTO);
	assert_int_equal(cr_checkpoint_collect(f->checkpoint, &err), 0);
	assert_int_equal(cr_checkpoint_connections(f->checkpoint, &ends,
						   &nr_ends, &err),
			 0);
	assert_int_equal(nr_ends, 0);
	free(ends);
	assert_int_equal(rmdir(f->folder), 0);
	assert_int_equal(mkdir(f->folder, 0700), 0);
	assert_int_equal(cr_checkpoint_collect(f->checkpoint, &err), -EPROTO);
	assert_stands_still(f);
	assert_int_equal(cr_checkpoint_thaw(f->checkpoint, &err), 0);
	assert_true(counts(f, 0));
}

static void commit_names_the_image_and_end_ends_all(void **state)
{
	struct fixture *f = *state;
	struct cr_error err = { 0 };
	struct stat st;
	int status;

	start(f, count_in_tree);
	open_and_freeze(f);
	assert_int_equal(cr_checkpoint_save(f->checkpoint, &err), 0);
	assert_int_equal(fstatat(f->options.dirfd, "image", &st, 0), -1);
	assert_int_equal(cr_checkpoint_commit(f->checkpoint, &err), 0);
	assert_int_equal(fstatat(f->options.dirfd, "image", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(cr_checkpoint_end(f->checkpoint, &err), 0);
	assert_stands_still(f);
	/* we are its parent and its tracer: it has been told to us already */
	assert_int_equal(waitpid(f->pid, &status, WNOHANG), -1);
	assert_int_equal(kill(f->pid, 0), -1);
	f->pid = 0;
}

static void steps_out_of_order_are_refused(void **state)
{
	struct fixture *f = *state;
	struct cr_error err = { 0 };

	start(f, count_alone);
	assert_int_equal(cr_checkpoint_open(&f->options, &f->checkpoint, &err),
			 0);
	assert_int_equal(cr_checkpoint_save(f->checkpoint, &err), -EPROTO);
	assert_int_equal(cr_checkpoint_verdict(f->checkpoint, NULL, NULL, &err),
			 -EPROTO);
	assert_int_equal(cr_checkpoint_commit(f->checkpoint, &err), -EPROTO);
	assert_int_equal(cr_checkpoint_thaw(f->checkpoint, &err), -EPROTO);
	assert_int_equal(cr_checkpoint_end(f->checkpoint, &err), -EPROTO);
	assert_int_equal(cr_checkpoint_freeze(f->checkpoint, &err), 0);
	assert_int_equal(cr_checkpoint_freeze(f->checkpoint, &err), -EPROTO);
	assert_int_equal(cr_checkpoint_commit(f->checkpoint, &err), -EPROTO);
	assert_true(counts(f, 0) == 0);
}

static void nothing_to_save_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cr_error err = { 0 };

	assert_int_equal(cr_checkpoint_open(&f->options, &f->checkpoint, &err),
			 -EINVAL);
	assert_null(f->checkpoint);
}

static void a_root_that_is_gone_is_named(void **state)
{
	struct fixture *f = *state;
	struct cr_error err = { 0 };

	start(f, count_alone);
	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	f->pid = 0;
	assert_int_equal(cr_checkpoint_open(&f->options, &f->checkpoint, &err),
			 0);
	assert_int_equal(cr_checkpoint_freeze(f->checkpoint, &err), -ESRCH);
	assert_string_not_equal(err.text, "");
}

static void child_traced_by_root(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		count(1);
	}
	waitpid(pid, NULL, 0);
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	count(0);
}

static void a_task_that_is_traced_is_busy_and_all_go_on(void **state)
{
	struct fixture *f = *state;
	struct cr_error err = { 0 };

	start(f, child_traced_by_root);
	assert_int_equal(cr_checkpoint_open(&f->options, &f->checkpoint, &err),
			 0);
	assert_int_equal(cr_checkpoint_freeze(f->checkpoint, &err), -EBUSY);
	assert_true(counts(f, 0));
	assert_true(counts(f, 1));
}

/* A vfork(2) child that does not leave: its parent cannot be stopped. */
static void vfork_for_ever(void)
{
	if (fork() == 0)
		count(1);
	if (vfork() == 0)
		count(0);
}

static void a_vfork_without_end_times_out_and_all_go_on(void **state)
{
	struct fixture *f = *state;
	struct cr_error err = { 0 };

	start(f, vfork_for_ever);
	f->options.timeout_ms = 300;
	assert_int_equal(cr_checkpoint_open(&f->options, &f->checkpoint, &err),
			 0);
	assert_int_equal(cr_checkpoint_freeze(f->checkpoint, &err), -ETIMEDOUT);
	assert_true(counts(f, 0));
	assert_true(counts(f, 1));
}

/* Mostly in a system call that nothing but SIGKILL interrupts. */
static void populate_memory(void)
{
	const size_t length = 256 << 20;

	for (;;) {
		fixture->counters[0]++;
		munmap(mmap(NULL, length, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0),
		       length);
	}
}

static void what_worked_when_tried_again_leaves_no_error(void **state)
{
	struct fixture *f = *state;
	struct cr_error err = { 0 };

	start(f, populate_memory);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(cr_checkpoint_open(&f->options, &f->checkpoint,
						    &err),
				 0);
		assert_int_equal(cr_checkpoint_freeze(f->checkpoint, &err), 0);
		assert_string_equal(err.text, "");
		cr_checkpoint_close(f->checkpoint);
		f->checkpoint = NULL;
	}
}

/* Every child makes the next one and ends: there is always a new one. */
static void fork_for_ever(void)
{
	for (;;) {
		if (fork() == 0)
			_exit(0);
		fixture->counters[0]++;
		waitpid(-1, NULL, WNOHANG);
		if (vfork() == 0)
			_exit(0);
		waitpid(-1, NULL, WNOHANG);
	}
}

static void a_tree_that_forks_is_caught_every_time(void **state)
{
	struct fixture *f = *state;

	start(f, fork_for_ever);
	for (int i = 0; i < 20; i++) {
		open_and_freeze(f);
		assert_stands_still(f);
		cr_checkpoint_close(f->checkpoint);
		f->checkpoint = NULL;
		assert_true(counts(f, 0));
	}
}

static void hold_things(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 ||
	    socket(AF_INET, SOCK_DGRAM, 0) < 0 ||
	    mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fds[0], 0) != MAP_FAILED)
		_exit(1);
	count(0);
}

static void note(void *arg, const struct cr_error *why)
{
	assert_int_equal(why->code, -EOPNOTSUPP);
	assert_true(strlen(arg) + strlen(why->text) < TEXT_LENGTH);
	strcat(arg, why->text);
}

static void what_cannot_be_saved_is_named_and_the_tree_goes_on(void **state)
{
	struct fixture *f = *state;
	struct cr_error err = { 0 };
	char text[TEXT_LENGTH] = "", vpid[32];

	start(f, hold_things);
	open_and_freeze(f);
	assert_int_equal(cr_checkpoint_verdict(f->checkpoint, note, text, &err),
			 -EOPNOTSUPP);
	snprintf(vpid, sizeof(vpid), "vpid %d fd 5", f->pid);
	assert_non_null(strstr(text, vpid));
	assert_int_equal(cr_checkpoint_save(f->checkpoint, &err), -EOPNOTSUPP);
	cr_checkpoint_close(f->checkpoint);
	f->checkpoint = NULL;
	assert_true(counts(f, 0));
}

static void an_image_that_cannot_be_made_leaves_the_tree_alone(void **state)
{
	struct fixture *f = *state;
	struct cr_error err = { 0 };

	start(f, count_alone);
	f->options.name = "no/such/folder/image";
	open_and_freeze(f);
	assert_int_equal(cr_checkpoint_save(f->checkpoint, &err), -ENOENT);
	assert_stands_still(f);
	assert_int_equal(cr_checkpoint_thaw(f->checkpoint, &err), 0);
	assert_true(counts(f, 0));
}

/* Half of what the child has was its parent's before it wrote. */
#define COW_LENGTH (32ul << 20)

static void share_memory(void)
{
	char *memory = mmap(NULL, COW_LENGTH, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(memory, COW_LENGTH, MADV_NOHUGEPAGE);
	memset(memory, 1, COW_LENGTH);
	if (fork() == 0) {
		memset(memory, 2, COW_LENGTH / 2);
		fixture->counters[1] = 1;
		count(1);
	}
	while (!fixture->counters[1])
		nap();
	count(0);
}

static void pages_that_relatives_share_are_saved_once(void **state)
{
	struct fixture *f = *state;
	struct cr_checkpoint_stats stats;
	struct cr_error err = { 0 };

	if (geteuid())
		skip(); /* page frames are root's to see */
	start(f, share_memory);
	open_and_freeze(f);
	assert_int_equal(cr_checkpoint_save(f->checkpoint, &err), 0);
	assert_int_equal(cr_checkpoint_commit(f->checkpoint, &err), 0);
	cr_checkpoint_stats(f->checkpoint, &stats);
	assert_true(stats.cow_shared_bytes >= COW_LENGTH / 2);
	assert_true(stats.memory_bytes >= COW_LENGTH + COW_LENGTH / 2);
#ifndef __SANITIZE_ADDRESS__ /* which has much memory of its own */
	assert_true(stats.memory_bytes < 2 * COW_LENGTH);
#endif
}

/* As a setuid program of user 1 that user 2 has started. */
static void count_with_more_rights(void)
{
	if (fork() == 0) {
		if (setresuid(2, 1, 1) < 0)
			_exit(1);
		count(1);
	}
	if (setresuid(2, 2, 2) < 0)
		_exit(1);
	while (!fixture->counters[1])
		nap();
	count(0);
}

static void a_task_with_more_rights_than_its_user_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cr_error err = { 0 };

	if (geteuid() != 0)
		skip();
	start(f, count_with_more_rights);
	f->options.user = 2;
	open_and_freeze(f);
	assert_int_equal(cr_checkpoint_save(f->checkpoint, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "uid 1, not of uid 2"));
	cr_checkpoint_close(f->checkpoint);
	f->options.user = 0;
	open_and_freeze(f);
	assert_int_equal(cr_checkpoint_save(f->checkpoint, &err), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_frozen_tree_stands_still_until_thaw),
		TEST(closing_thaws_and_leaves_no_image),
		TEST(collecting_tells_of_connections_and_writes_nothing),
		TEST(commit_names_the_image_and_end_ends_all),
		TEST(steps_out_of_order_are_refused),
		TEST(nothing_to_save_is_refused),
		TEST(a_root_that_is_gone_is_named),
		TEST(a_task_that_is_traced_is_busy_and_all_go_on),
		TEST(a_vfork_without_end_times_out_and_all_go_on),
		TEST(what_worked_when_tried_again_leaves_no_error),
		TEST(a_tree_that_forks_is_caught_every_time),
		TEST(what_cannot_be_saved_is_named_and_the_tree_goes_on),
		TEST(an_image_that_cannot_be_made_leaves_the_tree_alone),
		TEST(pages_that_relatives_share_are_saved_once),
		TEST(a_task_with_more_rights_than_its_user_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
