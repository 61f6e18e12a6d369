/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_files_external.c - sockets that are the caller's
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "cr_restart.h"
#include "files_scene.h"

#define NOTE "a note\0with a zero in it"

static int listener = -1, other = -1; /* ends that are outside of the tree */
static int fresh[2] = { -1, -1 }; /* what takes the place of the socket */
static int asked_rc; /* what the callback returns */

/* A TCP connection over loopback; *@otherp is the accepted end. */
static int connected(int *otherp)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listening, (struct sockaddr *)&address, length),
			 0);
	assert_int_equal(listen(listening, 1), 0);
	getsockname(listening, (struct sockaddr *)&address, &length);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, length), 0);
	*otherp = accept(listening, NULL, NULL);
	assert_true(*otherp >= 0);
	close(listening);
	return fd;
}

/* Tasks have no descriptors of ours but those that they fetch. */
static int fetch(int fd)
{
	int parent = (int)syscall(SYS_pidfd_open, getppid(), 0);
	int got = (int)syscall(SYS_pidfd_getfd, parent, fd, 0);

	close(parent);
	return got;
}

static int the_socket;

static void open_socket(int task)
{
	int one = 1, fd;

	if (task)
		return; /* it has inherited it */
	fd = fetch(the_socket);
	CHECK(dup2(fd, 10) == 10 && dup2(fd, 11) == 11);
	close(fd);
	CHECK(setsockopt(10, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
	CHECK(fcntl(10, F_SETFL, O_NONBLOCK) == 0);
	CHECK(fcntl(11, F_SETFD, FD_CLOEXEC) == 0);
}

static int name_it(void *arg, pid_t pid, int number, int fd,
		   struct cr_external *external, struct cr_error *err)
{
	(void)arg;
	assert_int_equal(pid, shared->pids[0]);
	assert_int_equal(number, 10);
	assert_true(fd >= 0);
	if (asked_rc < 0)
		return cr_error_set(err, asked_rc, "the server: it is busy");
	if (asked_rc == 0)
		return 0;
	strcpy(external->name, "the server");
	external->note = malloc(sizeof(NOTE));
	memcpy(external->note, NOTE, sizeof(NOTE));
	external->note_length = sizeof(NOTE);
	return 1;
}

static void look_at_saved(const struct cr_saved *saved)
{
	struct cr_restart_external external;
	uint32_t id = 0;

	for (uint32_t i = 0; i < saved->nr_files; i++)
		if (saved->files[i].file->kind == CR_FILE_EXTERNAL_SOCKET) {
			assert_int_equal(id, 0); /* once for all descriptors */
			id = i + 1;
		}
	assert_true(id);
	cr_files_external(saved, id, &external);
	assert_string_equal(external.name, "the server");
	assert_int_equal(external.note_length, sizeof(NOTE));
	assert_memory_equal(external.note, NOTE, sizeof(NOTE));
	assert_int_equal(external.unread_length, 6);
	assert_memory_equal(external.unread, "unread", 6);
	assert_false(external.listens);
}

static int bring(void *arg, uint32_t id)
{
	(void)arg;
	(void)id;
	return fresh[0];
}

static void check_socket(int task)
{
	socklen_t length = sizeof(int);
	int value = 0;
	char byte = (char)('a' + task);

	CHECK(fcntl(10, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(10, F_GETFD) == 0 && fcntl(11, F_GETFD) == FD_CLOEXEC);
	CHECK(syscall(SYS_kcmp, getpid(), getpid(), 0, 10, 11) == 0);
	CHECK(getsockopt(10, IPPROTO_TCP, TCP_NODELAY, &value, &length) == 0);
	CHECK(value);
	CHECK(write(11, &byte, 1) == 1);
}

static int setup(void **state)
{
	(void)state;
	the_socket = connected(&other);
	fresh[0] = connected(&fresh[1]);
	/* out of the way of what the tasks close */
	fresh[0] = fcntl(fresh[0], F_DUPFD, SCENE_FLOOR);
	asked_rc = 1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(the_socket);
	close(other);
	close(fresh[0]);
	close(fresh[1]);
	return 0;
}

static void a_socket_of_the_callers_is_replaced(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_socket,
			       .external = name_it,
			       .loaded = look_at_saved,
			       .bring = bring,
			       .check = check_socket };
	char bytes[4];

	(void)state;
	assert_int_equal(write(other, "unread", 6), 6);
	assert_scene(&scene);
	assert_int_equal(recv(fresh[1], bytes, 2, MSG_WAITALL), 2);
	assert_int_equal(bytes[0] + bytes[1], 'a' + 'b');
}

static void saving_leaves_the_socket_alone(void **state)
{
	struct scene scene = { .open_all = open_socket,
			       .external = name_it,
			       .loaded = look_at_saved,
			       .bring = bring,
			       .check = check_socket };
	char bytes[8];

	(void)state;
	assert_int_equal(write(other, "unread", 6), 6);
	assert_scene(&scene);
	assert_int_equal(recv(the_socket, bytes, 8, MSG_DONTWAIT), 6);
	assert_memory_equal(bytes, "unread", 6);
}

static void what_the_other_side_has_not_taken_is_refused(void **state)
{
	struct scene scene = { .open_all = open_socket, .external = name_it };
	char bytes[4096] = { 0 };

	(void)state;
	fcntl(the_socket, F_SETFL, O_NONBLOCK);
	while (write(the_socket, bytes, sizeof(bytes)) > 0)
		;
	assert_scene_fails(&scene, -EOPNOTSUPP,
			   "fd 10: socket \"the server\":");
	assert_scene_fails(&scene, -EOPNOTSUPP, "were not taken");
}

static void the_callers_reason_is_told(void **state)
{
	struct scene scene = { .open_all = open_socket, .external = name_it };

	(void)state;
	asked_rc = -EBUSY;
	assert_scene_fails(&scene, -EOPNOTSUPP,
			   "fd 10: the server: it is busy");
}

static void a_socket_that_is_not_the_callers_is_judged_as_ever(void **state)
{
	struct scene scene = { .open_all = open_socket, .external = name_it };

	(void)state;
	asked_rc = 0;
	assert_scene_fails(&scene, -EOPNOTSUPP, "fd 10: TCP");
}

static void a_socket_that_nobody_brings_is_refused(void **state)
{
	struct scene scene = { .open_all = open_socket,
			       .external = name_it,
			       .check = check_socket };

	(void)state;
	assert_scene_fails(&scene, -EOPNOTSUPP, "nobody brings that socket");
}

static void open_listener(int task)
{
	int fd = fetch(listener);

	(void)task;
	CHECK(dup2(fd, 10) == 10);
	close(fd);
}

static void look_at_listener(const struct cr_saved *saved)
{
	struct cr_restart_external external;

	for (uint32_t id = 1; id <= saved->nr_files; id++) {
		if (saved->files[id - 1].file->kind != CR_FILE_EXTERNAL_SOCKET)
			continue;
		cr_files_external(saved, id, &external);
		assert_true(external.listens);
		assert_int_equal(external.unread_length, 0);
		return;
	}
	fail_msg("no external socket");
}

static void check_listener(int task)
{
	(void)task;
	CHECK(fcntl(10, F_GETFL) == (O_RDWR | O_NONBLOCK));
}

/* Somebody else listens there too: whatever its flags are, they stay. */
static void a_listening_socket_is_not_touched(void **state)
{
	struct scene scene = { .open_all = open_listener,
			       .external = name_it,
			       .loaded = look_at_listener,
			       .bring = bring,
			       .check = check_listener };

	(void)state;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(listen(listener, 1), 0);
	fcntl(fresh[0], F_SETFL, O_NONBLOCK);
	assert_scene(&scene);
	close(listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_socket_of_the_callers_is_replaced),
		TEST(saving_leaves_the_socket_alone),
		TEST(what_the_other_side_has_not_taken_is_refused),
		TEST(the_callers_reason_is_told),
		TEST(a_socket_that_is_not_the_callers_is_judged_as_ever),
		TEST(a_socket_that_nobody_brings_is_refused),
		TEST(a_listening_socket_is_not_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
