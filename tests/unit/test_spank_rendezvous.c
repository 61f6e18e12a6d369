/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_rendezvous.c - lead.json is read as it was written, or refused
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "rendezvous.h"

#define RUN "0123456789abcdef0123456789abcdef"
#define NONCE "00112233445566778899aabbccddeeff"

static char folder[64];
static int dirfd_of;
static const struct cr_step step = { .job = 12, .run = RUN };
static const struct cr_rendezvous zero;

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test_lead.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	dirfd_of = open(folder, O_RDONLY | O_DIRECTORY);
	return dirfd_of < 0;
}

static int teardown(void **state)
{
	(void)state;
	unlinkat(dirfd_of, CR_RENDEZVOUS_NAME, 0);
	close(dirfd_of);
	return rmdir(folder);
}

static void write_text(const char *text)
{
	int fd;

	unlinkat(dirfd_of, CR_RENDEZVOUS_NAME, 0);
	fd = openat(dirfd_of, CR_RENDEZVOUS_NAME, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static struct cr_rendezvous make(void)
{
	struct cr_rendezvous r = { .port = 4711,
				   .run = RUN,
				   .nr_addresses = 2 };
	struct sockaddr_in *in = (struct sockaddr_in *)&r.addresses[0];
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&r.addresses[1];

	memset(r.nonce, 7, sizeof(r.nonce));
	in->sin_family = AF_INET;
	in->sin_port = htons(4711);
	inet_pton(AF_INET, "10.1.2.3", &in->sin_addr);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(4711);
	inet_pton(AF_INET6, "2001:db8::1", &in6->sin6_addr);
	return r;
}

static void what_is_written_is_read(void **state)
{
	const struct cr_rendezvous r = make();
	struct cr_rendezvous again;

	(void)state;
	assert_int_equal(cr_rendezvous_write(dirfd_of, &r, NULL), 0);
	assert_int_equal(cr_rendezvous_read(dirfd_of, &step, &again, NULL), 0);
	assert_memory_equal(&again, &r, sizeof(r));
}

static void a_node_lists_addresses_that_others_can_use(void **state)
{
	struct cr_rendezvous r;
	struct cr_error err;
	int rc = cr_rendezvous_make(&step, 99, &r, &err);

	(void)state;
	if (rc == -ENETUNREACH)
		skip(); /* a machine with loopback only */
	assert_int_equal(rc, 0);
	assert_true(r.nr_addresses > 0);
	for (size_t i = 0; i < r.nr_addresses; i++)
		if (r.addresses[i].ss_family == AF_INET)
			assert_int_not_equal(((uint8_t *)&(
						      (struct sockaddr_in *)&r
							      .addresses[i])
						      ->sin_addr)[0],
					     127);
}

/* One that was refused must leave nothing to connect to. */
static void one_of_another_run_is_refused(void **state)
{
	struct cr_step other = step;
	struct cr_rendezvous r = make();

	(void)state;
	assert_int_equal(cr_rendezvous_write(dirfd_of, &r, NULL), 0);
	other.run[5] ^= 1;
	assert_int_equal(cr_rendezvous_read(dirfd_of, &other, &r, NULL),
			 -ESTALE);
	assert_memory_equal(&r, &zero, sizeof(r));
}

static void none_is_told_apart(void **state)
{
	struct cr_rendezvous r;

	(void)state;
	assert_int_equal(cr_rendezvous_read(dirfd_of, &step, &r, NULL),
			 -ENOENT);
}

static void a_damaged_one_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{\"format\":2,\"run\":\"" RUN "\",\"nonce\":\"" NONCE
		"\",\"port\":1,\"addresses\":[\"10.0.0.1\"]}",
		"{\"format\":1,\"run\":7,\"nonce\":\"" NONCE
		"\",\"port\":1,\"addresses\":[\"10.0.0.1\"]}",
		"{\"format\":1,\"run\":\"" RUN RUN "\",\"nonce\":\"" NONCE
		"\",\"port\":1,\"addresses\":[\"10.0.0.1\"]}",
		"{\"format\":1,\"run\":\"" RUN "\",\"nonce\":\"0x\","
		"\"port\":1,\"addresses\":[\"10.0.0.1\"]}",
		"{\"format\":1,\"run\":\"" RUN "\",\"nonce\":\"" NONCE
		"\",\"port\":65536,\"addresses\":[\"10.0.0.1\"]}",
		"{\"format\":1,\"run\":\"" RUN "\",\"nonce\":\"" NONCE
		"\",\"port\":0,\"addresses\":[\"10.0.0.1\"]}",
		"{\"format\":1,\"run\":\"" RUN "\",\"nonce\":\"" NONCE
		"\",\"port\":1,\"addresses\":[]}",
		"{\"format\":1,\"run\":\"" RUN "\",\"nonce\":\"" NONCE
		"\",\"port\":1,\"addresses\":[\"host\"]}",
		"{\"format\":1,\"run\":\"" RUN "\",\"nonce\":\"" NONCE
		"\",\"port\":1,\"addresses\":[3]}",
		/* loopback is nobody's lead */
		"{\"format\":1,\"run\":\"" RUN "\",\"nonce\":\"" NONCE
		"\",\"port\":1,\"addresses\":[\"127.0.0.1\",\"::1\"]}",
	};
	struct cr_rendezvous r;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		write_text(texts[i]);
		if (cr_rendezvous_read(dirfd_of, &step, &r, NULL) != -EBADMSG)
			fail_msg("taken: %s", texts[i]);
		assert_memory_equal(&r, &zero, sizeof(r));
	}
}

static void what_is_not_a_file_of_ours_is_refused(void **state)
{
	struct cr_rendezvous r = make();

	(void)state;
	assert_int_equal(symlinkat("/etc/passwd", dirfd_of, CR_RENDEZVOUS_NAME),
			 0);
	assert_int_equal(cr_rendezvous_read(dirfd_of, &step, &r, NULL), -ELOOP);
	unlinkat(dirfd_of, CR_RENDEZVOUS_NAME, 0);
	if (geteuid() != 0)
		skip();
	assert_int_equal(cr_rendezvous_write(dirfd_of, &r, NULL), 0);
	assert_int_equal(fchownat(dirfd_of, CR_RENDEZVOUS_NAME, 65534, 65534,
				  0),
			 0);
	assert_int_equal(cr_rendezvous_read(dirfd_of, &step, &r, NULL), -EPERM);
}

static void only_our_own_is_removed(void **state)
{
	struct cr_rendezvous r = make(), other = make();

	(void)state;
	assert_int_equal(cr_rendezvous_write(dirfd_of, &r, NULL), 0);
	other.nonce[0] ^= 1;
	cr_rendezvous_remove(dirfd_of, &step, &other);
	assert_int_equal(faccessat(dirfd_of, CR_RENDEZVOUS_NAME, F_OK, 0), 0);
	cr_rendezvous_remove(dirfd_of, &step, &r);
	assert_int_equal(faccessat(dirfd_of, CR_RENDEZVOUS_NAME, F_OK, 0), -1);
}

static void sorting_loses_none(void **state)
{
	struct cr_rendezvous r = make();

	(void)state;
	cr_rendezvous_sort(&r);
	assert_int_equal(r.nr_addresses, 2);
	assert_int_not_equal(r.addresses[0].ss_family,
			     r.addresses[1].ss_family);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read),
		TEST(a_node_lists_addresses_that_others_can_use),
		TEST(one_of_another_run_is_refused),
		TEST(none_is_told_apart),
		TEST(a_damaged_one_is_refused),
		TEST(what_is_not_a_file_of_ours_is_refused),
		TEST(only_our_own_is_removed),
		TEST(sorting_loses_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
