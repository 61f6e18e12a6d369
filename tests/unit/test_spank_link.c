/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_link.c - what a peer has said last is heard, however it went
 *
 * Seals and who may say what are left out: a message is its type, as a
 * number.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent_peers.h"

static struct agent agent;
static struct agent_link *link_to_peer;
static int peer; /* its end */
static int heard_types[4], nr_heard, nr_lost;

void agent_log(const struct agent *a, int priority, const char *format, ...)
{
	(void)a;
	(void)priority;
	fail_msg("logged: %s", format);
}

int __wrap_cr_seal_close(struct cr_seal *seal,
			 const struct cr_peer_message *message, char **textp,
			 struct cr_error *err);
int __wrap_cr_seal_close(struct cr_seal *seal,
			 const struct cr_peer_message *message, char **textp,
			 struct cr_error *err)
{
	(void)seal;
	(void)err;
	return asprintf(textp, "%u", message->type) < 0 ? -ENOMEM : 0;
}

int __wrap_cr_seal_open(struct cr_seal *seal, const char *text, uint32_t uid,
			struct cr_peer_message *message, struct cr_error *err);
int __wrap_cr_seal_open(struct cr_seal *seal, const char *text, uint32_t uid,
			struct cr_peer_message *message, struct cr_error *err)
{
	(void)seal;
	(void)uid;
	(void)err;
	memset(message, 0, sizeof(*message));
	message->type = (uint32_t)atoi(text);
	return 0;
}

int __wrap_cr_peer_check(struct cr_peer_expect *expect,
			 const struct cr_peer_message *message,
			 struct cr_error *err);
int __wrap_cr_peer_check(struct cr_peer_expect *expect,
			 const struct cr_peer_message *message,
			 struct cr_error *err)
{
	(void)expect;
	(void)message;
	(void)err;
	return 0;
}

static void heard(struct agent_link *link,
		  const struct cr_peer_message *message)
{
	(void)link;
	assert_in_range(nr_heard, 0, 3);
	heard_types[nr_heard++] = (int)message->type;
}

static void lost(struct agent_link *link)
{
	nr_lost++;
	agent_link_destroy(link);
}

static void connect_both(int ends[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_return_code(bind(listener, (struct sockaddr *)&address, length),
			   errno);
	assert_return_code(listen(listener, 1), errno);
	getsockname(listener, (struct sockaddr *)&address, &length);
	ends[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_return_code(connect(ends[1], (struct sockaddr *)&address,
				   length),
			   errno);
	ends[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_return_code(ends[0], errno);
	close(listener);
}

static int setup(void **state)
{
	int ends[2];

	(void)state;
	nr_heard = nr_lost = 0;
	connect_both(ends);
	agent.base = event_base_new();
	link_to_peer = agent_link_create(&agent, ends[0]);
	link_to_peer->heard = heard;
	link_to_peer->lost = lost;
	peer = ends[1];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	event_base_loop(agent.base, EVLOOP_NONBLOCK);
	event_base_free(agent.base);
	return 0;
}

static void say(uint32_t type)
{
	struct cr_peer_message message = { .type = type };

	agent_link_send(link_to_peer, &message);
}

static void peer_says(uint32_t type)
{
	char text[16];
	uint32_t length = (uint32_t)snprintf(text, sizeof(text), "%u", type);
	uint32_t frame = htonl(length);

	assert_int_equal(write(peer, &frame, sizeof(frame)), sizeof(frame));
	assert_int_equal(write(peer, text, length), length);
}

static void loop(void)
{
	for (int i = 0; i < 10; i++) {
		event_base_loop(agent.base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

static void last_words_of_one_that_has_closed_are_heard(void **state)
{
	(void)state;
	peer_says(CR_PEER_LEAVE);
	close(peer);
	loop();
	assert_int_equal(nr_heard, 1);
	assert_int_equal(heard_types[0], CR_PEER_LEAVE);
	assert_int_equal(nr_lost, 1);
}

/* It closes with something unread: the connection is reset, and whoever writes
 * notices that before it has read what came in time. */
static void last_words_are_heard_by_who_writes_into_a_reset(void **state)
{
	(void)state;
	say(CR_PEER_PING);
	loop();
	peer_says(CR_PEER_LEAVE);
	close(peer);
	usleep(10000);
	say(CR_PEER_PING);
	bufferevent_flush(link_to_peer->bev, EV_WRITE, BEV_NORMAL);
	loop();
	assert_int_equal(nr_heard, 1);
	assert_int_equal(heard_types[0], CR_PEER_LEAVE);
	assert_int_equal(nr_lost, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(last_words_of_one_that_has_closed_are_heard),
		TEST(last_words_are_heard_by_who_writes_into_a_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
