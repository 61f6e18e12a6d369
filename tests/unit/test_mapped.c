/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_mapped.c - the file behind a mapping, found by root and by others
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mapped.h"
#include "procfs.h"

#define LENGTH 8192u
#define ORDINARY 4711

/* A file in a folder of its own, mapped. */
struct scene {
	char folder[64], name[96];
	struct stat stat;
	struct cr_proc_map map;
};

/* What smaps says of our mapping at @start. */
static struct cr_proc_map map_at(const void *start)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	struct cr_proc_map map = { 0 };

	while (file && map.start != (uint64_t)(uintptr_t)start &&
	       cr_proc_next_map(file, &map) > 0)
		;
	if (file)
		fclose(file);
	return map;
}

static int set_up(void **state)
{
	static struct scene it;
	struct scene *scene = &it;
	void *at;
	int fd;

	strcpy(scene->folder, "/var/tmp/test_mapped.XXXXXX");
	if (!mkdtemp(scene->folder))
		return -1;
	chmod(scene->folder, 0711);
	snprintf(scene->name, sizeof(scene->name), "%s/file", scene->folder);
	fd = open(scene->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || ftruncate(fd, LENGTH) < 0 || fstat(fd, &scene->stat) < 0)
		return -1;
	at = mmap(NULL, LENGTH, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	scene->map = map_at(at);
	*state = scene;
	return at == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	munmap((void *)(uintptr_t)scene->map.start, LENGTH);
	unlink(scene->name);
	return rmdir(scene->folder);
}

static int find(const struct scene *scene, struct cr_mapped *mapped)
{
	return cr_mapped_find(NULL, getpid(), &scene->map, mapped);
}

/* 0 if it is found and is the right one; 1 another; else a negative errno. */
static int try(const struct scene *scene)
{
	struct cr_mapped mapped;
	struct stat st = { 0 };
	int rc = find(scene, &mapped);

	if (rc < 0)
		return rc;
	rc = stat(mapped.path, &st) < 0 || st.st_ino != scene->stat.st_ino ||
	     st.st_dev != scene->stat.st_dev;
	cr_mapped_forget(&mapped);
	return rc;
}

/* The same, by an ordinary user. */
static int try_as_other(const struct scene *scene)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgid(ORDINARY) < 0 || setuid(ORDINARY) < 0 ||
		    prctl(PR_SET_DUMPABLE, 1) < 0)
			_exit(200);
		_exit(abs(try(scene)));
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : status;
}

static int replace(const struct scene *scene)
{
	int fd;

	unlink(scene->name);
	fd = open(scene->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 || ftruncate(fd, LENGTH) < 0 ? -1 : close(fd);
}

static void root_finds_any(void **state)
{
	struct scene *scene = *state;
	struct cr_mapped mapped;

	assert_int_equal(find(scene, &mapped), 0);
	assert_int_equal(mapped.fd, -1);
	assert_int_equal(try(scene), 0);
	assert_int_equal(replace(scene), 0);
	assert_int_equal(try(scene), 0);
	unlink(scene->name);
	assert_int_equal(try(scene), 0);
}

static void others_find_it_by_name(void **state)
{
	assert_int_equal(try_as_other(*state), 0);
}

/* Another file has the name now: it is not the one that is mapped. */
static void others_take_no_other_file(void **state)
{
	assert_int_equal(replace(*state), 0);
	assert_int_equal(try_as_other(*state), -EPERM);
}

static void others_find_nothing_without_a_name(void **state)
{
	struct scene *scene = *state;

	unlink(scene->name);
	assert_int_equal(try_as_other(scene), -EPERM);
}

static void others_find_no_shared_memory(void **state)
{
	struct scene *scene = *state;
	const struct cr_proc_map map = scene->map;
	void *at = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	scene->map = map_at(at);
	assert_int_equal(try_as_other(scene), -EPERM);
	scene->map = map;
	munmap(at, LENGTH);
}

static void what_is_not_mapped_is_not_found(void **state)
{
	struct scene *scene = *state;

	scene->map.start += LENGTH / 2;
	assert_int_equal(try(scene), -ENOENT);
	scene->map.start -= LENGTH / 2;
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(root_finds_any),
		TEST(others_find_it_by_name),
		TEST(others_take_no_other_file),
		TEST(others_find_nothing_without_a_name),
		TEST(others_find_no_shared_memory),
		TEST(what_is_not_mapped_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
