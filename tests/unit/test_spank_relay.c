/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_relay.c - the relay between a PMIx client and its server
 *
 * The test is both of them, and the agent; the relay is a real one, in a
 * process of its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "pmix_said.h"
#include "relay_run.h"

struct fixture {
	int server; /* listens */
	struct relay_run relay;
	uint16_t port; /* its own */
	int client, accepted; /* a connection, from both ends */
};

static int listen_here(uint16_t *portp)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(fd, 8), 0);
	getsockname(fd, (struct sockaddr *)&address, &length);
	*portp = ntohs(address.sin_port);
	return fd;
}

/* From the address of number @from in 127.0.0.0/8. */
static int connect_from(in_addr_t from, uint16_t port)
{
	struct sockaddr_in own = { .sin_family = AF_INET };
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	own.sin_addr.s_addr = htonl(from);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&address,
				 sizeof(address)),
			 0);
	set_timeout(fd, PATIENCE_MS);
	return fd;
}

static int connect_to(uint16_t port)
{
	return connect_from(INADDR_LOOPBACK, port);
}

static uint16_t own_port(int fd)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);

	getsockname(fd, (struct sockaddr *)&address, &length);
	return ntohs(address.sin_port);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint16_t server_port;
	int listener;

	f->server = listen_here(&server_port);
	set_timeout(f->server, PATIENCE_MS);
	listener = listen_here(&f->port);
	fcntl(listener, F_SETFL, O_NONBLOCK);
	relay_start(&f->relay, listener, server_port);
	f->client = f->accepted = -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->client);
	close(f->accepted);
	close(f->server);
	relay_await_end(&f->relay);
	free(f);
	return 0;
}

static void assert_gets(int fd, const void *wanted, size_t length)
{
	uint8_t got[2 * SAID_MAX];

	assert_int_equal(recv(fd, got, length, MSG_WAITALL), length);
	assert_memory_equal(got, wanted, length);
}

/* @from says it, @to gets it. */
static void passes(int from, int to, uint32_t tag, uint8_t command)
{
	uint8_t message[SAID_MAX];
	size_t length = say(message, tag, command, "a body");

	assert_int_equal(write(from, message, length), length);
	assert_gets(to, message, length);
}

static void sends(int from, uint32_t tag, uint8_t command)
{
	uint8_t message[SAID_MAX];
	size_t length = say(message, tag, command, "a body");

	assert_int_equal(write(from, message, length), length);
}

static void gets(int to, uint32_t tag, uint8_t command)
{
	uint8_t message[SAID_MAX];

	assert_gets(to, message, say(message, tag, command, "a body"));
}

static void take_greeting(struct fixture *f, int is_passed)
{
	uint8_t hello[SAID_MAX];
	size_t length = say_hello(hello, "native", "\1\2", 2, 1);
	const uint32_t ack[2] = { 0, htonl(5) };

	f->accepted = accept(f->server, NULL, NULL);
	assert_true(f->accepted >= 0);
	set_timeout(f->accepted, PATIENCE_MS);
	assert_gets(f->accepted, hello, length);
	assert_int_equal(write(f->accepted, ack, sizeof(ack)), sizeof(ack));
	if (is_passed)
		assert_gets(f->client, ack, sizeof(ack));
}

static void greet(struct fixture *f)
{
	uint8_t hello[SAID_MAX];
	size_t length = say_hello(hello, "native", "\1\2", 2, 1);

	f->client = connect_to(f->port);
	/* in two parts: it is one message all the same */
	assert_int_equal(write(f->client, hello, 7), 7);
	assert_int_equal(write(f->client, hello + 7, length - 7), length - 7);
	take_greeting(f, 1);
}

/* Returns the answer's value. */
static int call(int session, enum cr_message_type type, int value,
		uint64_t count, int fd, int *answer_fdp)
{
	struct cr_message message = { .type = type,
				      .value = value,
				      .count = count };

	return relay_call(session, &message, fd, answer_fdp);
}

/* All that is under way when the ranks are frozen: a commit and a fence that
 * are done, a get that is, and another fence that is not. */
static void talk(struct fixture *f)
{
	greet(f);
	passes(f->client, f->accepted, 101, SAID_COMMIT);
	passes(f->accepted, f->client, 101, 0);
	passes(f->client, f->accepted, 102, SAID_FENCE);
	passes(f->accepted, f->client, 102, 0);
	passes(f->client, f->accepted, 103, SAID_GET);
	passes(f->accepted, f->client, 103, 0);
	passes(f->client, f->accepted, 104, SAID_FENCE);
}

/* Until the relay has it: the kernel waits for acknowledgements. */
static void await_taken(int fd)
{
	int left = 1;

	for (int i = 0; i < 500 && left; i++) {
		assert_int_equal(ioctl(fd, SIOCOUTQ, &left), 0);
		usleep(left ? 10000 : 0);
	}
	assert_int_equal(left, 0);
}

/* Save, with an event that the client has not been sent, and half a message of
 * its own; then all of it ends.  Returns the record. */
static int save_and_end(struct fixture *f)
{
	int session = relay_open_session(&f->relay), record = -1;
	uint8_t half[SAID_MAX];

	say(half, 105, SAID_COMMIT, "a body");
	assert_int_equal(write(f->client, half, 9), 9);
	await_taken(f->client);
	relay_tell(session, CR_MSG_RELAY_QUIESCE);
	assert_int_equal(call(session, CR_MSG_RELAY_STATE, own_port(f->client),
			      0, -1, &record),
			 0);
	assert_true(record >= 0);
	relay_tell(session, CR_MSG_RELAY_HOLD);
	close(f->client);
	f->client = -1;
	close(session);
	return record;
}

static void messages_pass_both_ways_unchanged(void **state)
{
	struct fixture *f = *state;

	talk(f);
	passes(f->accepted, f->client, 0, 12); /* an event */
	passes(f->accepted, f->client, 104, 0);
}

static void the_end_of_either_side_is_passed_on(void **state)
{
	struct fixture *f = *state;
	char byte;

	greet(f);
	sends(f->client, 101, SAID_COMMIT);
	close(f->client);
	f->client = -1;
	gets(f->accepted, 101, SAID_COMMIT);
	assert_int_equal(recv(f->accepted, &byte, 1, 0), 0);
	close(f->accepted);
	greet(f);
	sends(f->accepted, 0, 12);
	close(f->accepted);
	f->accepted = -1;
	gets(f->client, 0, 12);
	assert_int_equal(recv(f->client, &byte, 1, 0), 0);
}

static void a_refused_greeting_is_passed_on(void **state)
{
	struct fixture *f = *state;
	uint8_t hello[SAID_MAX];
	size_t length = say_hello(hello, "native", "\1\2", 2, 1);
	const uint32_t refused = htonl(0xffffffd0u);
	char byte;

	f->client = connect_to(f->port);
	assert_int_equal(write(f->client, hello, length), length);
	f->accepted = accept(f->server, NULL, NULL);
	assert_int_equal(write(f->accepted, &refused, 4), 4);
	assert_gets(f->client, &refused, 4);
	assert_int_equal(recv(f->client, &byte, 1, 0), 0);
}

static void a_server_does_not_see_saved_ranks_end(void **state)
{
	struct fixture *f = *state;

	talk(f);
	close(save_and_end(f));
	gets_nothing(f->accepted);
}

static void all_goes_on_when_a_saver_dies(void **state)
{
	struct fixture *f = *state;
	int session, record = -1;

	talk(f);
	session = relay_open_session(&f->relay);
	relay_tell(session, CR_MSG_RELAY_QUIESCE);
	sends(f->accepted, 104, 0);
	gets_nothing(f->client);
	assert_int_equal(call(session, CR_MSG_RELAY_STATE, own_port(f->client),
			      0, -1, &record),
			 0);
	close(record);
	close(session);
	gets(f->client, 104, 0);
	passes(f->client, f->accepted, 105, SAID_COMMIT);
}

static void a_connection_that_is_being_made_is_not_saved(void **state)
{
	struct fixture *f = *state;
	int session;

	f->client = connect_to(f->port);
	assert_int_equal(write(f->client, "half a greeting", 15), 15);
	session = relay_open_session(&f->relay);
	relay_tell(session, CR_MSG_RELAY_QUIESCE);
	assert_int_equal(call(session, CR_MSG_RELAY_STATE, own_port(f->client),
			      0, -1, NULL),
			 -EBUSY);
	assert_int_equal(call(session, CR_MSG_RELAY_STATE, 1, 0, -1, NULL),
			 -ENOTCONN);
	close(session);
}

/* Put @record, and bytes that were not read, to a new connection. */
static int restore(struct fixture *f, int record, int session)
{
	struct stat st;

	assert_int_equal(fstat(record, &st), 0);
	assert_int_equal(pwrite(record, "unread", 6, st.st_size), 6);
	f->client = connect_to(f->port);
	return call(session, CR_MSG_RELAY_RESTORE, own_port(f->client),
		    (uint64_t)st.st_size, record, NULL);
}

static int save_for_another(void **state)
{
	struct fixture *f = *state;
	int record;

	talk(f);
	record = save_and_end(f);
	teardown(state);
	setup(state);
	return record;
}

static void a_new_server_is_told_all_in_order(void **state)
{
	int record = save_for_another(state);
	struct fixture *f = *state;
	uint8_t rest[SAID_MAX];
	size_t length = say(rest, 105, SAID_COMMIT, "a body");
	int session = relay_open_session(&f->relay);

	assert_int_equal(restore(f, record, session), 0);
	/* what it has not read comes first, and does not wait */
	assert_gets(f->client, "unread", 6);
	relay_tell(session, CR_MSG_RELAY_GO);
	take_greeting(f, 0);
	gets(f->accepted, 101, SAID_COMMIT);
	gets_nothing(f->accepted); /* before that is answered */
	sends(f->accepted, 101, 0);
	gets(f->accepted, 102, SAID_FENCE);
	/* it says the other half of its message, which waits its turn */
	assert_int_equal(write(f->client, rest + 9, length - 9), length - 9);
	sends(f->accepted, 0, 12); /* an event of the new life */
	sends(f->accepted, 102, 0);
	gets(f->accepted, 104, SAID_FENCE);
	gets(f->accepted, 105, SAID_COMMIT);
	sends(f->accepted, 104, 0);
	gets(f->client, 0, 12);
	gets(f->client, 104, 0);
	gets_nothing(f->client);
	close(session);
	passes(f->accepted, f->client, 105, 0);
	close(record);
}

static void a_second_record_holds_the_first(void **state)
{
	int record = save_for_another(state), session, again;
	struct fixture *f = *state;

	session = relay_open_session(&f->relay);
	assert_int_equal(restore(f, record, session), 0);
	close(record);
	assert_gets(f->client, "unread", 6);
	/* saved again in the middle of being told */
	relay_tell(session, CR_MSG_RELAY_GO);
	close(session);
	take_greeting(f, 0);
	gets(f->accepted, 101, SAID_COMMIT);
	again = save_and_end(f);
	teardown(state);
	setup(state);
	f = *state;
	session = relay_open_session(&f->relay);
	assert_int_equal(restore(f, again, session), 0);
	close(again);
	assert_gets(f->client, "unread", 6);
	relay_tell(session, CR_MSG_RELAY_GO);
	take_greeting(f, 0);
	gets(f->accepted, 101, SAID_COMMIT);
	sends(f->accepted, 101, 0);
	gets(f->accepted, 102, SAID_FENCE);
	sends(f->accepted, 102, 0);
	gets(f->accepted, 104, SAID_FENCE);
	passes(f->accepted, f->client, 104, 0);
	close(session);
}

static void a_failed_restart_leaves_nothing(void **state)
{
	int record = save_for_another(state);
	struct fixture *f = *state;
	int session = relay_open_session(&f->relay);
	char bytes[8];
	ssize_t n;

	assert_int_equal(restore(f, record, session), 0);
	close(record);
	close(session); /* without GO */
	do
		n = recv(f->client, bytes, sizeof(bytes), 0);
	while (n > 0);
	assert_true(n == 0 || errno == ECONNRESET);
	close(f->client);
	greet(f); /* the program begins anew */
	passes(f->client, f->accepted, 101, SAID_COMMIT);
}

static void a_damaged_record_is_refused(void **state)
{
	struct fixture *f = *state;
	int session = relay_open_session(&f->relay),
	    record = memfd_create("x", 0);

	assert_int_equal(write(record, "not a record", 12), 12);
	assert_int_equal(restore(f, record, session), -EBADMSG);
	close(record);
	close(session);
}

static int is_cut_off(int fd)
{
	char byte;

	return read(fd, &byte, 1) <= 0 && errno != EAGAIN;
}

static void other_addresses_are_cut_off(void **state)
{
	struct fixture *f = *state;
	int fd = connect_from(INADDR_LOOPBACK + 1, f->port);

	errno = 0;
	assert_true(is_cut_off(fd));
	close(fd);
	greet(f);
}

static void other_users_are_cut_off(void **state)
{
	struct fixture *f = *state;
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0) {
		if (setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		errno = 0;
		_exit(!is_cut_off(connect_to(f->port)));
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	greet(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_pass_both_ways_unchanged),
		TEST(the_end_of_either_side_is_passed_on),
		TEST(a_refused_greeting_is_passed_on),
		TEST(a_server_does_not_see_saved_ranks_end),
		TEST(all_goes_on_when_a_saver_dies),
		TEST(a_connection_that_is_being_made_is_not_saved),
		TEST(a_new_server_is_told_all_in_order),
		TEST(a_second_record_holds_the_first),
		TEST(a_failed_restart_leaves_nothing),
		TEST(a_damaged_record_is_refused),
		TEST(other_addresses_are_cut_off),
		TEST(other_users_are_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
