/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_manifest.c - a manifest is read as it was written, or refused
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "manifest.h"

#define NR(array) (sizeof(array) / sizeof(*(array)))

struct fixture {
	char path[64];
	int dirfd;
	struct cr_manifest_image image;
	struct cr_manifest_stream stream;
	struct cr_manifest_ended ended;
	struct cr_manifest_address address;
	struct cr_manifest_end end;
	struct cr_manifest manifest;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	strcpy(f->path, "/tmp/test_manifest.XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->dirfd = open(f->path, O_RDONLY | O_DIRECTORY);
	f->image = (struct cr_manifest_image){ .node = 0, .size = 1ull << 40 };
	strcpy(f->image.name, "node_0.img");
	f->stream = (struct cr_manifest_stream){ 1, 2, 77, 88, 99, 5 };
	f->ended = (struct cr_manifest_ended){ 0, 256 };
	f->address = (struct cr_manifest_address){ .prefix = 24,
						   .interface = "eth0" };
	cr_tcp_scan("10.0.0.1:0", &f->address.address);
	f->end.end = (struct cr_tcp_end){ .kind = CR_TCP_END_CONNECTING,
					  .vpid = 4,
					  .fd = 5,
					  .send_first = UINT32_MAX,
					  .send_end = 6,
					  .received = 7,
					  .window_end = 8,
					  .fin_sent = 1 };
	cr_tcp_scan("10.0.0.1:40", &f->end.end.local);
	cr_tcp_scan("[fd00::2]:65535", &f->end.end.remote);
	f->manifest = (struct cr_manifest){
		.generation = 3,
		.job = 12,
		.step = 0xfffffffbu,
		.nr_nodes = 1,
		.nr_ranks = 2,
		.restart_count = 1,
		.uid = 1001,
		.is_final = 1,
		.time = 1700000000,
		.command = "a b\xff\n",
		.images = &f->image,
		.nr_images = 1,
		.streams = &f->stream,
		.nr_streams = 1,
		.ended = &f->ended,
		.nr_ended = 1,
		.addresses = &f->address,
		.nr_addresses = 1,
		.ends = &f->end,
		.nr_ends = 1,
	};
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlinkat(f->dirfd, CR_MANIFEST_NAME, 0);
	close(f->dirfd);
	rmdir(f->path);
	free(f);
	return 0;
}

static void what_is_written_is_read(void **state)
{
	struct fixture *f = *state;
	struct cr_manifest m;

	assert_int_equal(cr_manifest_write(f->dirfd, &f->manifest, NULL, NULL),
			 0);
	assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, NULL), 0);
	assert_int_equal(m.generation, 3);
	assert_int_equal(m.job, 12);
	assert_int_equal(m.step, 0xfffffffbu);
	assert_int_equal(m.uid, 1001);
	assert_true(m.is_final);
	assert_int_equal(m.nr_images, 1);
	assert_string_equal(cr_manifest_image(&m, 0)->name, "node_0.img");
	assert_int_equal(m.images[0].size, 1ull << 40);
	assert_null(cr_manifest_image(&m, 1));
	assert_int_equal(m.nr_streams, 1);
	assert_memory_equal(m.streams, &f->stream, sizeof(f->stream));
	assert_int_equal(m.nr_ended, 1);
	assert_int_equal(m.ended[0].status, 256);
	assert_int_equal(m.nr_addresses, 1);
	assert_memory_equal(m.addresses, &f->address, sizeof(f->address));
	assert_int_equal(m.nr_ends, 1);
	assert_memory_equal(m.ends, &f->end, sizeof(f->end));
	cr_manifest_free(&m);
}

/* How the next reads go: how many bytes at most, or with which errno; then as
 * ever. */
static const int *next_read;

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
	const int how = next_read ? *next_read : 0;

	if (!how)
		return __real_read(fd, buffer, size);
	next_read++;
	if (how > 0)
		return __real_read(fd, buffer,
				   (size_t)how < size ? (size_t)how : size);
	errno = -how;
	return -1;
}

/* What is whole on the file system must not be taken for damaged. */
static void a_manifest_is_read_in_pieces(void **state)
{
	static const int reads[] = { -EINTR, 1, 7, -EINTR, 30, 0 };
	struct fixture *f = *state;
	struct cr_manifest m;

	assert_int_equal(cr_manifest_write(f->dirfd, &f->manifest, NULL, NULL),
			 0);
	next_read = reads;
	assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, NULL), 0);
	assert_int_equal(*next_read, 0);
	next_read = NULL;
	assert_int_equal(m.generation, 3);
	cr_manifest_free(&m);
}

static void a_read_that_fails_is_told_from_damage(void **state)
{
	static const int reads[][3] = { { -EIO }, { 9, -EIO }, { -ENOMEM } };
	struct fixture *f = *state;
	struct cr_manifest m;

	assert_int_equal(cr_manifest_write(f->dirfd, &f->manifest, NULL, NULL),
			 0);
	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++) {
		struct cr_error err = { 0 };

		next_read = reads[i];
		assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, &err),
				 i == 2 ? -ENOMEM : -EIO);
		assert_string_not_equal(err.text, "");
	}
	next_read = NULL;
}

/* Slurm says that a batch script has none. */
static void a_step_without_ranks_is_read(void **state)
{
	struct fixture *f = *state;
	struct cr_manifest m;

	f->manifest.nr_ranks = 0;
	assert_int_equal(cr_manifest_write(f->dirfd, &f->manifest, NULL, NULL),
			 0);
	assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, NULL), 0);
	cr_manifest_free(&m);
}

static void write_text(const struct fixture *f, const char *text)
{
	int fd = openat(f->dirfd, CR_MANIFEST_NAME,
			O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Cut or altered at any byte: refused, or read as something consistent. */
static void no_damage_crashes_the_reader(void **state)
{
	struct fixture *f = *state;
	static char whole[16384], text[16384];
	struct cr_error err;
	struct cr_manifest m;
	ssize_t length;
	int fd;

	cr_manifest_write(f->dirfd, &f->manifest, NULL, NULL);
	fd = openat(f->dirfd, CR_MANIFEST_NAME, O_RDONLY);
	length = read(fd, whole, sizeof(whole) - 1);
	close(fd);
	for (ssize_t i = 0; i < length - 1; i++) {
		memcpy(text, whole, (size_t)i);
		text[i] = '\0';
		write_text(f, text);
		assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, &err),
				 -EBADMSG);
		assert_null(m.images);
	}
	for (ssize_t i = 0; i < length; i++) {
		memcpy(text, whole, (size_t)length + 1);
		text[i] ^= 0x01;
		write_text(f, text);
		cr_manifest_read(f->dirfd, &m, NULL, &err);
		cr_manifest_free(&m);
	}
}

static void what_is_not_consistent_is_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = { "../node_0.img", "", ".hidden",
					     "a/b" };
	struct cr_manifest m;

	for (size_t i = 0; i < NR(names); i++) {
		strcpy(f->image.name, names[i]);
		cr_manifest_write(f->dirfd, &f->manifest, NULL, NULL);
		assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, NULL),
				 -EBADMSG);
	}
	strcpy(f->image.name, "node_0.img");
	f->manifest.nr_nodes = 2;
	cr_manifest_write(f->dirfd, &f->manifest, NULL, NULL);
	assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, NULL), -EBADMSG);
}

static void a_connection_that_cannot_be_is_refused(void **state)
{
	struct fixture *f = *state;
	const struct cr_manifest_end good = f->end;
	struct cr_manifest m;

	for (int i = 0; i < 5; i++) {
		f->end = good;
		f->end.end.kind = i == 0 ? 0 : i == 1 ? 5 : good.end.kind;
		f->end.end.fin_sent = i == 2 ? 2 : 0;
		f->end.end.fin_received = i == 3 ? 2 : 0;
		f->address.prefix = i == 4 ? 129 : 24;
		cr_manifest_write(f->dirfd, &f->manifest, NULL, NULL);
		assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, NULL),
				 -EBADMSG);
	}
}

/* One of before connections were in it. */
static void a_manifest_without_connections_is_read(void **state)
{
	struct fixture *f = *state;
	struct cr_manifest m;

	write_text(f, "{\"format\": 1, \"generation\": 1, \"job\": 1, "
		      "\"step\": 0, \"uid\": 0, \"nodes\": 1, \"ranks\": 1, "
		      "\"restart_count\": 0, \"time\": 1, \"identity\": "
		      "\"\", \"command\": \"a\", \"images\": [{\"node\": 0, "
		      "\"size\": 1, \"name\": \"node_0.img\"}]}");
	assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, NULL), 0);
	assert_int_equal(m.nr_addresses, 0);
	assert_int_equal(m.nr_ends, 0);
	cr_manifest_free(&m);
}

static void a_newer_format_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cr_manifest m;

	write_text(f, "{\"format\": 2}");
	assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, NULL),
			 -EPROTONOSUPPORT);
}

static void a_link_is_not_followed(void **state)
{
	struct fixture *f = *state;
	struct cr_manifest m;

	assert_int_equal(symlinkat("/etc/passwd", f->dirfd, CR_MANIFEST_NAME),
			 0);
	assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, NULL), -ELOOP);
}

static void another_users_file_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cr_manifest m;

	if (geteuid() != 0)
		skip();
	cr_manifest_write(f->dirfd, &f->manifest, NULL, NULL);
	assert_int_equal(fchownat(f->dirfd, CR_MANIFEST_NAME, 1, 1, 0), 0);
	assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, NULL), -EPERM);
}

static void only_its_own_step_matches(void **state)
{
	struct fixture *f = *state;
	struct cr_step step = { .job = 12,
				.step = 0xfffffffbu,
				.nr_nodes = 1,
				.nr_ranks = 2,
				.uid = 1001,
				.command = "a b" };
	struct cr_step other;

	strcpy(f->manifest.command, "a b");
	assert_int_equal(cr_manifest_match(&f->manifest, &step, NULL), 0);
	other = step;
	other.uid = 1002;
	assert_int_equal(cr_manifest_match(&f->manifest, &other, NULL), -EPERM);
	other = step;
	other.job = 13;
	assert_int_equal(cr_manifest_match(&f->manifest, &other, NULL), -EPERM);
	other = step;
	other.step = 0;
	assert_int_equal(cr_manifest_match(&f->manifest, &other, NULL), -EPERM);
	other = step;
	other.nr_ranks = 3;
	assert_int_equal(cr_manifest_match(&f->manifest, &other, NULL),
			 -ESTALE);
	other = step;
	strcpy(other.command, "a c");
	assert_int_equal(cr_manifest_match(&f->manifest, &other, NULL),
			 -ESTALE);
}

static void a_new_manifest_is_its_steps(void **state)
{
	const struct cr_step step = {
		.job = 12,
		.step = 1,
		.nr_nodes = 2,
		.nr_ranks = 3,
		.restart_count = 4,
		.uid = 1001,
		.identity = "0123456789abcdef-0123456789abcdef",
		.command = "a b"
	};
	struct cr_manifest m;

	(void)state;
	memset(&m, 0xff, sizeof(m));
	cr_manifest_init(&m, &step);
	assert_int_equal(cr_manifest_match(&m, &step, NULL), 0);
	assert_int_equal(m.restart_count, 4);
	assert_string_equal(m.identity, step.identity);
	assert_true(m.time >= 1700000000);
	cr_manifest_free(&m); /* has no arrays */
}

/* The command of a manifest that was read has been made printable. */
static void a_strange_command_matches_after_reading(void **state)
{
	struct fixture *f = *state;
	struct cr_step step = { .job = 12,
				.step = 0xfffffffbu,
				.nr_nodes = 1,
				.nr_ranks = 2,
				.uid = 1001,
				.command = "a b\xff\n" };
	struct cr_manifest m;

	cr_manifest_write(f->dirfd, &f->manifest, NULL, NULL);
	assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, NULL), 0);
	assert_int_equal(cr_manifest_match(&m, &step, NULL), 0);
	cr_manifest_free(&m);
}

#ifdef CR_FAULTS
static void a_write_that_fails_leaves_no_manifest(void **state)
{
	static const struct {
		const char *fault;
		int code;
	} points[] = { { "manifest-sync", -EIO },
		       { "manifest-rename", -ENOSPC },
		       { "manifest-folder:1", -EIO } };
	struct fixture *f = *state;

	for (size_t i = 0; i < NR(points); i++) {
		setenv("CR_FAULT", points[i].fault, 1);
		assert_int_equal(cr_manifest_write(f->dirfd, &f->manifest, NULL,
						   NULL),
				 points[i].code);
		unsetenv("CR_FAULT");
		assert_int_equal(faccessat(f->dirfd, CR_MANIFEST_NAME, F_OK, 0),
				 -1);
		assert_int_equal(faccessat(f->dirfd,
					   "." CR_MANIFEST_NAME ".tmp", F_OK,
					   0),
				 -1);
	}
	assert_int_equal(cr_manifest_write(f->dirfd, &f->manifest, NULL, NULL),
			 0);
}
#endif

/* --- several nodes --- */

static void parts_become_a_whole(void **state)
{
	struct fixture *f = *state;
	struct cr_manifest whole = f->manifest, part = f->manifest, again;
	char name[CR_MANIFEST_NAME_MAX], ranks[] = "0-1";

	whole.nr_nodes = part.nr_nodes = 2;
	whole.nr_ranks = part.nr_ranks = 4;
	whole.images = NULL;
	whole.streams = NULL;
	whole.ended = NULL;
	whole.addresses = NULL;
	whole.ends = NULL;
	whole.nr_addresses = whole.nr_ends = 0;
	whole.nr_images = whole.nr_streams = whole.nr_ended = 0;
	f->image.ranks = ranks;
	for (uint32_t node = 0; node < 2; node++) {
		f->image.node = node;
		if (node)
			f->image.name[0] = '\0'; /* all had ended there */
		cr_manifest_name_part(name, node);
		assert_int_equal(cr_manifest_write_as(f->dirfd, name, &part,
						      NULL, NULL),
				 0);
		assert_int_equal(cr_manifest_read_as(f->dirfd, name, &again,
						     NULL, NULL),
				 0);
		unlinkat(f->dirfd, name, 0);
		assert_int_equal(cr_manifest_add(&whole, &again, NULL), 0);
		/* twice is once too often */
		assert_int_equal(cr_manifest_add(&whole, &again, NULL),
				 -ESTALE);
		cr_manifest_free(&again);
	}
	assert_int_equal(cr_manifest_commit(f->dirfd, &whole, NULL, NULL), 0);
	cr_manifest_free(&whole);
	assert_int_equal(cr_manifest_read(f->dirfd, &again, NULL, NULL), 0);
	assert_int_equal(again.nr_images, 2);
	assert_string_equal(cr_manifest_image(&again, 0)->ranks, "0-1");
	assert_string_equal(cr_manifest_image(&again, 1)->name, "");
	assert_int_equal(again.nr_streams, 2);
	assert_int_equal(again.nr_ended, 2);
	assert_int_equal(again.nr_addresses, 2);
	assert_int_equal(again.nr_ends, 2);
	assert_memory_equal(&again.ends[1], &f->end, sizeof(f->end));
	cr_manifest_free(&again);
}

static void a_part_of_another_step_is_refused(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 6; i++) {
		struct cr_manifest whole = f->manifest, part = f->manifest;

		whole.nr_images = 0;
		part.generation += i == 0;
		part.job += i == 1;
		part.step += i == 2;
		part.nr_nodes += i == 3;
		part.nr_ranks += i == 4;
		f->image.node = i == 5 ? 1 : 0; /* there is none */
		assert_int_equal(cr_manifest_add(&whole, &part, NULL), -ESTALE);
	}
}

static void there_are_not_too_many_connections(void **state)
{
	struct fixture *f = *state;
	struct cr_manifest whole = f->manifest;

	whole.nr_images = 0;
	whole.nr_ends = CR_MANIFEST_ENDS_MAX;
	assert_int_equal(cr_manifest_add(&whole, &f->manifest, NULL), -E2BIG);
}

static void without_all_nodes_it_is_no_manifest(void **state)
{
	struct fixture *f = *state;
	struct cr_manifest m;

	f->manifest.nr_nodes = 2;
	assert_int_equal(cr_manifest_commit(f->dirfd, &f->manifest, NULL, NULL),
			 0);
	assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, NULL), -EBADMSG);
}

static void what_is_forbidden_cannot_be_committed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(cr_manifest_forbid(f->dirfd, NULL), 0);
	assert_int_equal(cr_manifest_forbid(f->dirfd, NULL), 0);
	assert_int_equal(cr_manifest_commit(f->dirfd, &f->manifest, NULL, NULL),
			 -EEXIST);
	/* and no half file is left */
	assert_int_equal(unlinkat(f->dirfd, CR_MANIFEST_NAME, 0), 0);
}

static void what_is_committed_cannot_be_forbidden(void **state)
{
	struct fixture *f = *state;
	struct cr_manifest m;

	assert_int_equal(cr_manifest_commit(f->dirfd, &f->manifest, NULL, NULL),
			 0);
	assert_int_equal(cr_manifest_forbid(f->dirfd, NULL), -EEXIST);
	assert_int_equal(cr_manifest_commit(f->dirfd, &f->manifest, NULL, NULL),
			 -EEXIST);
	assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, NULL), 0);
	cr_manifest_free(&m);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read),
#ifdef CR_FAULTS
		TEST(a_write_that_fails_leaves_no_manifest),
#endif
		TEST(a_manifest_is_read_in_pieces),
		TEST(a_read_that_fails_is_told_from_damage),
		TEST(a_step_without_ranks_is_read),
		TEST(no_damage_crashes_the_reader),
		TEST(what_is_not_consistent_is_refused),
		TEST(a_connection_that_cannot_be_is_refused),
		TEST(a_manifest_without_connections_is_read),
		TEST(there_are_not_too_many_connections),
		TEST(a_newer_format_is_refused),
		TEST(a_link_is_not_followed),
		TEST(another_users_file_is_refused),
		TEST(only_its_own_step_matches),
		cmocka_unit_test(a_new_manifest_is_its_steps),
		TEST(a_strange_command_matches_after_reading),
		TEST(parts_become_a_whole),
		TEST(a_part_of_another_step_is_refused),
		TEST(without_all_nodes_it_is_no_manifest),
		TEST(what_is_forbidden_cannot_be_committed),
		TEST(what_is_committed_cannot_be_forbidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
