/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_peer_seal.c - sealed messages, with a munged of our own
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "own_munged.h"
#include "peer_seal.h"

#define NOBODY 65534

static const struct cr_peer_message sample = { .type = CR_PEER_TERM,
					       .job = 12,
					       .session = 1,
					       .sequence = 1,
					       .text = "n2" };

static char *close_one(int ttl)
{
	struct cr_seal *seal = cr_seal_create(munged_socket, ttl);
	struct cr_error err = { 0 };
	char *text = NULL;

	assert_non_null(seal);
	if (cr_seal_close(seal, &sample, &text, &err))
		fail_msg("%s", err.text);
	assert_true(strlen(text) < CR_SEAL_TEXT_MAX);
	cr_seal_destroy(seal);
	return text;
}

static int open_one(const char *text, struct cr_peer_message *m)
{
	struct cr_seal *seal = cr_seal_create(munged_socket, CR_SEAL_TTL);
	struct cr_error err = { 0 };
	int rc = cr_seal_open(seal, text, geteuid(), m, &err);

	assert_int_equal(rc, err.code);
	cr_seal_destroy(seal);
	return rc;
}

static void what_is_sealed_can_be_opened_once(void **state)
{
	char *text = close_one(CR_SEAL_TTL);
	struct cr_peer_message m;

	(void)state;
	assert_int_equal(open_one(text, &m), 0);
	assert_memory_equal(&m, &sample, sizeof(m));
	assert_int_equal(open_one(text, &m), -EALREADY);
	free(text);
}

/* Every character of it, so every byte of what is inside. */
static void what_is_altered_is_refused(void **state)
{
	struct cr_peer_message m;
	char *text = close_one(CR_SEAL_TTL);
	size_t length = strlen(text);
	int rc;

	(void)state;
	for (size_t i = 0; i < length; i++) {
		char before = text[i];

		text[i] = before == 'A' ? 'B' : 'A';
		rc = open_one(text, &m);
		/* the padding's last bits and the armour's end mean nothing,
		 * and leave the message as it was */
		if (!rc || rc == -EALREADY)
			assert_true(i + 4 >= length);
		text[i] = before;
	}
	text[length / 2] = '\0';
	assert_int_equal(open_one(text, &m), -EBADMSG);
	assert_int_equal(open_one("", &m), -EBADMSG);
	assert_int_equal(open_one("MUNGE::", &m), -EBADMSG);
	free(text);
}

static void what_has_expired_is_refused(void **state)
{
	struct cr_peer_message m;
	char *text = close_one(1);

	(void)state;
	sleep(3);
	assert_int_equal(open_one(text, &m), -ETIME);
	free(text);
}

/* As another user, who may talk to munged too. */
static char *close_as_nobody(void)
{
	char *text = calloc(1, CR_SEAL_TEXT_MAX), *made;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(1);
		/* for root to open */
		struct cr_seal *seal = cr_seal_create(munged_socket, 60);

		if (!seal || cr_seal_allow(seal, 0) ||
		    cr_seal_close(seal, &sample, &made, NULL))
			_exit(2);
		_exit(write(fds[1], made, strlen(made)) < 0);
	}
	close(fds[1]);
	assert_true(read(fds[0], text, CR_SEAL_TEXT_MAX - 1) > 0);
	close(fds[0]);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	return text;
}

static void what_another_user_has_sealed_is_refused(void **state)
{
	struct cr_peer_message m;
	char *text;

	(void)state;
	if (geteuid() != 0)
		skip();
	text = close_as_nobody();
	assert_int_equal(open_one(text, &m), -EPERM);
	free(text);
}

static void another_user_cannot_open_ours(void **state)
{
	struct cr_peer_message m;
	int status;
	char *text;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	text = close_one(CR_SEAL_TTL);
	pid = fork();
	if (pid == 0) {
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(1);
		_exit(open_one(text, &m) == -EPERM ? 0 : 2);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	free(text);
}

static void without_munged_nothing_is_sealed(void **state)
{
	struct cr_seal *seal = cr_seal_create("/nonexistent/socket", 60);
	struct cr_error err = { 0 };
	char *text = NULL;

	(void)state;
	assert_non_null(seal);
	assert_int_equal(cr_seal_close(seal, &sample, &text, &err), -EIO);
	assert_non_null(strstr(err.text, "munge"));
	cr_seal_destroy(seal);
	cr_seal_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_can_be_opened_once),
		cmocka_unit_test(what_is_altered_is_refused),
		cmocka_unit_test(what_has_expired_is_refused),
		cmocka_unit_test(what_another_user_has_sealed_is_refused),
		cmocka_unit_test(another_user_cannot_open_ours),
		cmocka_unit_test(without_munged_nothing_is_sealed),
	};

	return cmocka_run_group_tests(tests, start_munged, stop_munged);
}
