/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_relay_pmi.c - the relay between a PMI client and its server
 *
 * The test is both of them, and the agent; the relay is a real one, in a
 * process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "relay_run.h"

#define INIT "cmd=init pmi_version=1 pmi_subversion=1\n"
#define INIT_DONE "cmd=response_to_init rc=0\n"
#define PUT "cmd=put kvsname=1.0 key=a value=b\n"
#define PUT_DONE "cmd=put_result rc=0 msg=success\n"
#define GET "cmd=get kvsname=1.0 key=a\n"
#define GET_DONE "cmd=get_result rc=0 value=b\n"
#define FENCE "cmd=barrier_in\n"
#define FENCE_DONE "cmd=barrier_out\n"
#define BYE "cmd=finalize\n"
#define BYE_DONE "cmd=finalize_ack\n"

struct fixture {
	struct relay_run relay;
	int client[2], server[2]; /* of two ranks */
};

static uint64_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

/* As the agent does it for a rank. */
static void open_rank(struct fixture *f, uint32_t local)
{
	struct cr_message message = { .type = CR_MSG_RELAY_PMI,
				      .local = local };
	int a[2], b[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
	f->client[local] = a[0];
	f->server[local] = b[0];
	message.count = inode_of(a[0]);
	assert_int_equal(cr_message_send(f->relay.control, &message,
					 (const int[]){ b[1], a[1] }, 2),
			 0);
	close(a[1]);
	close(b[1]);
	set_timeout(a[0], PATIENCE_MS);
	set_timeout(b[0], PATIENCE_MS);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(listen(listener, 1), 0);
	fcntl(listener, F_SETFL, O_NONBLOCK);
	relay_start(&f->relay, listener, 0);
	for (uint32_t local = 0; local < 2; local++)
		open_rank(f, local);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		close(f->client[i]);
		close(f->server[i]);
	}
	relay_await_end(&f->relay);
	free(f);
	return 0;
}

static void says(int from, const char *text)
{
	assert_int_equal(write(from, text, strlen(text)), strlen(text));
}

static void gets_text(int to, const char *text)
{
	char got[256] = "";

	assert_int_equal(recv(to, got, strlen(text), MSG_WAITALL),
			 strlen(text));
	assert_string_equal(got, text);
}

/* A question and its answer. */
static void asks(const struct fixture *f, int rank, const char *question,
		 const char *answer)
{
	says(f->client[rank], question);
	gets_text(f->server[rank], question);
	says(f->server[rank], answer);
	gets_text(f->client[rank], answer);
}

/* The record of what @fd is the client's end of: 0 or -errno. */
static int ask_state(int session, int fd, uint32_t local, int *recordp)
{
	struct cr_message message = { .type = CR_MSG_RELAY_STATE,
				      .count = inode_of(fd) };
	int rc = relay_call(session, &message, -1, recordp);

	if (!rc)
		assert_int_equal(message.local, local);
	return rc;
}

/* All that is under way when the ranks are frozen. */
static void talk(struct fixture *f)
{
	asks(f, 1, INIT, INIT_DONE);
	asks(f, 1, PUT, PUT_DONE);
	asks(f, 1, GET, GET_DONE);
	asks(f, 1, FENCE, FENCE_DONE);
	says(f->client[1], FENCE "cmd=ge");
}

/* Rank 1, and then its client ends.  Returns the record. */
static int save_and_end(struct fixture *f)
{
	int session = relay_open_session(&f->relay), record = -1;

	relay_tell(session, CR_MSG_RELAY_QUIESCE);
	assert_int_equal(ask_state(session, f->client[1], 1, &record), 0);
	assert_true(record >= 0);
	relay_tell(session, CR_MSG_RELAY_HOLD);
	close(f->client[1]);
	f->client[1] = -1;
	close(session);
	return record;
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

/* Bring rank @local what @record is of; @unread is what it had not read. */
static int restore(struct fixture *f, int session, uint32_t local, int record,
		   const char *unread)
{
	const off_t length = lseek(record, 0, SEEK_END);
	struct cr_message message = { .type = CR_MSG_RELAY_RESTORE,
				      .local = local,
				      .count = (uint64_t)length };
	int fd = -1, rc;

	assert_int_equal(pwrite(record, unread, strlen(unread), length),
			 strlen(unread));
	rc = relay_call(session, &message, record, &fd);
	if (fd >= 0) {
		/* as the shepherd's is closed */
		close(f->client[local]);
		f->client[local] = fd;
		set_timeout(fd, PATIENCE_MS);
	}
	return rc;
}

static void messages_pass_both_ways_unchanged(void **state)
{
	struct fixture *f = *state;

	asks(f, 0, INIT, INIT_DONE);
	talk(f);
	gets_text(f->server[1], FENCE);
	gets_nothing(f->server[1]); /* of half a message */
	says(f->client[1], "t k=1\n");
	gets_text(f->server[1], "cmd=get k=1\n");
	asks(f, 0, "    14cmd=kvs-fence;", "    23cmd=kvs-fence-response;");
}

static void the_end_of_either_side_is_passed_on(void **state)
{
	struct fixture *f = *state;

	says(f->client[0], INIT);
	close(f->client[0]);
	f->client[0] = -1;
	gets_text(f->server[0], INIT);
	gets_end(f->server[0]);
	says(f->server[1], INIT_DONE);
	close(f->server[1]);
	f->server[1] = -1;
	gets_text(f->client[1], INIT_DONE);
	gets_end(f->client[1]);
}

static void who_does_not_speak_pmi_is_cut_off(void **state)
{
	struct fixture *f = *state;

	says(f->client[0], "GET / HTTP/1.0\n");
	gets_end(f->client[0]);
	gets_nothing(f->server[0]);
}

static void a_server_does_not_see_saved_ranks_end(void **state)
{
	struct fixture *f = *state;

	talk(f);
	close(save_and_end(f));
	gets_text(f->server[1], FENCE);
	gets_nothing(f->server[1]);
}

static void all_goes_on_when_a_saver_dies(void **state)
{
	struct fixture *f = *state;
	int session, record = -1;

	talk(f);
	session = relay_open_session(&f->relay);
	relay_tell(session, CR_MSG_RELAY_QUIESCE);
	gets_text(f->server[1], FENCE);
	says(f->server[1], FENCE_DONE);
	gets_nothing(f->client[1]);
	assert_int_equal(ask_state(session, f->client[1], 1, &record), 0);
	close(record);
	close(session);
	gets_text(f->client[1], FENCE_DONE);
}

static void other_sockets_are_not_ours(void **state)
{
	struct fixture *f = *state;
	int session = relay_open_session(&f->relay);

	assert_int_equal(ask_state(session, f->relay.control, 0, NULL),
			 -ENOENT);
	close(session);
}

static void a_new_server_is_told_all_in_order(void **state)
{
	int record = save_for_another(state);
	struct fixture *f = *state;
	int session = relay_open_session(&f->relay);

	assert_int_equal(restore(f, session, 0, record, "unread"), 0);
	gets_nothing(f->client[0]);
	relay_tell(session, CR_MSG_RELAY_GO);
	gets_text(f->client[0], "unread");
	gets_text(f->server[0], INIT);
	gets_nothing(f->server[0]); /* before that is answered */
	says(f->server[0], INIT_DONE);
	gets_text(f->server[0], PUT);
	/* it says the rest of its question, which waits its turn */
	says(f->client[0], "t k=1\n");
	says(f->server[0], PUT_DONE);
	gets_text(f->server[0], FENCE); /* and not what it had only got */
	says(f->server[0], FENCE_DONE);
	gets_nothing(f->client[0]);
	gets_text(f->server[0], FENCE "cmd=get k=1\n");
	says(f->server[0], FENCE_DONE GET_DONE);
	gets_text(f->client[0], FENCE_DONE GET_DONE);
	close(session);
	close(record);
	gets_nothing(f->server[1]); /* the other rank has not been restored */
}

static void a_second_record_holds_the_first(void **state)
{
	int record = save_for_another(state), session, again;
	struct fixture *f = *state;

	session = relay_open_session(&f->relay);
	assert_int_equal(restore(f, session, 1, record, ""), 0);
	close(record);
	/* saved again in the middle of being told */
	relay_tell(session, CR_MSG_RELAY_GO);
	close(session);
	gets_text(f->server[1], INIT);
	again = save_and_end(f);
	teardown(state);
	setup(state);
	f = *state;
	session = relay_open_session(&f->relay);
	assert_int_equal(restore(f, session, 1, again, ""), 0);
	close(again);
	relay_tell(session, CR_MSG_RELAY_GO);
	close(session);
	gets_text(f->server[1], INIT);
	says(f->server[1], INIT_DONE);
	gets_text(f->server[1], PUT);
	says(f->server[1], PUT_DONE);
	gets_text(f->server[1], FENCE);
	says(f->server[1], FENCE_DONE);
	gets_text(f->server[1], FENCE);
	says(f->server[1], FENCE_DONE);
	gets_text(f->client[1], FENCE_DONE);
}

static void a_failed_restart_leaves_nothing(void **state)
{
	int record = save_for_another(state);
	struct fixture *f = *state;
	int session = relay_open_session(&f->relay), kept = dup(f->client[1]),
	    failed;

	assert_int_equal(restore(f, session, 1, record, ""), 0);
	failed = f->client[1];
	close(session); /* without GO */
	gets_end(failed);
	close(failed);
	f->client[1] = kept;
	asks(f, 1, INIT, INIT_DONE); /* the program begins anew */
	session = relay_open_session(&f->relay);
	assert_int_equal(restore(f, session, 1, record, ""), -EBUSY);
	close(session);
	close(record);
}

static void a_rank_without_a_server_is_refused(void **state)
{
	int record = save_for_another(state);
	struct fixture *f = *state;
	int session = relay_open_session(&f->relay);
	struct cr_message message = { .type = CR_MSG_RELAY_RESTORE,
				      .local = 2,
				      .count = 1 };

	assert_int_equal(relay_call(session, &message, record, NULL),
			 -EOPNOTSUPP);
	close(session);
	close(record);
}

static void a_damaged_record_is_refused(void **state)
{
	struct fixture *f = *state;
	int session = relay_open_session(&f->relay),
	    record = memfd_create("x", 0);

	assert_int_equal(write(record, "not a record", 12), 12);
	assert_int_equal(restore(f, session, 0, record, ""), -EBADMSG);
	close(record);
	close(session);
}

/* The others would have to repeat a fence with it. */
static void nobody_is_saved_while_some_have_taken_leave(void **state)
{
	struct fixture *f = *state;
	int session = relay_open_session(&f->relay), record = -1;

	asks(f, 0, INIT, INIT_DONE);
	asks(f, 1, INIT, INIT_DONE);
	asks(f, 0, BYE, BYE_DONE);
	close(f->client[0]);
	f->client[0] = -1;
	gets_end(f->server[0]);
	assert_int_equal(ask_state(session, f->client[1], 1, NULL), -EBUSY);
	asks(f, 1, BYE, BYE_DONE);
	assert_int_equal(ask_state(session, f->client[1], 1, &record), 0);
	close(record);
	close(session);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_pass_both_ways_unchanged),
		TEST(the_end_of_either_side_is_passed_on),
		TEST(who_does_not_speak_pmi_is_cut_off),
		TEST(a_server_does_not_see_saved_ranks_end),
		TEST(all_goes_on_when_a_saver_dies),
		TEST(other_sockets_are_not_ours),
		TEST(a_new_server_is_told_all_in_order),
		TEST(a_second_record_holds_the_first),
		TEST(a_failed_restart_leaves_nothing),
		TEST(a_rank_without_a_server_is_refused),
		TEST(a_damaged_record_is_refused),
		TEST(nobody_is_saved_while_some_have_taken_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
