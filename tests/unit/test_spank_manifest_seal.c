/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_manifest_seal.c - a manifest is believed if root has sealed it as
 * it is; with a munged of our own
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "manifest.h"
#include "own_munged.h"
#include "peer_seal.h"

#define NR(array) (sizeof(array) / sizeof(*(array)))
#define NOBODY 65534
#define DIGEST                                                       \
	"sha256-4m:0123456789abcdef0123456789abcdef0123456789abcdef" \
	"0123456789abcdef"

struct fixture {
	char path[64];
	int dirfd;
	struct cr_seal *seal;
	struct cr_manifest_image image;
	struct cr_manifest manifest;
	char text[65536]; /* of the file */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	strcpy(f->path, "/tmp/test_mseal.XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->dirfd = open(f->path, O_RDONLY | O_DIRECTORY);
	f->seal = cr_seal_create(munged_socket, CR_SEAL_TTL);
	f->image = (struct cr_manifest_image){ .size = 4096,
					       .digest = DIGEST,
					       .monotonic_ns = 1ull << 40,
					       .boottime_ns = 5 };
	strcpy(f->image.name, "node_0.img");
	f->manifest = (struct cr_manifest){
		.generation = 3,
		.job = 12,
		.nr_nodes = 1,
		.nr_ranks = 1,
		.uid = 1001,
		.time = 1700000000,
		/* what looks like the seal is none */
		.command = "a \"seal\": null }\n \"seal\": null\n}",
		.images = &f->image,
		.nr_images = 1,
	};
	return f->seal ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlinkat(f->dirfd, CR_MANIFEST_NAME, 0);
	close(f->dirfd);
	rmdir(f->path);
	cr_seal_destroy(f->seal);
	free(f);
	return 0;
}

static void write_sealed(struct fixture *f, struct cr_seal *seal)
{
	struct cr_error err = { 0 };
	int fd;

	if (cr_manifest_write(f->dirfd, &f->manifest, seal, &err))
		fail_msg("%s", err.text);
	fd = openat(f->dirfd, CR_MANIFEST_NAME, O_RDONLY);
	memset(f->text, 0, sizeof(f->text));
	assert_true(read(fd, f->text, sizeof(f->text) - 1) > 0);
	close(fd);
}

static void write_text(const struct fixture *f, const char *text, size_t length)
{
	int fd = openat(f->dirfd, CR_MANIFEST_NAME,
			O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, text, length), length);
	close(fd);
}

/* What reading it says; the words are in @err. */
static int read_it(struct fixture *f, struct cr_error *err)
{
	struct cr_manifest m;
	int rc = cr_manifest_read(f->dirfd, &m, f->seal, err);

	if (!rc)
		cr_manifest_free(&m);
	assert_null(rc ? m.images : NULL);
	return rc;
}

static void what_is_sealed_is_read_any_number_of_times(void **state)
{
	struct fixture *f = *state;
	struct cr_error err;
	struct cr_manifest m;

	write_sealed(f, f->seal);
	for (int i = 0; i < 3; i++)
		assert_int_equal(read_it(f, &err), 0);
	/* and who does not ask for the seal, reads the same */
	assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, NULL), 0);
	assert_string_equal(m.images[0].digest, DIGEST);
	assert_int_equal(m.images[0].monotonic_ns, 1ull << 40);
	assert_int_equal(m.images[0].boottime_ns, 5);
	cr_manifest_free(&m);
}

static void it_is_believed_after_its_time(void **state)
{
	struct fixture *f = *state;
	struct cr_seal *brief = cr_seal_create(munged_socket, 1);
	struct cr_error err;

	write_sealed(f, brief);
	cr_seal_destroy(brief);
	sleep(3);
	if (read_it(f, &err))
		fail_msg("%s", err.text);
	/* replayed, too */
	assert_int_equal(read_it(f, &err), 0);
}

/* Each byte of it, the seal's too. */
static void no_alteration_is_read(void **state)
{
	struct fixture *f = *state;
	struct cr_error err;
	const char *seal;
	size_t length;
	int rc;

	write_sealed(f, f->seal);
	length = strlen(f->text);
	seal = strstr(f->text, "MUNGE:");
	assert_non_null(seal);
	for (size_t i = 0; i < length; i++) {
		f->text[i] ^= 0x01;
		write_text(f, f->text, length);
		rc = read_it(f, &err);
		f->text[i] ^= 0x01;
		if (f->text + i < seal)
			assert_true(rc == -EBADMSG || rc == -ENOKEY);
		else if (!rc) /* last bits of the armour mean nothing */
			assert_true(i + 8 >= length);
	}
	for (size_t i = 0; i < length; i++) {
		write_text(f, f->text, i);
		assert_true(read_it(f, &err) < 0);
	}
	write_text(f, f->text, length);
	assert_int_equal(read_it(f, &err), 0);
}

/* Replace what is there once by something of the same length. */
static void alter(struct fixture *f, const char *from, const char *to)
{
	char *at = strstr(f->text, from);

	assert_non_null(at);
	assert_null(strstr(at + 1, from));
	assert_int_equal(strlen(from), strlen(to));
	memcpy(at, to, strlen(to));
	write_text(f, f->text, strlen(f->text));
}

static void another_user_or_digest_is_refused(void **state)
{
	static const struct {
		const char *from, *to;
	} changes[] = {
		{ "\"uid\": 1001", "\"uid\": 1002" },
		{ "\"job\": 12", "\"job\": 13" },
		{ "sha256-4m:0", "sha256-4m:1" },
		{ "\"size\": 4096", "\"size\": 4097" },
		{ "\"restart_count\": 0", "\"restart_count\": 1" },
	};
	struct fixture *f = *state;
	struct cr_error err;

	for (size_t i = 0; i < NR(changes); i++) {
		write_sealed(f, f->seal);
		alter(f, changes[i].from, changes[i].to);
		assert_int_equal(read_it(f, &err), -EBADMSG);
		assert_non_null(strstr(err.text, "altered"));
	}
}

/* The seal of one generation does not do for another. */
static void a_seal_cannot_be_moved(void **state)
{
	struct fixture *f = *state;
	char first[sizeof(f->text)];
	struct cr_error err;
	char *from, *to;

	write_sealed(f, f->seal);
	strcpy(first, f->text);
	f->manifest.generation = 4;
	write_sealed(f, f->seal);
	from = strstr(first, "MUNGE:");
	to = strstr(f->text, "MUNGE:");
	strcpy(to, from);
	write_text(f, f->text, strlen(f->text));
	assert_int_equal(read_it(f, &err), -EBADMSG);
}

static void one_without_a_seal_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cr_error err;
	struct cr_manifest m;

	write_sealed(f, NULL);
	assert_int_equal(read_it(f, &err), -ENOKEY);
	assert_non_null(strstr(err.text, "not sealed"));
	assert_non_null(strstr(err.text, "seal=no"));
	assert_int_equal(cr_manifest_read(f->dirfd, &m, NULL, NULL), 0);
	cr_manifest_free(&m);
	write_text(f, "{}", 2);
	assert_int_equal(read_it(f, &err), -ENOKEY);
	write_text(f, "", 0);
	assert_int_equal(read_it(f, &err), -ENOKEY);
}

static void what_only_looks_like_a_seal_is_refused(void **state)
{
	static const char *const seals[] = { "", "MUNGE:AAAA:", "a",
					     "MUNGE::", "MUNGE" };
	struct fixture *f = *state;
	struct cr_error err;
	char text[256];

	for (size_t i = 0; i < NR(seals); i++) {
		snprintf(text, sizeof(text), "{\n \"seal\": \"%s\"\n}",
			 seals[i]);
		write_text(f, text, strlen(text));
		assert_int_equal(read_it(f, &err), -ENOKEY);
		assert_non_null(strstr(err.text, "seal=no"));
		/* what munge says of it */
		assert_non_null(strstr(err.text, "(Invalid "));
	}
}

static void a_very_long_seal_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cr_error err;
	char text[3 * CR_SEAL_TEXT_MAX];

	memset(text, 'A', sizeof(text));
	memcpy(text, "{\n \"seal\": \"", 12);
	memcpy(text + sizeof(text) - 3, "\"\n}", 3);
	write_text(f, text, sizeof(text));
	assert_int_equal(read_it(f, &err), -EBADMSG);
}

/* Root of this cluster has sealed it, but without saying which image. */
static void an_image_without_a_digest_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cr_error err;

	f->image.digest[0] = '\0';
	write_sealed(f, f->seal);
	assert_int_equal(read_it(f, &err), -ENOKEY);
	assert_non_null(strstr(err.text, "no digest of node_0.img"));
}

static void what_is_no_digest_is_refused(void **state)
{
	static const char *const bad[] = { "sha256-4m:", "sha256-1m:0123", "x",
					   "sha256-4m:0123456789ABCDEF" };
	struct fixture *f = *state;
	struct cr_error err;

	for (size_t i = 0; i < NR(bad); i++) {
		strcpy(f->image.digest, bad[i]);
		write_sealed(f, f->seal);
		assert_int_equal(read_it(f, &err), -EBADMSG);
	}
}

static void another_users_seal_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cr_error err;
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(fchmod(f->dirfd, 0777), 0);
	pid = fork();
	if (pid == 0) {
		struct cr_seal *seal = cr_seal_create(munged_socket, 60);

		if (setgid(NOBODY) || setuid(NOBODY) || !seal ||
		    cr_seal_allow(seal, 0))
			_exit(1);
		_exit(cr_manifest_write(f->dirfd, &f->manifest, seal, NULL) ?
			      2 :
			      0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	/* they have found somebody to make it root's file */
	assert_int_equal(fchownat(f->dirfd, CR_MANIFEST_NAME, 0, 0, 0), 0);
	assert_int_equal(read_it(f, &err), -EPERM);
	assert_non_null(strstr(err.text, "uid 65534"));
}

/* A credential of root's that says something else: a message. */
static void another_credential_of_roots_is_no_seal(void **state)
{
	const struct cr_peer_message message = { .type = CR_PEER_PING };
	struct fixture *f = *state;
	struct cr_error err;
	char *credential;
	char *at;

	write_sealed(f, f->seal);
	assert_int_equal(cr_seal_close(f->seal, &message, &credential, &err),
			 0);
	at = strstr(f->text, "MUNGE:");
	sprintf(at, "%s\"\n}", credential);
	free(credential);
	write_text(f, f->text, strlen(f->text));
	assert_int_equal(read_it(f, &err), -EBADMSG);
}

static void another_clusters_seal_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cr_error err;

	write_sealed(f, f->seal);
	stop_munged(NULL);
	assert_int_equal(start_munged(NULL), 0);
	cr_seal_destroy(f->seal);
	f->seal = cr_seal_create(munged_socket, CR_SEAL_TTL);
	assert_int_equal(read_it(f, &err), -ENOKEY);
	assert_non_null(strstr(err.text, "key"));
	assert_non_null(strstr(err.text, "seal=no"));
}

static void a_munged_that_is_away_for_a_moment_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct cr_error err;
	pid_t pid;

	kill(munged_pid, SIGSTOP);
	pid = fork();
	if (pid == 0) {
		sleep(1);
		kill(munged_pid, SIGCONT);
		_exit(0);
	}
	write_sealed(f, f->seal);
	assert_int_equal(read_it(f, &err), 0);
	waitpid(pid, NULL, 0);
}

static void without_munged_it_fails_in_time_and_says_so(void **state)
{
	struct fixture *f = *state;
	struct cr_seal *none = cr_seal_create("/nonexistent/socket", 60);
	struct cr_error err = { 0 };
	struct cr_manifest m;
	time_t began = time(NULL);

	write_sealed(f, f->seal);
	assert_int_equal(cr_manifest_write(f->dirfd, &f->manifest, none, &err),
			 -ETIMEDOUT);
	assert_non_null(strstr(err.text, "munged does not answer"));
	assert_true(time(NULL) - began >= CR_SEAL_PATIENCE_MS / 1000 - 1);
	assert_int_equal(cr_manifest_read(f->dirfd, &m, none, &err),
			 -ETIMEDOUT);
	assert_non_null(strstr(err.text, "munged does not answer"));
	assert_true(time(NULL) - began <= 4 * CR_SEAL_PATIENCE_MS / 1000);
	cr_seal_destroy(none);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_sealed_is_read_any_number_of_times),
		TEST(it_is_believed_after_its_time),
		TEST(no_alteration_is_read),
		TEST(another_user_or_digest_is_refused),
		TEST(a_seal_cannot_be_moved),
		TEST(one_without_a_seal_is_refused),
		TEST(what_only_looks_like_a_seal_is_refused),
		TEST(a_very_long_seal_is_refused),
		TEST(an_image_without_a_digest_is_refused),
		TEST(what_is_no_digest_is_refused),
		TEST(another_users_seal_is_refused),
		TEST(another_credential_of_roots_is_no_seal),
		TEST(a_munged_that_is_away_for_a_moment_is_waited_for),
		TEST(without_munged_it_fails_in_time_and_says_so),
		TEST(another_clusters_seal_is_refused),
	};

	return cmocka_run_group_tests(tests, start_munged, stop_munged);
}
