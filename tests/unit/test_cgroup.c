/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_cgroup.c - a rank's cgroups are joined, or it is said which cannot be
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "cgroup.h"

#define FLOOR 100

struct fixture {
	char folder[64]; /* a cgroup, with one process */
	pid_t pid;
	struct cr_error err;
};

static int put_in(const struct fixture *f)
{
	char path[96];
	int fd, n;

	snprintf(path, sizeof(path), "%s/cgroup.procs", f->folder);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : dprintf(fd, "%d", f->pid);
	if (fd >= 0)
		close(fd);
	return n;
}

/* Where cgroups can be made: a hierarchy of v1, else that of v2. */
static int setup(void **state)
{
	static const char *const roots[] = { "/freezer", "/pids", "" };
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.pid = fork();
	if (f.pid == 0)
		for (;;)
			pause();
	*state = &f;
	for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
		snprintf(f.folder, sizeof(f.folder),
			 "/sys/fs/cgroup%s/test_cgroup.%d", roots[i], getpid());
		if (mkdir(f.folder, 0700) == 0 && put_in(&f) > 0)
			return 0;
		rmdir(f.folder);
	}
	f.folder[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	if (f->folder[0])
		rmdir(f->folder);
	return 0;
}

static void whoever_joins_is_there(void **state)
{
	struct cr_cgroups cgroups;
	struct fixture *f = *state;
	char path[96], text[32] = "";
	int fd, status;
	pid_t pid;

	if (!f->folder[0])
		skip();
	assert_int_equal(cr_cgroups_open(&cgroups, f->pid, FLOOR, &f->err), 0);
	assert_true(cgroups.nr > 0 && cgroups.fds[0] >= FLOOR);
	pid = fork();
	if (pid == 0) {
		int rc = cr_cgroups_join(&cgroups, NULL);

		snprintf(path, sizeof(path), "%s/cgroup.procs", f->folder);
		fd = open(path, O_RDONLY);
		if (read(fd, text, sizeof(text) - 1) < 0)
			rc = -errno;
		snprintf(path, sizeof(path), "\n%d\n", getpid());
		_exit(rc || !strstr(text, path));
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	cr_cgroups_close(&cgroups);
}

/* One descriptor is left, which /proc/PID/cgroup takes. */
static void a_cgroup_that_cannot_be_opened_is_an_error(void **state)
{
	struct cr_cgroups cgroups;
	struct fixture *f = *state;
	struct rlimit limit, before;
	int rc;

	if (!f->folder[0])
		skip();
	getrlimit(RLIMIT_NOFILE, &before);
	limit = before;
	limit.rlim_cur = (rlim_t)dup(0);
	close((int)limit.rlim_cur++);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	rc = cr_cgroups_open(&cgroups, f->pid, 0, &f->err);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(rc, -EMFILE);
	assert_non_null(strstr(f->err.text, "the rank's cgroup "));
	assert_int_equal(cgroups.nr, 0);
}

static void hide_cgroups(void)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL) < 0)
		skip();
}

static void a_cgroup_that_is_nowhere_is_an_error_unless_it_is_ours(void **state)
{
	struct cr_cgroups cgroups;
	struct fixture *f = *state;
	int rc, own;

	if (!f->folder[0])
		skip();
	hide_cgroups();
	rc = cr_cgroups_open(&cgroups, f->pid, FLOOR, &f->err);
	own = cr_cgroups_open(&cgroups, getpid(), FLOOR, NULL);
	umount2("/sys/fs/cgroup", MNT_DETACH);
	assert_int_equal(rc, -EOPNOTSUPP);
	assert_non_null(strstr(f->err.text, "/test_cgroup."));
	assert_int_equal(own, 0);
	assert_int_equal(cgroups.nr, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(whoever_joins_is_there),
		TEST(a_cgroup_that_cannot_be_opened_is_an_error),
		TEST(a_cgroup_that_is_nowhere_is_an_error_unless_it_is_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
