// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_image_tcp.c - TCP sockets of an image: forged ones are refused, good
 * ones are what a restart and other nodes are told
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "image_test.h"

static const struct cr_image_write_options plain = { .nr_workers = 1 };

struct forgery {
	const char *what;
	void (*forge)(struct small_image *image);
	int code;
};

#define FORGERY(name, statement)                            \
	static void forge_##name(struct small_image *image) \
	{                                                   \
		statement;                                  \
	}

FORGERY(nothing, (void)image)
FORGERY(alone, image->tcp_peers[0] = image->tcp_peers[1] = 0)
FORGERY(family, image->tcp[0].family = AF_UNIX)
FORGERY(address, image->tcp[0].local.ip[10] = 0)
FORGERY(other_address, image->tcp[0].remote.ip[11] = 0)
FORGERY(kind_none, image->tcp[0].kind = 0)
FORGERY(kind, image->tcp[0].kind = 6)
FORGERY(flags, image->tcp[0].flags = 512)
FORGERY(error, image->tcp[0].error = 7)
FORGERY(send_scale, image->tcp[0].send_scale = 15)
FORGERY(receive_scale, image->tcp[0].receive_scale = 15)
FORGERY(mss, image->tcp[0].mss = 65536)
FORGERY(locks, image->tcp[0].buffer_locks = 4)
FORGERY(buffer, image->tcp[0].send_buffer = UINT32_MAX)
FORGERY(congestion, memset(image->tcp[0].congestion, 'x', 16))
FORGERY(device, memset(image->tcp[0].device, 'x', 16))
FORGERY(waiting_connected, image->tcp[0].nr_waiting = 1)
FORGERY(waiting_many, image->tcp[0].kind = CR_TCP_LISTENING;
	image->tcp[0].nr_waiting = UINT32_MAX)
FORGERY(received_by_listener, image->tcp[0].kind = CR_TCP_LISTENING)
FORGERY(sent_when_closed, image->tcp[0].kind = CR_TCP_CLOSED)
FORGERY(received_long, image->tcp[0].receive_length = UINT32_MAX)
FORGERY(received_longer, image->tcp[0].receive_length += 8)
FORGERY(sent_long, image->tcp[0].send_length = UINT32_MAX)
FORGERY(short_head, image->tcp_length = sizeof(image->tcp[0]) - 8)
FORGERY(short_data, image->tcp_length = sizeof(image->tcp[0]) + 16)
FORGERY(peer_unknown, image->tcp_peers[0] = 99)
FORGERY(peer_itself, image->tcp_peers[0] = SMALL_FILE_TCP)
FORGERY(peer_other, image->tcp_peers[0] = SMALL_FILE_LOG)
FORGERY(peer_one_way, image->tcp_peers[1] = 0)
FORGERY(peer_port, image->tcp[1].local.port++)
FORGERY(peer_remote, image->tcp[1].remote.port++)
FORGERY(peer_kind, image->tcp[1].kind = CR_TCP_CONNECTING;
	image->tcp[1].receive_length = 0)
FORGERY(gap, image->tcp[1].receive_end += 9)
FORGERY(overlap, image->tcp[1].receive_end -= 9)
FORGERY(fin_not_sent, image->tcp[1].flags = CR_TCP_F_FIN_RECEIVED)
FORGERY(fin_too_early, image->tcp[1].flags = CR_TCP_F_FIN_RECEIVED;
	image->tcp[0].flags = CR_TCP_F_FIN_SENT)

#define ROW(name, code)                   \
	{                                 \
#name, forge_##name, code \
	}

static void addresses_are_read_as_they_are_printed(void **state)
{
	static const char *const good[] = { "10.0.0.1:40", "0.0.0.0:0",
					    "[::1]:65535", "[fd00::1:2]:1" };
	static const char *const bad[] = {
		"",
		"10.0.0.1",
		"10.0.0.1:",
		"10.0.0.1:65536",
		"10.0.0:1",
		"10.0.0.1:1x",
		"::1:5",
		"[::1:5",
		"[::1]5",
		"[10.0.0.1]:5",
		"[]:5",
		":5",
		"10.0.0.1:-1",
		"host:5",
		"10.0.0.1: 5",
		"]:5",
		"[:5",
	};
	char text[CR_TCP_ADDRESS_TEXT], longest[CR_TCP_ADDRESS_TEXT + 9];
	struct cr_tcp_address address;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(cr_tcp_scan(good[i], &address), 0);
		assert_string_equal(cr_tcp_print(&address, text), good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(cr_tcp_scan(bad[i], &address), -EINVAL);
	memset(longest, '1', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(cr_tcp_scan(longest, &address), -EINVAL);
}

static const struct forgery forgeries[] = {
	ROW(nothing, 0),
	ROW(alone, 0),
	ROW(family, -EBADMSG),
	ROW(address, -EBADMSG),
	ROW(other_address, -EBADMSG),
	ROW(kind_none, -EBADMSG),
	ROW(kind, -EBADMSG),
	ROW(flags, -EBADMSG),
	ROW(error, -EBADMSG),
	ROW(send_scale, -EBADMSG),
	ROW(receive_scale, -EBADMSG),
	ROW(mss, -EBADMSG),
	ROW(locks, -EBADMSG),
	ROW(buffer, -EBADMSG),
	ROW(congestion, -EBADMSG),
	ROW(device, -EBADMSG),
	ROW(waiting_connected, -EBADMSG),
	ROW(waiting_many, -EBADMSG),
	ROW(received_by_listener, -EBADMSG),
	ROW(sent_when_closed, -EBADMSG),
	ROW(received_long, -EBADMSG),
	ROW(received_longer, -EBADMSG),
	ROW(sent_long, -EBADMSG),
	ROW(short_head, -EBADMSG),
	ROW(short_data, -EBADMSG),
	ROW(peer_unknown, -EBADMSG),
	ROW(peer_itself, -EBADMSG),
	ROW(peer_other, -EBADMSG),
	ROW(peer_one_way, -EBADMSG),
	ROW(peer_port, -EBADMSG),
	ROW(peer_remote, -EBADMSG),
	ROW(peer_kind, -EBADMSG),
	ROW(gap, -EBADMSG),
	ROW(overlap, -EBADMSG),
	ROW(fin_not_sent, -EBADMSG),
	ROW(fin_too_early, -EBADMSG),
};

static struct cr_image *open_small(const struct small_image *small)
{
	struct cr_image *image = NULL;
	struct cr_error err = { 0 };
	int fd = write_image(small, &plain, NULL);

	if (cr_image_open_fd(fd, &image, &err))
		fail_msg("%s", err.text);
	return image;
}

static void every_forgery_is_refused(void **state)
{
	struct small_image small;
	struct cr_saved *saved;
	struct cr_image *image;
	struct cr_error err;
	int rc;

	(void)state;
	for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
		small_image_init(&small);
		small.heap_pages = 2;
		small.has_tcp = 1;
		forgeries[i].forge(&small);
		image = open_small(&small);
		err = (struct cr_error){ 0 };
		saved = NULL;
		rc = cr_saved_load(image, &saved, &err);
		if (rc != forgeries[i].code || rc != err.code)
			fail_msg("%s: %d, not %d: %s", forgeries[i].what, rc,
				 forgeries[i].code, err.text);
		cr_saved_free(saved);
		cr_image_close(image);
	}
}

/* Of the second end's image, where the first one is elsewhere. */
static struct cr_saved *load_lone(struct cr_image **imagep, uint32_t flags)
{
	struct small_image small;
	struct cr_saved *saved = NULL;
	struct cr_error err = { 0 };

	small_image_init(&small);
	small.heap_pages = 2;
	small.has_tcp = 1;
	small.tcp_peers[0] = small.tcp_peers[1] = 0;
	small.tcp[0].flags = small.tcp[1].flags = CR_TCP_F_ELSEWHERE | flags;
	*imagep = open_small(&small);
	if (cr_saved_load(*imagep, &saved, &err))
		fail_msg("%s", err.text);
	return saved;
}

static void prepare_wants_to_know_the_other_end(void **state)
{
	struct cr_tcp_making making;
	struct cr_error err = { 0 };
	struct cr_image *image;
	struct cr_saved *saved = load_lone(&image, 0);
	const struct cr_wire_tcp *head = saved->files[SMALL_FILE_TCP - 1].data;
	struct cr_tcp_peer peer = { .local = head->local,
				    .remote = head->remote,
				    .kind = CR_TCP_PEER_END };
	struct cr_tcp_restart restart = { .peers = &peer };

	(void)state;
	assert_int_equal(cr_tcp_prepare(saved, &restart, SMALL_FILE_TCP,
					&making, &err),
			 -ENOTCONN);
	assert_non_null(strstr(err.text, "10.0.0.1:40 -> 10.0.0.2:50"));
	restart.nr_peers = 1;
	/* sequence numbers go round: 4 bytes before 0 to 12 behind */
	peer.received = 2;
	peer.window_end = 10;
	assert_int_equal(cr_tcp_prepare(saved, &restart, SMALL_FILE_TCP,
					&making, &err),
			 0);
	assert_int_equal(making.send_first, 2);
	assert_int_equal(making.send_window, 8);
	peer.received = 13;
	assert_int_equal(cr_tcp_prepare(saved, &restart, SMALL_FILE_TCP,
					&making, &err),
			 -EBADMSG);
	peer.kind = CR_TCP_PEER_CLOSED;
	assert_int_equal(cr_tcp_prepare(saved, &restart, SMALL_FILE_TCP,
					&making, &err),
			 0);
	assert_int_equal(making.kind, CR_TCP_CLOSED);
	assert_int_equal(making.error, ECONNRESET);
	cr_saved_free(saved);
	cr_image_close(image);
}

static int prepare_gone(uint32_t flags, struct cr_tcp_making *making,
			struct cr_error *err)
{
	struct cr_image *image;
	struct cr_saved *saved = load_lone(&image, flags);
	const struct cr_wire_tcp *head = saved->files[SMALL_FILE_TCP - 1].data;
	const struct cr_tcp_peer peer = { .local = head->local,
					  .remote = head->remote,
					  .kind = CR_TCP_PEER_GONE };
	const struct cr_tcp_restart restart = { .peers = &peer, .nr_peers = 1 };
	int rc = cr_tcp_prepare(saved, &restart, SMALL_FILE_TCP, making, err);

	cr_saved_free(saved);
	cr_image_close(image);
	return rc;
}

static void only_a_closed_connection_can_be_gone(void **state)
{
	struct cr_tcp_making making;
	struct cr_error err = { 0 };

	(void)state;
	assert_int_equal(prepare_gone(0, &making, &err), -EINVAL);
	assert_non_null(strstr(err.text, "nobody has closed it"));
	assert_int_equal(prepare_gone(CR_TCP_F_FIN_RECEIVED, &making, &err), 0);
	assert_int_equal(making.kind, CR_TCP_CONNECTED);
	assert_int_equal(making.is_gone, 1);
}

static void addresses_move_but_loopback_stays(void **state)
{
	const struct cr_tcp_move moves[] = {
		{ .from = { .ip = { [10] = 255, 255, 10, 0, 0, 1 },
			    .port = 41 },
		  .to = { .ip = { [10] = 255, 255, 9, 9, 9, 9 } } },
		{ .from = { .ip = { [10] = 255, 255, 10, 0, 0, 1 } },
		  .to = { .ip = { [10] = 255, 255, 10, 7, 0, 1 } } },
		{ .from = { .ip = { [10] = 255, 255, 10, 0, 0, 2 },
			    .port = 50 },
		  .to = { .ip = { [10] = 255, 255, 10, 7, 0, 2 },
			  .port = 51 } },
	};
	const struct cr_tcp_restart restart = { .moves = moves, .nr_moves = 3 };
	char text[CR_TCP_ADDRESS_TEXT];
	struct cr_tcp_making making;
	struct small_image small;
	struct cr_saved *saved = NULL;
	struct cr_image *image;

	(void)state;
	small_image_init(&small);
	small.has_tcp = 1;
	image = open_small(&small);
	assert_int_equal(cr_saved_load(image, &saved, NULL), 0);
	assert_int_equal(cr_tcp_prepare(saved, &restart, SMALL_FILE_TCP,
					&making, NULL),
			 0);
	assert_string_equal(cr_tcp_print(&making.local, text), "10.7.0.1:40");
	assert_string_equal(cr_tcp_print(&making.remote, text), "10.7.0.2:51");
	cr_saved_free(saved);
	cr_image_close(image);
	small.tcp[0].local.ip[12] = small.tcp[1].remote.ip[12] = 127;
	image = open_small(&small);
	assert_int_equal(cr_saved_load(image, &saved, NULL), 0);
	assert_int_equal(cr_tcp_prepare(saved, &restart, SMALL_FILE_TCP,
					&making, NULL),
			 0);
	assert_string_equal(cr_tcp_print(&making.local, text), "127.0.0.1:40");
	cr_saved_free(saved);
	cr_image_close(image);
}

static void connections_tell_the_ends(void **state)
{
	struct cr_tcp_end *ends = NULL;
	struct small_image small;
	struct cr_image *image;
	size_t nr = 0;

	(void)state;
	small_image_init(&small);
	small.has_tcp = 1;
	small.fds[1].file = SMALL_FILE_TCP;
	image = open_small(&small);
	assert_int_equal(cr_image_connections(image, &ends, &nr, NULL), 0);
	assert_int_equal(nr, 2);
	assert_int_equal(ends[0].kind, CR_TCP_END);
	assert_int_equal(ends[0].vpid, SMALL_ROOT);
	assert_int_equal(ends[0].fd, 5);
	assert_int_equal(ends[0].has_peer, 1);
	assert_int_equal(ends[0].received, 11);
	assert_int_equal(ends[1].send_end - ends[1].send_first, SMALL_TCP_SENT);
	assert_int_equal(cr_tcp_is_match(&ends[0], &ends[1]), 0);
	ends[0].has_peer = ends[1].has_peer = 0;
	assert_int_equal(cr_tcp_is_match(&ends[0], &ends[1]), 1);
	/* at a listener of all addresses */
	ends[1].kind = CR_TCP_END_WAITING;
	memset(ends[1].local.ip, 0, 16);
	assert_int_equal(cr_tcp_is_match(&ends[0], &ends[1]), 1);
	assert_int_equal(cr_tcp_is_match(&ends[1], &ends[0]), 1);
	ends[1].local.port++;
	assert_int_equal(cr_tcp_is_match(&ends[0], &ends[1]), 0);
	free(ends);
	cr_image_close(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_forgery_is_refused),
		cmocka_unit_test(addresses_are_read_as_they_are_printed),
		cmocka_unit_test(only_a_closed_connection_can_be_gone),
		cmocka_unit_test(prepare_wants_to_know_the_other_end),
		cmocka_unit_test(addresses_move_but_loopback_stays),
		cmocka_unit_test(connections_tell_the_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
