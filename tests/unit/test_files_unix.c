/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_files_unix.c - AF_UNIX sockets
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "files_scene.h"

#define PATH "/tmp/cr-test-files.sock"
#define ABSTRACT "cr-test-files"

static void at(int number, int fd)
{
	CHECK(fd >= 0 && fd != number);
	CHECK(dup2(fd, number) == number);
	close(fd);
}

static void pair_at(int number, int type)
{
	int made[2];

	CHECK(socketpair(AF_UNIX, type, 0, made) == 0);
	CHECK(dup2(made[0], number) == number);
	CHECK(dup2(made[1], number + 1) == number + 1);
	close(made[0]);
	close(made[1]);
}

static socklen_t address_of(const char *name, struct sockaddr_un *address)
{
	size_t abstract = name[0] != '/' && name[0] != '.';

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	strcpy(address->sun_path + abstract, name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract +
			   strlen(name));
}

static int named(int type, const char *name)
{
	struct sockaddr_un address;
	socklen_t length = address_of(name, &address);
	int fd = socket(AF_UNIX, type, 0);

	if (bind(fd, (struct sockaddr *)&address, length) < 0)
		return -1;
	return fd;
}

static int connected(int fd, const char *name)
{
	struct sockaddr_un address;
	socklen_t length = address_of(name, &address);

	return connect(fd, (struct sockaddr *)&address, length) == 0;
}

static int has_name(int fd, const char *name, int of_peer)
{
	struct sockaddr_un address = { 0 };
	socklen_t length = sizeof(address);
	int rc = of_peer ?
			 getpeername(fd, (struct sockaddr *)&address, &length) :
			 getsockname(fd, (struct sockaddr *)&address, &length);

	if (rc < 0)
		return 0;
	if (!name[0])
		return length == offsetof(struct sockaddr_un, sun_path);
	return !strcmp(address.sun_path + (address.sun_path[0] == '\0'), name);
}

static int receives(int fd, const char *want)
{
	char text[64] = "";
	ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);

	return n == (ssize_t)strlen(want) && !memcmp(text, want, (size_t)n);
}

static int send_text(int fd, const char *text)
{
	return send(fd, text, strlen(text), MSG_NOSIGNAL) ==
	       (ssize_t)strlen(text);
}

static int get_option(int fd, int option)
{
	int value = -2;
	socklen_t length = sizeof(value);

	getsockopt(fd, SOL_SOCKET, option, &value, &length);
	return value;
}

/* ---- pairs ---- */

static void open_pairs(int task)
{
	int value = 100000;

	if (task) {
		close(10);
		close(13);
		return;
	}
	pair_at(10, SOCK_STREAM | SOCK_NONBLOCK);
	CHECK(send_text(10, "to eleven") && send_text(11, "to ten"));
	CHECK(setsockopt(10, SOL_SOCKET, SO_SNDBUF, &value, 4) == 0);
	pair_at(12, SOCK_SEQPACKET);
	CHECK(send_text(12, "first") && send_text(12, ""));
	CHECK(send_text(12, "second"));
	pair_at(14, SOCK_DGRAM);
	CHECK(send_text(15, "datagram") && send(15, "", 0, 0) == 0);
	CHECK(send_text(15, "after an empty one"));
	/* Gone or half closed. */
	pair_at(16, SOCK_STREAM);
	CHECK(send_text(17, "last words"));
	close(17);
	pair_at(18, SOCK_STREAM);
	CHECK(send_text(19, "read me"));
	CHECK(shutdown(19, SHUT_WR) == 0);
	/* Saving must not disturb an offset of the program's own. */
	pair_at(20, SOCK_STREAM);
	value = 3;
	CHECK(setsockopt(20, SOL_SOCKET, SO_PEEK_OFF, &value, 4) == 0);
	CHECK(send_text(21, "abcdef"));
}

static void check_pairs(int task)
{
	char text[16] = "";

	if (task) {
		while (!*(volatile uint64_t *)&shared->notes[0] &&
		       !shared->failed[0])
			usleep(100);
		CHECK(send_text(11, "still connected"));
		CHECK(send_text(12, "third"));
		shared->notes[1] = 1;
		return;
	}
	CHECK(receives(10, "to ten") && receives(11, "to eleven"));
	CHECK(fcntl(10, F_GETFL) & O_NONBLOCK);
	CHECK(get_option(10, SO_SNDBUF) == 200000);
	CHECK(get_option(11, SO_SNDBUF) != 200000);
	CHECK(receives(13, "first") && receives(13, ""));
	CHECK(receives(13, "second"));
	CHECK(receives(14, "datagram") && receives(14, ""));
	CHECK(receives(14, "after an empty one"));
	CHECK(send_text(14, "answer") && receives(15, "answer"));
	CHECK(receives(16, "last words"));
	CHECK(recv(16, text, 1, 0) == 0);
	CHECK(!send_text(16, "x") && errno == EPIPE);
	CHECK(receives(18, "read me") && recv(18, text, 1, 0) == 0);
	CHECK(!send_text(19, "x") && errno == EPIPE);
	CHECK(send_text(18, "back") && receives(19, "back"));
	CHECK(get_option(20, SO_PEEK_OFF) == 3);
	CHECK(recv(20, text, 2, MSG_PEEK) == 2 && !memcmp(text, "de", 2));
	shared->notes[0] = 1;
	while (!*(volatile uint64_t *)&shared->notes[1] && !shared->failed[0])
		usleep(100);
	CHECK(receives(10, "still connected"));
	CHECK(receives(13, "third"));
}

static void pairs_keep_what_is_in_flight(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_pairs,
			       .check = check_pairs };

	(void)state;
	assert_scene(&scene);
}

/* Connected to one, it still has messages that others sent before. */
static void open_connected(void)
{
	struct sockaddr_un address;
	socklen_t length = address_of(PATH, &address);
	int nameless = socket(AF_UNIX, SOCK_DGRAM, 0);

	unlink(PATH);
	unlink(PATH ".b");
	at(30, named(SOCK_DGRAM, PATH));
	at(31, named(SOCK_DGRAM, PATH ".b"));
	CHECK(sendto(nameless, "", 0, 0, (struct sockaddr *)&address, length) ==
	      0);
	CHECK(connected(30, PATH ".b") && connected(31, PATH));
	CHECK(send_text(31, "from b"));
	close(nameless);
}

static void check_connected(void)
{
	struct sockaddr_un from;
	socklen_t length = sizeof(from);
	char text[16];

	CHECK(recvfrom(30, text, sizeof(text), MSG_DONTWAIT,
		       (struct sockaddr *)&from, &length) == 0);
	CHECK(length <= offsetof(struct sockaddr_un, sun_path));
	CHECK(receives(30, "from b"));
}

/* The saved task goes on after the checkpoint and looks at itself. */
static void saving_leaves_sockets_alone(void **state)
{
	struct scene scene = { .nr_tasks = 1 };
	struct cr_error err = { 0 };
	struct stat first, second;
	pid_t pid;
	int i;

	(void)state;
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0); /* see test_remote_killed.c: it will stop */
		scene_null_streams();
		shared->pids[0] = getpid();
		shared->failed[0] = '\0';
		open_pairs(0);
		open_connected();
		raise(SIGSTOP);
		CHECK(receives(10, "to ten") && receives(11, "to eleven"));
		CHECK(receives(13, "first") && receives(13, ""));
		CHECK(receives(13, "second"));
		CHECK(get_option(10, SO_PEEK_OFF) == -1);
		CHECK(get_option(20, SO_PEEK_OFF) == 3);
		check_connected();
		_exit(0);
	}
	for (i = 0; i < 2000 && !scene_is_stopped(pid); i++)
		usleep(1000);
	/* Twice: the second checkpoint sees what the first did. */
	assert_int_equal(scene_save(&scene, "/tmp/cr-scene.unix", &err), 0);
	assert_int_equal(scene_save(&scene, "/tmp/cr-scene.unix2", &err), 0);
	assert_int_equal(stat("/tmp/cr-scene.unix", &first), 0);
	assert_int_equal(stat("/tmp/cr-scene.unix2", &second), 0);
	assert_int_equal(first.st_size, second.st_size);
	unlink("/tmp/cr-scene.unix2");
	unlink("/tmp/cr-scene.unix");
	kill(pid, SIGCONT);
	assert_int_equal(waitpid(pid, &i, 0), pid);
	if (i)
		fail_msg("%s", shared->failed);
}

/* ---- names ---- */

static void open_names(int task)
{
	if (task) {
		/* The accepted end is this task's only. */
		at(13, accept(10, NULL, NULL));
		at(15, accept(14, NULL, NULL));
		CHECK(send_text(11, "to the server"));
		close(11);
		close(16);
		return;
	}
	unlink(PATH);
	at(10, named(SOCK_STREAM, PATH));
	CHECK(chmod(PATH, 0600) == 0);
	CHECK(listen(10, 7) == 0);
	at(11, socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK(connected(11, PATH));
	at(14, named(SOCK_SEQPACKET, ABSTRACT));
	CHECK(listen(14, 1) == 0);
	at(16, socket(AF_UNIX, SOCK_SEQPACKET, 0));
	CHECK(connected(16, ABSTRACT));
}

static void check_names(int task)
{
	struct stat st;
	int fd;

	if (task == 0) {
		CHECK(stat(PATH, &st) == 0 && S_ISSOCK(st.st_mode));
		CHECK((st.st_mode & 0777) == 0600);
		CHECK(has_name(10, PATH, 0) && has_name(14, ABSTRACT, 0));
		CHECK(has_name(11, PATH, 1) && has_name(11, "", 0));
		CHECK(has_name(16, ABSTRACT, 1));
		CHECK(get_option(10, SO_ACCEPTCONN) == 1);
		CHECK(send_text(11, " and more"));
		shared->notes[0] = 1;
		/* New ones can come. */
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		CHECK(connected(fd, PATH));
		CHECK(accept(10, NULL, NULL) >= 0);
		return;
	}
	while (!*(volatile uint64_t *)&shared->notes[0] && !shared->failed[0])
		usleep(100);
	CHECK(has_name(13, PATH, 0) && has_name(13, "", 1));
	CHECK(has_name(15, ABSTRACT, 0));
	CHECK(receives(13, "to the server and more"));
	CHECK(fcntl(11, F_GETFD) < 0);
}

static void listeners_and_connections_keep_their_names(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_names,
			       .check = check_names };

	(void)state;
	assert_scene(&scene);
	unlink(PATH);
}

static void open_accepted_alone(int task)
{
	(void)task;
	unlink(PATH);
	at(10, named(SOCK_STREAM, PATH));
	CHECK(listen(10, 1) == 0);
	at(11, socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK(connected(11, PATH));
	at(12, accept(10, NULL, NULL));
	CHECK(send_text(11, "hello"));
	close(10);
}

static void check_accepted_alone(int task)
{
	struct ucred creds = { 0 };
	socklen_t length = sizeof(creds);

	(void)task;
	CHECK(has_name(12, PATH, 0) && has_name(11, PATH, 1));
	CHECK(receives(12, "hello") && send_text(12, "you"));
	CHECK(receives(11, "you"));
	CHECK(getsockopt(12, SOL_SOCKET, SO_PEERCRED, &creds, &length) == 0);
	CHECK(creds.uid == 0 && creds.pid == getpid());
	CHECK(access(PATH ".cr", F_OK) < 0 && access(PATH, F_OK) == 0);
}

static void a_connection_outlives_its_listener(void **state)
{
	struct scene scene = { .open_all = open_accepted_alone,
			       .check = check_accepted_alone };

	(void)state;
	assert_scene(&scene);
	unlink(PATH);
}

/* ---- datagrams ---- */

static void open_datagrams(int task)
{
	struct sockaddr_un address;
	socklen_t length = address_of(PATH, &address);
	int one = 1, fd;

	(void)task;
	unlink(PATH);
	unlink(PATH ".b");
	at(10, named(SOCK_DGRAM, PATH));
	CHECK(setsockopt(10, SOL_SOCKET, SO_PASSCRED, &one, 4) == 0);
	at(11, named(SOCK_DGRAM, PATH ".b"));
	CHECK(sendto(11, "from b", 6, 0, (struct sockaddr *)&address, length) ==
	      6);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(sendto(fd, "from nobody", 11, 0, (struct sockaddr *)&address,
		     length) == 11);
	close(fd);
	at(12, socket(AF_UNIX, SOCK_DGRAM, 0));
	CHECK(connected(12, PATH));
	CHECK(connected(10, PATH ".b"));
}

static void check_datagrams(int task)
{
	_Alignas(struct cmsghdr) char control[256];
	struct sockaddr_un from = { 0 };
	char text[32] = "";
	struct iovec iov = { text, sizeof(text) };
	struct msghdr header = { .msg_name = &from,
				 .msg_namelen = sizeof(from),
				 .msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control) };
	struct ucred creds;

	(void)task;
	CHECK(has_name(10, PATH ".b", 1) && has_name(12, PATH, 1));
	CHECK(recvmsg(10, &header, MSG_DONTWAIT) == 6);
	CHECK(!strcmp(from.sun_path, PATH ".b"));
	CHECK(!memcmp(text, "from b", 6));
	CHECK(CMSG_FIRSTHDR(&header)->cmsg_type == SCM_CREDENTIALS);
	memcpy(&creds, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(creds));
	CHECK(creds.pid == getpid());
	CHECK(receives(10, "from nobody"));
	/* Connected to b: takes no other's. */
	CHECK(!send_text(12, "x") && errno == EPERM);
}

static void datagrams_keep_their_senders(void **state)
{
	struct scene scene = { .open_all = open_datagrams,
			       .check = check_datagrams };

	(void)state;
	assert_scene(&scene);
	unlink(PATH);
	unlink(PATH ".b");
}

/* ---- refusals ---- */

static void open_rights(int task)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { (void *)"x", 1 };
	struct msghdr header = { .msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control) };
	struct cmsghdr *first = CMSG_FIRSTHDR(&header);
	int zero = 0;

	(void)task;
	pair_at(10, SOCK_STREAM);
	first->cmsg_level = SOL_SOCKET;
	first->cmsg_type = SCM_RIGHTS;
	first->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(first), &zero, sizeof(zero));
	CHECK(sendmsg(11, &header, 0) == 1);
}

static void descriptors_in_flight_are_refused(void **state)
{
	struct scene scene = { .open_all = open_rights };

	(void)state;
	assert_scene_fails(&scene, -EOPNOTSUPP,
			   "fd 10: Unix socket with descriptors in flight");
}

static void open_pending(int task)
{
	(void)task;
	at(10, named(SOCK_STREAM, ABSTRACT));
	CHECK(listen(10, 3) == 0);
	at(11, socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK(connected(11, ABSTRACT));
}

static void connections_not_accepted_are_refused(void **state)
{
	struct scene scene = { .open_all = open_pending };

	(void)state;
	assert_scene_fails(&scene, -EOPNOTSUPP, "not accepted yet");
}

static int outside[2];

static void open_outside(int task)
{
	int self = (int)syscall(SYS_pidfd_open, getppid(), 0);

	(void)task;
	at(10, (int)syscall(SYS_pidfd_getfd, self, outside[0], 0));
	close(self);
}

static void a_socket_out_of_the_tree_is_refused(void **state)
{
	struct scene scene = { .open_all = open_outside };

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, outside), 0);
	assert_scene_fails(&scene, -EOPNOTSUPP,
			   "fd 10: Unix socket whose other end is outside");
	close(outside[0]);
	close(outside[1]);
}

/* What is looked at before that is not put behind it. */
static void a_message_from_outside_stays_in_its_place(void **state)
{
	struct scene scene = { .open_all = open_outside };
	int nameless = socket(AF_UNIX, SOCK_DGRAM, 0);

	(void)state;
	unlink(PATH);
	unlink(PATH ".b");
	outside[0] = named(SOCK_DGRAM, PATH);
	outside[1] = named(SOCK_DGRAM, PATH ".b");
	assert_true(connected(nameless, PATH) && connected(outside[1], PATH));
	assert_true(send_text(nameless, "") && send_text(nameless, "one"));
	assert_true(send_text(outside[1], "two") && send_text(nameless, ""));
	assert_scene_fails(&scene, -EOPNOTSUPP, PATH ".b, outside the tree");
	assert_true(receives(outside[0], "") && receives(outside[0], "one"));
	assert_true(receives(outside[0], "two") && receives(outside[0], ""));
	close(nameless);
	close(outside[0]);
	close(outside[1]);
	unlink(PATH);
	unlink(PATH ".b");
}

static void name_taken(void)
{
	outside[0] = named(SOCK_STREAM, PATH);
	if (outside[0] < 0) {
		unlink(PATH);
		outside[0] = named(SOCK_STREAM, PATH);
	}
	listen(outside[0], 1);
}

static void a_name_in_use_is_stale(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_names,
			       .between = name_taken,
			       .check = check_names };

	(void)state;
	assert_scene_fails(&scene, -ESTALE, "Unix socket " PATH);
	close(outside[0]);
	unlink(PATH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_keep_what_is_in_flight),
		cmocka_unit_test(saving_leaves_sockets_alone),
		cmocka_unit_test(listeners_and_connections_keep_their_names),
		cmocka_unit_test(a_connection_outlives_its_listener),
		cmocka_unit_test(datagrams_keep_their_senders),
		cmocka_unit_test(descriptors_in_flight_are_refused),
		cmocka_unit_test(connections_not_accepted_are_refused),
		cmocka_unit_test(a_socket_out_of_the_tree_is_refused),
		cmocka_unit_test(a_message_from_outside_stays_in_its_place),
		cmocka_unit_test(a_name_in_use_is_stale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
