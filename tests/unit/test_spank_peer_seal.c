/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_peer_seal.c - sealed messages, with a munged of our own
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "peer_seal.h"

#define NOBODY 65534

static char folder[64], socket_path[96];
static pid_t munged;
static const struct cr_peer_message sample = { .type = CR_PEER_TERM,
					       .job = 12,
					       .session = 1,
					       .sequence = 1,
					       .text = "n2" };

static char *path_of(const char *option, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s%s/%s", option, folder, name) < 0)
		abort();
	return path;
}

static void write_key(void)
{
	char *path = path_of("", "key");
	uint8_t key[128];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0400);

	assert_int_equal(getrandom(key, sizeof(key), 0), sizeof(key));
	assert_int_equal(write(fd, key, sizeof(key)), sizeof(key));
	close(fd);
	free(path);
}

static int start_munged(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test_seal.XXXXXX");
	assert_non_null(mkdtemp(folder));
	chmod(folder, 0755);
	snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
	write_key();
	munged = fork();
	if (munged == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(126);
		execlp("munged", "munged", "--foreground", "--force",
		       path_of("--key-file=", "key"),
		       path_of("--socket=", "socket"),
		       path_of("--pid-file=", "pid"),
		       path_of("--log-file=", "log"),
		       path_of("--seed-file=", "seed"), NULL);
		_exit(127);
	}
	for (int i = 0; i < 1000 && access(socket_path, F_OK) < 0; i++)
		usleep(10000);
	return access(socket_path, F_OK);
}

static int stop_munged(void **state)
{
	char command[128];

	(void)state;
	kill(munged, SIGTERM);
	waitpid(munged, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static char *close_one(int ttl)
{
	struct cr_seal *seal = cr_seal_create(socket_path, ttl);
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
	struct cr_seal *seal = cr_seal_create(socket_path, CR_SEAL_TTL);
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
		struct cr_seal *seal = cr_seal_create(socket_path, 60);

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
