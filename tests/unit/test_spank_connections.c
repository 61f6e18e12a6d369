/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_connections.c - ends of several nodes are brought together, or
 * named
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "connections.h"

#define NR_ENDS 6

struct scene {
	struct cr_manifest_end ends[NR_ENDS];
	struct cr_manifest_address addresses[2];
	struct cr_manifest manifest;
};

static void set(struct scene *scene, size_t i, uint32_t node, uint32_t kind,
		const char *local, const char *remote)
{
	struct cr_manifest_end *one = &scene->ends[i];

	*one = (struct cr_manifest_end){ .node = node };
	one->end.kind = kind;
	one->end.vpid = 30 + (uint32_t)i;
	one->end.fd = 40 + (uint32_t)i;
	one->end.received = 50 + (uint32_t)i;
	one->end.window_end = 60 + (uint32_t)i;
	assert_int_equal(cr_tcp_scan(local, &one->end.local), 0);
	assert_int_equal(cr_tcp_scan(remote, &one->end.remote), 0);
	scene->manifest.nr_ends = i + 1;
}

/* Two connections that differ in one port, one that waits at a listener of all
 * addresses, between 10.0.0.1 and 10.0.0.2. */
static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene)
		return -1;
	set(scene, 0, 0, CR_TCP_END, "10.0.0.1:1", "10.0.0.2:2");
	set(scene, 1, 0, CR_TCP_END, "10.0.0.1:1", "10.0.0.2:3");
	set(scene, 2, 1, CR_TCP_END, "10.0.0.2:3", "10.0.0.1:1");
	set(scene, 3, 1, CR_TCP_END, "10.0.0.2:2", "10.0.0.1:1");
	set(scene, 4, 0, CR_TCP_END_WAITING, "0.0.0.0:1", "10.0.0.2:9");
	set(scene, 5, 1, CR_TCP_END, "10.0.0.2:9", "10.0.0.1:1");
	cr_tcp_scan("10.0.0.1:0", &scene->addresses[0].address);
	cr_tcp_scan("10.0.0.2:0", &scene->addresses[1].address);
	scene->manifest.ends = scene->ends;
	scene->manifest.addresses = scene->addresses;
	scene->manifest.nr_addresses = 2;
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static struct cr_tcp_peer *peers_of(const struct scene *scene, uint32_t node,
				    size_t nr_wanted)
{
	struct cr_tcp_peer *peers;
	size_t nr;

	assert_int_equal(cr_connections_peers(&scene->manifest, node, NULL, 0,
					      &peers, &nr, NULL),
			 0);
	assert_int_equal(nr, nr_wanted);
	return peers;
}

static void each_end_hears_of_the_other(void **state)
{
	const struct scene *scene = *state;
	struct cr_tcp_peer *peers;

	assert_int_equal(cr_connections_check(&scene->manifest, NULL), 0);
	peers = peers_of(scene, 0, 2);
	assert_int_equal(peers[0].kind, CR_TCP_PEER_END);
	assert_int_equal(peers[0].received, 53);
	assert_int_equal(peers[0].window_end, 63);
	assert_int_equal(peers[1].received, 52);
	assert_int_equal(peers[1].remote.port, 3);
	free(peers);
	peers = peers_of(scene, 1, 3);
	assert_int_equal(peers[0].received, 51);
	assert_int_equal(peers[1].received, 50);
	assert_int_equal(peers[2].kind, CR_TCP_PEER_WAITING);
	free(peers);
}

static void what_leads_out_is_named(void **state)
{
	struct scene *scene = *state;
	struct cr_error err = { 0 };
	struct cr_tcp_peer *peers;

	set(scene, 5, 1, CR_TCP_END, "10.0.0.2:9", "10.0.0.9:1");
	scene->manifest.nr_ends = 4;
	scene->ends[3] = scene->ends[5];
	assert_int_equal(cr_connections_check(&scene->manifest, &err),
			 -EOPNOTSUPP);
	/* the first one, which has lost its other end */
	assert_string_equal(err.text,
			    "node 0: vpid 30 fd 40: TCP connection 10.0.0.1:1 "
			    "-> 10.0.0.2:2, whose other end is not in the "
			    "step");
	peers = peers_of(scene, 1, 2);
	assert_int_equal(peers[1].kind, CR_TCP_PEER_CLOSED);
	free(peers);
}

static void who_waits_for_nobody_is_named(void **state)
{
	struct scene *scene = *state;
	struct cr_error err = { 0 };

	scene->manifest.nr_ends = 5;
	assert_int_equal(cr_connections_check(&scene->manifest, &err),
			 -EOPNOTSUPP);
	assert_string_equal(err.text,
			    "node 0: vpid 34 fd 44: TCP connection 10.0.0.2:9 "
			    "-> 0.0.0.0:1, not accepted yet, whose other end "
			    "is not in the step");
}

static void one_whose_handshake_is_not_over_may_have_another_end(void **state)
{
	struct scene *scene = *state;
	struct cr_tcp_peer *peers;

	scene->ends[4].end.kind = CR_TCP_END_HALF;
	assert_int_equal(cr_connections_check(&scene->manifest, NULL), 0);
	peers = peers_of(scene, 1, 3);
	assert_int_equal(peers[2].kind, CR_TCP_PEER_WAITING);
	free(peers);
	free(peers_of(scene, 0, 2));
	/* whoever calls there has not been heard yet, and may be anybody */
	scene->manifest.nr_ends = 5;
	assert_int_equal(cr_connections_check(&scene->manifest, NULL), 0);
}

static void one_being_made_needs_no_other_end(void **state)
{
	struct scene *scene = *state;
	struct cr_tcp_peer *peers;

	scene->manifest.nr_ends = 4;
	set(scene, 4, 1, CR_TCP_END_CONNECTING, "10.0.0.2:9", "10.0.0.9:1");
	assert_int_equal(cr_connections_check(&scene->manifest, NULL), 0);
	peers = peers_of(scene, 1, 3);
	assert_int_equal(peers[2].kind, CR_TCP_PEER_END);
	free(peers);
}

/* By a program of another node, not by somebody outside. */
static void one_that_was_closed_needs_no_other_end(void **state)
{
	struct scene *scene = *state;
	struct cr_tcp_peer *peers;

	set(scene, 4, 1, CR_TCP_END, "10.0.0.2:9", "10.0.0.1:7");
	assert_int_equal(cr_connections_check(&scene->manifest, NULL),
			 -EOPNOTSUPP);
	scene->ends[4].end.fin_received = 1;
	assert_int_equal(cr_connections_check(&scene->manifest, NULL), 0);
	peers = peers_of(scene, 1, 3);
	assert_int_equal(peers[2].kind, CR_TCP_PEER_GONE);
	free(peers);
	cr_tcp_scan("10.0.0.9:7", &scene->ends[4].end.remote);
	assert_int_equal(cr_connections_check(&scene->manifest, NULL),
			 -EOPNOTSUPP);
}

static void no_connections_are_fine(void **state)
{
	struct scene *scene = *state;

	scene->manifest.nr_ends = 0;
	scene->manifest.ends = NULL;
	assert_int_equal(cr_connections_check(&scene->manifest, NULL), 0);
	free(peers_of(scene, 0, 0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(each_end_hears_of_the_other),
		TEST(what_leads_out_is_named),
		TEST(who_waits_for_nobody_is_named),
		TEST(one_whose_handshake_is_not_over_may_have_another_end),
		TEST(one_being_made_needs_no_other_end),
		TEST(one_that_was_closed_needs_no_other_end),
		TEST(no_connections_are_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
