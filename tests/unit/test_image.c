// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_image.c - what is written to an image comes back from it
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/wait.h>

#include "crc.h"
#include "image_test.h"

static void check_heap(struct cr_image *image, uint32_t space, uint64_t pages,
		       uint64_t piece, unsigned int nr_workers)
{
	struct cr_error err = { 0 };
	struct place place;

	make_place(&place, SMALL_HEAP, pages);
	place.piece = piece;
	if (cr_image_fill(image, space, locate, &place, nr_workers, &err))
		fail_msg("fill: %s", err.text);
	check_pages(&place, 0, pages);
	munmap(place.memory, place.length);
}

static void round_trip(int compression, unsigned int nr_workers, uint64_t pages)
{
	const struct cr_image_write_options options = {
		.compression = compression,
		.nr_workers = nr_workers,
	};
	struct cr_image_write_stats stats;
	struct cr_error err = { 0 };
	struct cr_image *image;
	struct cr_saved *saved;
	struct small_image small;

	small_image_init(&small);
	small.heap_pages = pages;
	image = open_image(write_image(&small, &options, &stats));
	if (cr_saved_load(image, &saved, &err))
		fail_msg("load: %s", err.text);
	assert_int_equal(stats.memory_bytes, (2 * pages + 2) * CR_WIRE_PAGE);
	assert_int_equal(cr_image_space_bytes(image, SMALL_SPACE_ROOT),
			 (pages - pages / 8) * CR_WIRE_PAGE);
	if (compression == CR_COMPRESS_NONE)
		assert_int_equal(stats.stored_bytes + stats.zero_bytes,
				 stats.memory_bytes);
	else
		assert_true(stats.stored_bytes <
			    (stats.memory_bytes - stats.zero_bytes) * 3 / 4);
	check_heap(image, SMALL_SPACE_ROOT, pages, UINT64_MAX, 0);
	check_heap(image, SMALL_SPACE_CHILD, pages, 3 * CR_WIRE_PAGE, 4);
	cr_saved_free(saved);
	cr_image_close(image);
}

static void memory_comes_back_as_it_was(void **state)
{
	(void)state;
	for (int compression = 0; compression <= CR_COMPRESS_ZSTD;
	     compression++) {
		round_trip(compression, 1, 16);
		round_trip(compression, 4, 16);
		round_trip(compression, 8, 8192 + 64);
	}
}

static void runs_are_told_without_zero_pages(void **state)
{
	struct cr_image_write_options options = { .nr_workers = 2 };
	struct small_image small;
	struct cr_wire_run *runs;
	struct cr_image *image;
	struct cr_saved *saved;
	size_t nr_runs;

	(void)state;
	small_image_init(&small);
	small.heap_pages = 1024;
	image = open_image(write_image(&small, &options, NULL));
	assert_int_equal(cr_saved_load(image, &saved, NULL), 0);
	assert_int_equal(cr_image_space_runs(image, SMALL_SPACE_CHILD, &runs,
					     &nr_runs, NULL),
			 0);
	assert_int_equal(nr_runs, 1024 / 8 + 1);
	assert_int_equal(runs[0].address, SMALL_HEAP);
	assert_int_equal(runs[0].length, 3 * CR_WIRE_PAGE);
	assert_int_equal(runs[1].address, SMALL_HEAP + 4 * CR_WIRE_PAGE);
	assert_int_equal(runs[1].length, 7 * CR_WIRE_PAGE);
	free(runs);
	cr_saved_free(saved);
	cr_image_close(image);
}

/* How many bytes of 16 pages, of which two are zero, are stored. */
static uint64_t stored_bytes(const struct cr_memory_source *source)
{
	const struct cr_image_write_options options = { .nr_workers = 1 };
	const struct cr_wire_run run = { 0, 16 * CR_WIRE_PAGE };
	struct cr_image_write_stats stats;
	struct cr_image_writer *writer;
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_int_equal(cr_image_writer_create_fd(fd, &options, &writer, NULL),
			 0);
	assert_int_equal(cr_image_writer_memory(writer, 1, source, &run, 1,
						NULL),
			 0);
	assert_int_equal(cr_image_writer_commit(writer, &stats, NULL), 0);
	assert_int_equal(stats.stored_bytes + stats.zero_bytes, run.length);
	close(fd);
	return stats.stored_bytes;
}

static void zero_pages_are_kept_if_asked(void **state)
{
	const struct cr_wire_run keep[] = {
		{ 0, CR_WIRE_PAGE },
		{ 2 * CR_WIRE_PAGE, 2 * CR_WIRE_PAGE },
		{ 12 * CR_WIRE_PAGE, 4 * CR_WIRE_PAGE }
	};
	struct cr_memory_source source = small_source;

	(void)state;
	assert_int_equal(stored_bytes(&source), 14 * CR_WIRE_PAGE);
	source.keep = keep;
	source.nr_keep = 3; /* the zero page 3, but not 11 */
	assert_int_equal(stored_bytes(&source), 15 * CR_WIRE_PAGE);
	source.skip_zero = 0;
	assert_int_equal(stored_bytes(&source), 16 * CR_WIRE_PAGE);
}

static void saved_tree_comes_back_as_it_was(void **state)
{
	const struct cr_image_write_options options = { .nr_workers = 2 };
	struct small_image small;
	struct cr_image *image;
	struct cr_saved *saved;
	struct cr_error err = { 0 };

	(void)state;
	small_image_init(&small);
	memset(small.xstate, 0xa5, sizeof(small.xstate));
	small.groups[2] = 77;
	image = open_image(write_image(&small, &options, NULL));
	if (cr_saved_load(image, &saved, &err))
		fail_msg("load: %s", err.text);
	assert_string_equal(saved->head->node, "n1");
	assert_int_equal(saved->nr_tasks, 3);
	assert_int_equal(cr_saved_find(saved, SMALL_ZOMBIE), 2);
	assert_int_equal(cr_saved_find(saved, SMALL_THREAD), -1);
	assert_int_equal(saved->tasks[2].link->exit_status, 3 << 8);
	assert_null(saved->tasks[2].mm);
	assert_int_equal(saved->tasks[0].nr_threads, 2);
	assert_int_equal(saved->tasks[0].threads[1].thread->tid, SMALL_THREAD);
	assert_int_equal(saved->tasks[0].threads[1].groups[2], 77);
	assert_memory_equal(saved->tasks[0].threads[1].xstate, small.xstate,
			    sizeof(small.xstate));
	assert_int_equal(saved->tasks[1].threads[0].thread->tid, SMALL_CHILD);
	assert_int_equal(saved->tasks[0].nr_fds, 2);
	assert_int_equal(saved->tasks[1].nr_fds, 0);
	assert_int_equal(saved->tasks[1].vmas[1].space, SMALL_SPACE_SHM);
	assert_int_equal(saved->tasks[0].mm->auxv_length, 32);
	assert_int_equal(saved->nr_files, 3);
	assert_string_equal(saved->files[2].path, "/home/user/log");
	assert_int_equal(saved->nr_spaces, 3);
	assert_int_equal(cr_image_space_bytes(image, SMALL_SPACE_SHM),
			 2 * CR_WIRE_PAGE);
	cr_saved_free(saved);
	cr_image_close(image);
}

static void image_goes_through_a_pipe(void **state)
{
	const struct cr_image_write_options options = { .nr_workers = 4 };
	struct cr_image_writer *writer;
	struct cr_error err = { 0 };
	struct cr_record record;
	struct small_image small;
	struct cr_image *image;
	unsigned int nr_chunks = 0;
	int fds[2], status, rc;
	pid_t pid;

	(void)state;
	small_image_init(&small);
	small.heap_pages = 4096;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(fds[0]);
		if (cr_image_writer_create_fd(fds[1], &options, &writer,
					      NULL) ||
		    small_image_write(&small, writer) ||
		    cr_image_writer_commit(writer, NULL, NULL))
			_exit(1);
		_exit(0);
	}
	close(fds[1]);
	image = open_image(fds[0]);
	while ((rc = cr_image_next(image, &record, 1, &err)) > 0)
		nr_chunks += record.type == CR_RECORD_CHUNK;
	if (rc)
		fail_msg("next: %s", err.text);
	assert_true(nr_chunks > 4096 * CR_WIRE_PAGE * 2 / CR_WIRE_CHUNK_MAX);
	cr_image_close(image);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void tree_is_loaded_from_a_pipe(void **state)
{
	const struct cr_image_write_options options = { .nr_workers = 1 };
	struct cr_image_writer *writer;
	struct small_image small;
	struct cr_image *image;
	struct cr_saved *saved;
	struct cr_error err = { 0 };
	struct place place;
	int fds[2];

	(void)state;
	small_image_init(&small);
	small.heap_pages = 1;
	assert_int_equal(pipe(fds), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20) >= 0);
	assert_int_equal(cr_image_writer_create_fd(fds[1], &options, &writer,
						   NULL),
			 0);
	assert_int_equal(small_image_write(&small, writer), 0);
	assert_int_equal(cr_image_writer_commit(writer, NULL, NULL), 0);
	close(fds[1]);
	image = open_image(fds[0]);
	if (cr_saved_load(image, &saved, &err))
		fail_msg("load: %s", err.text);
	assert_int_equal(saved->nr_tasks, 3);
	make_place(&place, SMALL_HEAP, 1);
	assert_int_equal(cr_image_fill(image, SMALL_SPACE_ROOT, locate, &place,
				       1, NULL),
			 -ESPIPE);
	munmap(place.memory, place.length);
	cr_saved_free(saved);
	cr_image_close(image);
}

static void processes_fill_from_one_open_image(void **state)
{
	const struct cr_image_write_options options = { .nr_workers = 2 };
	const uint64_t pages = 8192;
	struct small_image small;
	struct cr_image *image;
	struct cr_saved *saved;
	int status;

	(void)state;
	small_image_init(&small);
	small.heap_pages = pages;
	image = open_image(write_image(&small, &options, NULL));
	assert_int_equal(cr_saved_load(image, &saved, NULL), 0);
	for (int i = 0; i < 4; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			check_heap(image, SMALL_SPACE_ROOT + i % 2, pages,
				   UINT64_MAX, i < 2 ? 1 : 3);
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	cr_saved_free(saved);
	cr_image_close(image);
}

/* Whichever thread meets it, all stop and its error comes back. */
static void damage_is_found_by_any_worker(void **state)
{
	const struct cr_image_write_options options = { .nr_workers = 2 };
	const uint64_t pages = 16384;
	struct cr_error err = { 0 };
	struct small_image small;
	struct cr_image *image;
	struct cr_saved *saved;
	struct place place;
	uint8_t byte;
	int fd;

	(void)state;
	small_image_init(&small);
	small.heap_pages = pages;
	fd = write_image(&small, &options, NULL);
	image = open_image(dup(fd));
	assert_int_equal(cr_saved_load(image, &saved, NULL), 0);
	make_place(&place, SMALL_HEAP, pages);
	for (off_t at = 16 << 20; at < 100 << 20; at += 20 << 20) {
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 4;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_int_equal(cr_image_fill(image, SMALL_SPACE_ROOT, locate, &place,
				       4, &err),
			 -EBADMSG);
	assert_non_null(strstr(err.text, "space 1 at 0x"));
	munmap(place.memory, place.length);
	cr_saved_free(saved);
	cr_image_close(image);
	close(fd);
}

static void fill_refuses_what_has_no_place(void **state)
{
	const struct cr_image_write_options options = { .nr_workers = 1 };
	struct small_image small;
	struct cr_image *image;
	struct cr_saved *saved;
	struct place place;

	(void)state;
	small_image_init(&small);
	image = open_image(write_image(&small, &options, NULL));
	assert_int_equal(cr_saved_load(image, &saved, NULL), 0);
	make_place(&place, SMALL_HEAP, 15);
	assert_int_equal(cr_image_fill(image, SMALL_SPACE_ROOT, locate, &place,
				       1, NULL),
			 -EBADMSG);
	munmap(place.memory, place.length);
	cr_saved_free(saved);
	cr_image_close(image);
}

static void checksum_is_crc32c(void **state)
{
	(void)state;
	assert_int_equal(cr_crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(cr_crc32c(cr_crc32c(0, "1234", 4), "56789", 5),
			 0xe3069283);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_is_crc32c),
		cmocka_unit_test(memory_comes_back_as_it_was),
		cmocka_unit_test(runs_are_told_without_zero_pages),
		cmocka_unit_test(zero_pages_are_kept_if_asked),
		cmocka_unit_test(saved_tree_comes_back_as_it_was),
		cmocka_unit_test(image_goes_through_a_pipe),
		cmocka_unit_test(tree_is_loaded_from_a_pipe),
		cmocka_unit_test(processes_fill_from_one_open_image),
		cmocka_unit_test(damage_is_found_by_any_worker),
		cmocka_unit_test(fill_refuses_what_has_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
