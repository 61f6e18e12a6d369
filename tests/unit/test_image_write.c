// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_image_write.c - an image is there whole or not at all
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "image_test.h"

#define PARTIAL ".image.partial"

static const struct cr_image_write_options two = { .nr_workers = 2 };
static char directory[] = "/tmp/test_image_write.XXXXXX";
static int dirfd;

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	dirfd = open(directory, O_RDONLY | O_DIRECTORY);
	return dirfd < 0;
}

static int remove_directory(void **state)
{
	(void)state;
	close(dirfd);
	return rmdir(directory);
}

static int exists(const char *name)
{
	return !faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW);
}

static struct cr_image_writer *create(void)
{
	struct cr_image_writer *writer;
	struct cr_error err = { 0 };

	if (cr_image_writer_create(dirfd, "image", &two, &writer, &err))
		fail_msg("create: %s", err.text);
	return writer;
}

/* A good image of @pages per heap, or the first error. */
static int write_pages(struct cr_image_writer *writer, uint64_t pages,
		       struct cr_error *err)
{
	struct small_image small;
	int rc;

	small_image_init(&small);
	small.heap_pages = pages;
	rc = small_image_write(&small, writer);
	if (!rc)
		return cr_image_writer_commit(writer, NULL, err);
	cr_image_writer_abort(writer);
	return rc;
}

static void image_gets_its_name_at_commit(void **state)
{
	struct cr_image_writer *writer = create();
	struct cr_image *image;
	struct small_image small;
	struct stat stat;

	(void)state;
	small_image_init(&small);
	assert_int_equal(small_image_write(&small, writer), 0);
	assert_int_equal(cr_image_writer_drain(writer, NULL), 0);
	assert_false(exists("image"));
	assert_true(exists(PARTIAL));
	assert_int_equal(cr_image_writer_commit(writer, NULL, NULL), 0);
	assert_false(exists(PARTIAL));
	assert_int_equal(fstatat(dirfd, "image", &stat, 0), 0);
	assert_int_equal(stat.st_mode, S_IFREG | 0600);
	assert_int_equal(cr_image_open(dirfd, "image", &image, NULL), 0);
	cr_image_close(image);
	assert_int_equal(unlinkat(dirfd, "image", 0), 0);
}

static void name_may_have_a_directory(void **state)
{
	struct cr_image_writer *writer;
	char name[64];

	(void)state;
	snprintf(name, sizeof(name), "%s/image", directory);
	assert_int_equal(cr_image_writer_create(AT_FDCWD, name, &two, &writer,
						NULL),
			 0);
	assert_true(exists(PARTIAL));
	assert_int_equal(write_pages(writer, 1, NULL), 0);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(cr_image_writer_create(AT_FDCWD, "/nonexistent/image",
						&two, &writer, NULL),
			 -ENOENT);
	assert_int_equal(cr_image_writer_create(dirfd, "image/", &two, &writer,
						NULL),
			 -EINVAL);
}

static void abort_leaves_nothing(void **state)
{
	struct cr_image_writer *writer = create();
	struct small_image small;

	(void)state;
	small_image_init(&small);
	small.heap_pages = 4096;
	assert_int_equal(small_image_write(&small, writer), 0);
	errno = ERANGE;
	cr_image_writer_abort(writer);
	assert_int_equal(errno, ERANGE);
	cr_image_writer_abort(NULL);
	assert_false(exists("image"));
	assert_false(exists(PARTIAL));
}

static void stale_partial_is_replaced(void **state)
{
	struct cr_image_writer *writer;
	struct cr_error err;

	(void)state;
	close(openat(dirfd, PARTIAL, O_CREAT | O_WRONLY, 0400));
	cr_image_writer_abort(create());
	assert_int_equal(mkdirat(dirfd, PARTIAL, 0700), 0);
	assert_int_equal(cr_image_writer_create(dirfd, "image", &two, &writer,
						&err),
			 -EEXIST);
	assert_int_equal(unlinkat(dirfd, PARTIAL, AT_REMOVEDIR), 0);
}

static void second_writer_of_a_name_wins(void **state)
{
	struct cr_image_writer *first = create(), *second = create();

	(void)state;
	assert_int_equal(write_pages(first, 1, NULL), -EBUSY);
	assert_false(exists("image"));
	assert_int_equal(write_pages(second, 1, NULL), 0);
	assert_int_equal(unlinkat(dirfd, "image", 0), 0);
}

static void old_image_stays_until_the_new_one_is_whole(void **state)
{
	struct stat before, after;

	(void)state;
	assert_int_equal(write_pages(create(), 1, NULL), 0);
	assert_int_equal(fstatat(dirfd, "image", &before, 0), 0);
	cr_image_writer_abort(create());
	assert_int_equal(fstatat(dirfd, "image", &after, 0), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(write_pages(create(), 2, NULL), 0);
	assert_int_equal(fstatat(dirfd, "image", &after, 0), 0);
	assert_true(after.st_size > before.st_size);
	assert_int_equal(unlinkat(dirfd, "image", 0), 0);
}

static void file_size_limit_is_an_error(void **state)
{
	struct cr_error err = { 0 };
	pid_t pid = fork();
	int status, rc;

	(void)state;
	if (!pid) {
		const struct rlimit limit = { 1 << 20, 1 << 20 };

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		rc = write_pages(create(), 4096, &err);
		if (rc != -EFBIG)
			print_message("%d: %s\n", rc, err.text);
		_exit(rc != -EFBIG ? 1 : exists("image") + exists(PARTIAL));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* In a mount namespace of its own; exit status 0 when all is as it must be. */
static int fill_disk(void)
{
	struct cr_error err = { 0 };
	int rc;

	if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", directory, "tmpfs", 0, "size=1m"))
		return 2;
	dirfd = open(directory, O_RDONLY | O_DIRECTORY);
	/* Enough for the records, then too small for the memory. */
	rc = write_pages(create(), 4096, &err);
	if (rc != -ENOSPC)
		print_message("%d: %s\n", rc, err.text);
	if (rc != -ENOSPC || exists("image") || exists(PARTIAL))
		return 3;
	return write_pages(create(), 16, &err) ? 4 : 0;
}

static void full_disk_is_an_error(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(fill_disk());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void full_stream_is_an_error(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct cr_image_writer *writer;

	(void)state;
	assert_int_equal(cr_image_writer_create_fd(fd, &two, &writer, NULL), 0);
	assert_int_equal(write_pages(writer, 1, NULL), -ENOSPC);
	close(fd);
}

/* Chunks alone: the error is a worker's. */
static void closed_pipe_is_an_error_of_the_workers(void **state)
{
	const struct cr_wire_run run = { 0, 4096 * CR_WIRE_PAGE };
	struct cr_image_writer *writer;
	struct cr_error err = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(cr_image_writer_create_fd(fds[1], &two, &writer, NULL),
			 0);
	cr_image_writer_memory(writer, 1, &small_source, &run, 1, NULL);
	assert_int_equal(cr_image_writer_drain(writer, &err), -EPIPE);
	assert_int_equal(cr_image_writer_put(writer, CR_RECORD_TREE, 0, NULL, 0,
					     &err),
			 -EPIPE);
	assert_int_equal(cr_image_writer_commit(writer, NULL, &err), -EPIPE);
	close(fds[1]);
}

static int read_with_a_hole(const struct cr_memory_source *source,
			    uint64_t address, void *buffer, size_t length)
{
	const uint64_t hole = 3000 * CR_WIRE_PAGE;

	if (address <= hole && hole - address < length)
		return -EFAULT;
	return small_read(source, address, buffer, length);
}

static void unreadable_memory_is_named(void **state)
{
	const struct cr_memory_source source = { .read = read_with_a_hole,
						 .pid = 4711 };
	const struct cr_wire_run run = { 0, 20000 * CR_WIRE_PAGE };
	struct cr_image_writer *writer = create();
	struct cr_error err = { 0 };

	(void)state;
	cr_image_writer_memory(writer, 7, &source, &run, 1, NULL);
	assert_int_equal(cr_image_writer_commit(writer, NULL, &err), -EFAULT);
	assert_non_null(strstr(err.text, "space 7"));
	assert_non_null(strstr(err.text, "pid 4711"));
	assert_non_null(strstr(err.text, "0xa00000"));
	assert_false(exists(PARTIAL));
}

static atomic_uint nr_begun, nr_begun_inside;

/* A job reads each of its runs at once. */
static int note_begin(const struct cr_memory_source *source, uint64_t address,
		      void *buffer, size_t length)
{
	(void)source;
	memset(buffer, 1, length);
	atomic_fetch_add(&nr_begun, 1);
	if (address % (2 << 20))
		atomic_fetch_add(&nr_begun_inside, 1);
	return 0;
}

/* Who reads them can then fill whole ones: see huge_page.h. */
static void long_runs_are_cut_at_huge_pages(void **state)
{
	const struct cr_memory_source source = { .read = note_begin };
	const struct cr_wire_run runs[] = { { 4096, 8192 },
					    { 3 << 20, 11 << 20 } };
	struct cr_image_writer *writer = create();

	(void)state;
	cr_image_writer_memory(writer, 1, &source, runs, 2, NULL);
	assert_int_equal(cr_image_writer_drain(writer, NULL), 0);
	/* the first two runs, then 4, 6, 8, 10 and 12 MiB */
	assert_int_equal(atomic_load(&nr_begun), 7);
	assert_int_equal(atomic_load(&nr_begun_inside), 2);
	cr_image_writer_abort(writer);
}

static void wrong_calls_are_refused(void **state)
{
	static const struct cr_wire_run wrong[][2] = {
		{ { 1, 4096 }, { 8192, 4096 } },
		{ { 0, 4095 }, { 8192, 4096 } },
		{ { 0, 0 }, { 8192, 4096 } },
		{ { 8192, 4096 }, { 0, 4096 } },
		{ { 0, 8192 }, { 4096, 4096 } },
		{ { 0, 4096 }, { INT64_MAX - 4095, 4096 } },
	};
	struct cr_image_write_options options = { .compression = 3 };
	struct cr_image_writer *writer = create();
	const struct iovec large = { directory, CR_WIRE_PAYLOAD_MAX + 1ul };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(cr_image_writer_memory(writer, 1,
							&small_source, wrong[i],
							2, NULL),
				 -EINVAL);
	assert_int_equal(cr_image_writer_put(writer, CR_RECORD_FILE, 0, &large,
					     1, NULL),
			 -E2BIG);
	cr_image_writer_abort(writer);
	assert_int_equal(cr_image_writer_create(dirfd, "image", &options,
						&writer, NULL),
			 -EINVAL);
}

static void pages_given_twice_are_refused(void **state)
{
	const struct cr_wire_run run = { 0, 4 * CR_WIRE_PAGE };
	struct cr_image_writer *writer = create();

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(cr_image_writer_memory(writer, 1,
							&small_source, &run, 1,
							NULL),
				 0);
	assert_int_equal(cr_image_writer_commit(writer, NULL, NULL), -EINVAL);
	assert_false(exists(PARTIAL));
}

static atomic_ulong nr_read;

static int read_slowly(const struct cr_memory_source *source, uint64_t address,
		       void *buffer, size_t length)
{
	usleep(20000);
	atomic_fetch_add(&nr_read, length);
	return small_read(source, address, buffer, length);
}

static void count_progress(void *arg, uint64_t bytes_done, uint64_t bytes_total)
{
	uint64_t *last = arg;

	assert_true(bytes_done >= last[0] && bytes_done <= bytes_total);
	last[0] = bytes_done;
	last[1]++;
}

static void drain_waits_for_all_sources(void **state)
{
	uint64_t progress[2] = { 0, 0 };
	const struct cr_image_write_options options = {
		.nr_workers = 2,
		.progress = count_progress,
		.progress_arg = progress,
	};
	const struct cr_memory_source slow = { .read = read_slowly };
	const struct cr_wire_run run = { 0, 10000 * CR_WIRE_PAGE };
	struct cr_image_writer *writer;

	(void)state;
	assert_int_equal(cr_image_writer_create(dirfd, "image", &options,
						&writer, NULL),
			 0);
	assert_int_equal(cr_image_writer_memory(writer, 1, &slow, &run, 1,
						NULL),
			 0);
	assert_int_equal(cr_image_writer_drain(writer, NULL), 0);
	assert_int_equal(atomic_load(&nr_read), run.length);
	assert_true(progress[1] > 0);
	cr_image_writer_abort(writer);
}

static void longer_file_of_the_caller_is_overwritten(void **state)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct cr_image_writer *writer;
	struct cr_image *image;
	struct cr_saved *saved;
	struct cr_error err = { 0 };
	uint8_t junk[4096];

	(void)state;
	memset(junk, 0xff, sizeof(junk));
	for (int i = 0; i < 256; i++)
		assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(cr_image_writer_create_fd(fd, &two, &writer, NULL), 0);
	assert_int_equal(write_pages(writer, 2, NULL), 0);
	image = open_image(fd);
	if (cr_saved_load(image, &saved, &err))
		fail_msg("load: %s", err.text);
	cr_saved_free(saved);
	cr_image_close(image);
}

/* `(echo note; cr checkpoint -o -) >file`: read back from behind the note. */
static void image_may_begin_within_a_file(void **state)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct cr_image_writer *writer;
	struct cr_image *image;
	struct cr_saved *saved;
	struct place place;

	(void)state;
	assert_int_equal(write(fd, "note\n", 5), 5);
	assert_int_equal(cr_image_writer_create_fd(fd, &two, &writer, NULL), 0);
	assert_int_equal(write_pages(writer, 2, NULL), 0);
	lseek(fd, 5, SEEK_SET);
	image = open_image(fd);
	assert_int_equal(cr_saved_load(image, &saved, NULL), 0);
	make_place(&place, SMALL_HEAP, 2);
	assert_int_equal(cr_image_fill(image, SMALL_SPACE_ROOT, locate, &place,
				       1, NULL),
			 0);
	check_pages(&place, 0, 2);
	munmap(place.memory, place.length);
	cr_saved_free(saved);
	cr_image_close(image);
}

/* Asked for by name it does not fall back. */
static void kernel_engine_is_an_error_where_it_cannot(void **state)
{
	struct cr_image_write_options options = { .compression =
							  CR_COMPRESS_LZ4,
						  .engine = CR_ENGINE_KERNEL };
	struct cr_image_writer *writer;
	struct cr_error err = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(cr_image_writer_create(dirfd, "image", &options,
						&writer, &err),
			 -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "compress"));
	options.compression = CR_COMPRESS_NONE;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(cr_image_writer_create_fd(fds[1], &options, &writer,
						   &err),
			 -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "files only"));
	close(fds[0]);
	close(fds[1]);
}

static void kernel_engine_is_an_error_without_module(void **state)
{
	const struct cr_image_write_options options = {
		.engine = CR_ENGINE_KERNEL
	};
	const struct cr_wire_run run = { 0, CR_WIRE_PAGE };
	struct cr_image_writer *writer;
	struct cr_error err = { 0 };

	(void)state;
	if (access("/dev/cr", F_OK) == 0)
		skip();
	assert_int_equal(cr_image_writer_create(dirfd, "image", &options,
						&writer, NULL),
			 0);
	assert_int_equal(cr_image_writer_memory(writer, 1, &small_source, &run,
						1, &err),
			 -ENOENT);
	assert_non_null(strstr(err.text, "/dev/cr"));
	cr_image_writer_abort(writer);
}

static void engines_have_names(void **state)
{
	(void)state;
	assert_int_equal(cr_engine_parse("auto"), CR_ENGINE_AUTO);
	assert_int_equal(cr_engine_parse("user"), CR_ENGINE_USER);
	assert_int_equal(cr_engine_parse("kernel"), CR_ENGINE_KERNEL);
	assert_int_equal(cr_engine_parse("kern"), -EINVAL);
	assert_int_equal(cr_engine_parse(""), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(image_gets_its_name_at_commit),
		cmocka_unit_test(name_may_have_a_directory),
		cmocka_unit_test(abort_leaves_nothing),
		cmocka_unit_test(stale_partial_is_replaced),
		cmocka_unit_test(second_writer_of_a_name_wins),
		cmocka_unit_test(old_image_stays_until_the_new_one_is_whole),
		cmocka_unit_test(file_size_limit_is_an_error),
		cmocka_unit_test(full_disk_is_an_error),
		cmocka_unit_test(full_stream_is_an_error),
		cmocka_unit_test(closed_pipe_is_an_error_of_the_workers),
		cmocka_unit_test(unreadable_memory_is_named),
		cmocka_unit_test(long_runs_are_cut_at_huge_pages),
		cmocka_unit_test(wrong_calls_are_refused),
		cmocka_unit_test(pages_given_twice_are_refused),
		cmocka_unit_test(drain_waits_for_all_sources),
		cmocka_unit_test(longer_file_of_the_caller_is_overwritten),
		cmocka_unit_test(image_may_begin_within_a_file),
		cmocka_unit_test(kernel_engine_is_an_error_where_it_cannot),
		cmocka_unit_test(kernel_engine_is_an_error_without_module),
		cmocka_unit_test(engines_have_names),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
