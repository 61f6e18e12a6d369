/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_message.c - messages arrive whole, with their descriptors, or
 * not at all
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "message.h"

static int setup(void **state)
{
	static int pair[2];

	*state = pair;
	return cr_message_pair(pair);
}

static int teardown(void **state)
{
	int *pair = *state;

	close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
	return 0;
}

static int count_fds(void)
{
	int nr = 0;

	for (int fd = 0; fd < 256; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

static void a_message_arrives_with_its_descriptors(void **state)
{
	struct cr_message sent = { .type = CR_MSG_READY, .rank = 7 }, got;
	int *pair = *state, fds[CR_MESSAGE_FDS_MAX], pipe_fds[2];

	assert_return_code(pipe(pipe_fds), errno);
	assert_int_equal(cr_message_send(pair[0], &sent, pipe_fds, 2), 0);
	assert_int_equal(cr_message_receive(pair[1], &got, fds, 1000), 0);
	assert_int_equal(got.rank, 7);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(read(pipe_fds[0], &got, 1), 1);
	assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(fds[2], -1);
	cr_message_close_fds(fds);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void descriptors_nobody_wants_are_closed(void **state)
{
	struct cr_message sent = { .type = CR_MSG_READY }, got;
	int *pair = *state, before = count_fds();

	assert_int_equal(cr_message_send(pair[0], &sent, pair, 1), 0);
	assert_int_equal(cr_message_receive(pair[1], &got, NULL, 1000), 0);
	assert_int_equal(count_fds(), before);
}

/* As anybody can send them who has the socket. */
static void send_with_fds(int socket, void *data, size_t size, size_t nr_fds)
{
	struct iovec iov = { data, size };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control = { 0 };
	struct msghdr header = { .msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen =
					 CMSG_SPACE(nr_fds * sizeof(int)) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
	for (size_t i = 0; i < nr_fds; i++)
		memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &socket, sizeof(int));
	assert_return_code(sendmsg(socket, &header, 0), errno);
}

static void more_descriptors_than_fit_are_refused_and_closed(void **state)
{
	struct cr_message sent = { .type = CR_MSG_READY }, got;
	static struct cr_setup sent_setup, got_setup;
	int *pair = *state, before = count_fds();
	int fds[CR_MESSAGE_FDS_MAX];

	for (size_t nr = CR_MESSAGE_FDS_MAX; nr <= 64; nr++) {
		const int rc = nr > CR_MESSAGE_FDS_MAX ? -EBADMSG : 0;

		send_with_fds(pair[0], &sent, sizeof(sent), nr);
		assert_int_equal(cr_message_receive(pair[1], &got, fds, 1000),
				 rc);
		cr_message_close_fds(fds);
		assert_int_equal(count_fds(), before);
	}
	sent_setup.size = sizeof(sent_setup);
	send_with_fds(pair[0], &sent_setup, sizeof(sent_setup),
		      CR_MESSAGE_FDS_MAX + 1);
	assert_int_equal(cr_setup_receive(pair[1], &got_setup, 1000), -EBADMSG);
	assert_int_equal(count_fds(), before);
}

static void what_is_no_message_is_refused(void **state)
{
	struct cr_message bad = { .type = 0 }, got;
	int *pair = *state;

	assert_int_equal(send(pair[0], "abc", 3, 0), 3);
	assert_int_equal(cr_message_receive(pair[1], &got, NULL, 1000),
			 -EBADMSG);
	cr_message_send(pair[0], &bad, NULL, 0);
	assert_int_equal(cr_message_receive(pair[1], &got, NULL, 1000),
			 -EBADMSG);
	bad.type = CR_NR_MESSAGES;
	cr_message_send(pair[0], &bad, NULL, 0);
	assert_int_equal(cr_message_receive(pair[1], &got, NULL, 1000),
			 -EBADMSG);
}

static void text_always_ends(void **state)
{
	struct cr_message sent = { .type = CR_MSG_TEXT }, got;
	int *pair = *state;

	memset(sent.text, 'x', sizeof(sent.text));
	cr_message_send(pair[0], &sent, NULL, 0);
	assert_int_equal(cr_message_receive(pair[1], &got, NULL, 1000), 0);
	assert_int_equal(strlen(got.text), sizeof(got.text) - 1);
}

static void the_end_and_silence_are_told_apart(void **state)
{
	struct cr_message got;
	int *pair = *state;

	assert_int_equal(cr_message_receive(pair[0], &got, NULL, 10),
			 -ETIMEDOUT);
	close(pair[1]);
	pair[1] = -1;
	assert_int_equal(cr_message_receive(pair[0], &got, NULL, 1000), -EPIPE);
	assert_int_equal(cr_message_tell(pair[0], CR_MSG_BYE, 0), -EPIPE);
}

static void who_hears_goes_on_whatever_comes(void **state)
{
	struct cr_message got;
	int *pair = *state;

	assert_int_equal(cr_message_hear(pair[1], &got, NULL), 0);
	assert_int_equal(send(pair[0], "abc", 3, 0), 3);
	assert_int_equal(cr_message_hear(pair[1], &got, NULL), 0);
	cr_message_tell(pair[0], CR_MSG_BYE, 7);
	assert_int_equal(cr_message_hear(pair[1], &got, NULL), 1);
	assert_int_equal(got.value, 7);
	close(pair[1]);
	pair[1] = -1;
	assert_int_equal(cr_message_hear(pair[0], &got, NULL), -EPIPE);
}

static void last_words_arrive_though_ours_were_not_read(void **state)
{
	struct cr_message got;
	int *pair = *state;

	assert_int_equal(cr_message_tell(pair[0], CR_MSG_SAVING, 0), 0);
	assert_int_equal(cr_message_tell(pair[1], CR_MSG_EXITED, 7), 0);
	close(pair[1]);
	pair[1] = -1;
	assert_int_equal(cr_message_receive(pair[0], &got, NULL, 1000), 0);
	assert_int_equal(got.type, CR_MSG_EXITED);
	assert_int_equal(got.value, 7);
	assert_int_equal(cr_message_receive(pair[0], &got, NULL, 1000), -EPIPE);
}

static void sending_to_one_who_never_reads_ends(void **state)
{
	int *pair = *state, rc;

	do {
		rc = cr_message_tell(pair[0], CR_MSG_BYE, 0);
	} while (!rc);
	assert_int_equal(rc, -ETIMEDOUT);
}

static void a_setup_of_another_version_is_refused(void **state)
{
	static struct cr_setup setup_message, got;
	int *pair = *state;

	setup_message.size = sizeof(setup_message);
	setup_message.step.job = 5;
	assert_int_equal(cr_setup_send(pair[0], &setup_message), 0);
	assert_int_equal(cr_setup_receive(pair[1], &got, 1000), 0);
	assert_int_equal(got.step.job, 5);
	setup_message.size--;
	cr_setup_send(pair[0], &setup_message);
	assert_int_equal(cr_setup_receive(pair[1], &got, 1000), -EBADMSG);
	send(pair[0], &setup_message, 100, 0);
	assert_int_equal(cr_setup_receive(pair[1], &got, 1000), -EBADMSG);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_message_arrives_with_its_descriptors),
		TEST(descriptors_nobody_wants_are_closed),
		TEST(more_descriptors_than_fit_are_refused_and_closed),
		TEST(what_is_no_message_is_refused),
		TEST(text_always_ends),
		TEST(the_end_and_silence_are_told_apart),
		TEST(who_hears_goes_on_whatever_comes),
		TEST(last_words_arrive_though_ours_were_not_read),
		TEST(sending_to_one_who_never_reads_ends),
		TEST(a_setup_of_another_version_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
