// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_image_engine.c - the module writes what the user engine does
 *
 * Needs /dev/cr, else all is skipped: tests/vm/memory.sh runs it where that is.
 * The pages are our own, which stand still.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "image_test.h"

#define PAGES 1600ull
#define BEYOND (SMALL_HEAP + (4ull << 20)) /* whose are the pages there? */
#define JOB_PAGES 512u

/* A process without the pages; 0: it is not there. */
static pid_t other;

static int all_ours(const struct cr_memory_source *source, uint64_t address,
		    uint64_t *length)
{
	(void)source;
	(void)address;
	(void)length;
	return getpid();
}

static int partly_others(const struct cr_memory_source *source,
			 uint64_t address, uint64_t *length)
{
	(void)source;
	if (address >= BEYOND)
		return other;
	if (*length > BEYOND - address)
		*length = BEYOND - address;
	return getpid();
}

/* Kept though it is zero. */
static const struct cr_wire_run keep = { SMALL_HEAP + 11 * CR_WIRE_PAGE,
					 CR_WIRE_PAGE };

static struct cr_memory_source
source_of(int (*owner)(const struct cr_memory_source *, uint64_t, uint64_t *))
{
	struct cr_memory_source source = small_source;

	source.owner = owner;
	source.keep = &keep;
	source.nr_keep = 1;
	return source;
}

static int make_heap(void **state)
{
	void *heap = (void *)(uintptr_t)SMALL_HEAP;

	(void)state;
	if (access("/dev/cr", R_OK | W_OK))
		return 0;
	other = fork();
	if (other == 0)
		for (;;)
			pause();
	if (mmap(heap, PAGES * CR_WIRE_PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) != heap)
		return -1;
	return small_source.read(&small_source, SMALL_HEAP, heap,
				 PAGES * CR_WIRE_PAGE);
}

static int end_other(void **state)
{
	(void)state;
	if (other) {
		kill(other, SIGKILL);
		waitpid(other, NULL, 0);
	}
	return 0;
}

static void need_module(void)
{
	if (access("/dev/cr", R_OK | W_OK))
		skip();
}

/* One after another: chunks have an order then. */
static int write_heaps(enum cr_engine engine, unsigned int nr_workers,
		       const struct cr_memory_source *source,
		       struct cr_image_write_stats *stats)
{
	const struct cr_image_write_options options = {
		.nr_workers = nr_workers,
		.engine = engine,
	};
	struct small_image small;

	small_image_init(&small);
	small.heap_pages = PAGES;
	small.heap = source;
	return write_image(&small, &options, stats);
}

static void assert_same_bytes(int one, int two)
{
	struct stat stat, other_stat;
	void *bytes, *others;

	assert_int_equal(fstat(one, &stat), 0);
	assert_int_equal(fstat(two, &other_stat), 0);
	assert_int_equal(stat.st_size, other_stat.st_size);
	bytes = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_SHARED, one, 0);
	others =
		mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_SHARED, two, 0);
	assert_true(bytes != MAP_FAILED && others != MAP_FAILED);
	assert_int_equal(memcmp(bytes, others, (size_t)stat.st_size), 0);
	munmap(bytes, (size_t)stat.st_size);
	munmap(others, (size_t)stat.st_size);
	close(one);
	close(two);
}

static void both_engines_write_the_same_bytes(void **state)
{
	const struct cr_memory_source source = source_of(all_ours);
	struct cr_image_write_stats user, kernel;
	int fds[2];

	(void)state;
	need_module();
	fds[0] = write_heaps(CR_ENGINE_USER, 1, &source, &user);
	fds[1] = write_heaps(CR_ENGINE_KERNEL, 1, &source, &kernel);
	assert_int_equal(lseek(fds[1], 0, SEEK_CUR), 0);
	assert_same_bytes(fds[0], fds[1]);
	assert_int_equal(user.kernel_bytes, 0);
	/* all but the two pages of the shared memory */
	assert_int_equal(kernel.kernel_bytes,
			 kernel.stored_bytes - 2 * CR_WIRE_PAGE);
	assert_int_equal(kernel.zero_bytes, user.zero_bytes);
	assert_int_equal(kernel.nr_records, user.nr_records);
}

/* Pages that the module cannot take are read, and the rest is still its. */
static void auto_falls_back_chunk_by_chunk(void **state)
{
	const struct cr_memory_source source = source_of(partly_others);
	struct cr_image_write_stats user, kernel;
	int fds[2];

	(void)state;
	need_module();
	fds[0] = write_heaps(CR_ENGINE_USER, 1, &source, &user);
	fds[1] = write_heaps(CR_ENGINE_AUTO, 1, &source, &kernel);
	assert_same_bytes(fds[0], fds[1]);
	/* two jobs of each heap, less zeros but the one that is kept */
	assert_int_equal(kernel.kernel_bytes,
			 2 * (2 * JOB_PAGES * 7 / 8 + 1) * CR_WIRE_PAGE);
	assert_int_equal(kernel.stored_bytes, user.stored_bytes);
}

static void kernel_engine_names_what_it_cannot_take(void **state)
{
	const struct cr_image_write_options options = {
		.nr_workers = 2, .engine = CR_ENGINE_KERNEL
	};
	const struct cr_memory_source source = source_of(partly_others);
	struct cr_image_writer *writer;
	struct cr_error err = { 0 };
	struct small_image small;
	int fd = memfd_create("image", MFD_CLOEXEC);

	(void)state;
	need_module();
	small_image_init(&small);
	small.heap_pages = PAGES;
	small.heap = &source;
	assert_int_equal(cr_image_writer_create_fd(fd, &options, &writer, NULL),
			 0);
	small_image_write(&small, writer);
	assert_int_equal(cr_image_writer_commit(writer, NULL, &err), -EFAULT);
	assert_non_null(strstr(err.text, "the kernel engine: pages of space"));
	close(fd);
}

/* By several threads, some of which read for themselves what is shared. */
static void all_workers_write_one_image(void **state)
{
	const struct cr_memory_source sources[] = { source_of(all_ours),
						    source_of(partly_others) };

	(void)state;
	need_module();
	for (int i = 0; i < 10; i++) {
		struct cr_error err = { 0 };
		int fd = write_heaps(CR_ENGINE_AUTO, 4, &sources[i % 2], NULL);

		if (read_all(fd, PAGES, &err))
			fail_msg("read: %s", err.text);
		close(fd);
	}
}

static void file_size_limit_is_an_error(void **state)
{
	const struct rlimit limit = { 1 << 20, 1 << 20 };
	const struct cr_image_write_options options = {
		.nr_workers = 2, .engine = CR_ENGINE_KERNEL
	};
	const struct cr_memory_source source = source_of(all_ours);
	int fd = memfd_create("image", MFD_CLOEXEC), status, rc;
	struct cr_image_writer *writer;
	struct small_image small;
	pid_t pid;

	(void)state;
	need_module();
	small_image_init(&small);
	small.heap_pages = PAGES;
	small.heap = &source;
	pid = fork();
	if (!pid) {
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		rc = cr_image_writer_create_fd(fd, &options, &writer, NULL);
		small_image_write(&small, writer);
		rc = rc ? rc : cr_image_writer_commit(writer, NULL, NULL);
		_exit(rc != -EFBIG);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_engines_write_the_same_bytes),
		cmocka_unit_test(auto_falls_back_chunk_by_chunk),
		cmocka_unit_test(kernel_engine_names_what_it_cannot_take),
		cmocka_unit_test(all_workers_write_one_image),
		cmocka_unit_test(file_size_limit_is_an_error),
	};

	return cmocka_run_group_tests(tests, make_heap, end_other);
}
