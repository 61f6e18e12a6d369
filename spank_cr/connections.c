/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connections.c - match the ends of TCP connections; see connections.h
 *
 * Sorted by where they lead to, those that wait for accept(2) before others,
 * and then by where they are: so that an end finds its other one at once, even
 * of a server that all nodes are connected to.  One that waits may be known by
 * its listener's address only; there are few, which are gone through.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "connections.h"

struct matches {
	const struct cr_manifest *manifest;
	const struct cr_manifest_end **sorted; /* by ->end.remote */
	const struct cr_manifest_end **others; /* [nr_ends], NULL: none */
};

static int compare_address(const struct cr_tcp_address *a,
			   const struct cr_tcp_address *b)
{
	int rc = memcmp(a->ip, b->ip, sizeof(a->ip));

	return rc ? rc : (int)a->port - (int)b->port;
}

/* Of two ends, or of an end and what is looked for. */
static int compare_ends(const struct cr_tcp_end *a, const struct cr_tcp_end *b)
{
	const int is_waiting = cr_tcp_end_waits(a);
	int rc = compare_address(&a->remote, &b->remote);

	if (!rc)
		rc = cr_tcp_end_waits(b) - is_waiting;
	return rc ? rc : compare_address(&a->local, &b->local);
}

static int compare(const void *a, const void *b)
{
	const struct cr_manifest_end *const *left = a, *const *right = b;

	return compare_ends(&(*left)->end, &(*right)->end);
}

/* The first that is not before @wanted. */
static size_t find_first(const struct matches *matches,
			 const struct cr_tcp_end *wanted)
{
	size_t low = 0, high = matches->manifest->nr_ends;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_ends(&matches->sorted[middle]->end, wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void join(struct matches *matches, const struct cr_manifest_end *one,
		 const struct cr_manifest_end *other)
{
	const struct cr_manifest_end *first = matches->manifest->ends;

	if (other == one || !cr_tcp_is_match(&one->end, &other->end))
		return;
	matches->others[one - first] = other;
	if (cr_tcp_end_waits(&other->end))
		matches->others[other - first] = one;
}

static void match(struct matches *matches, const struct cr_manifest_end *one)
{
	const size_t nr = matches->manifest->nr_ends;
	struct cr_tcp_end wanted = { .kind = CR_TCP_END_WAITING,
				     .remote = one->end.local };
	size_t i = find_first(matches, &wanted);

	for (; i < nr; i++) {
		const struct cr_manifest_end *other = matches->sorted[i];

		if (!cr_tcp_end_waits(&other->end) ||
		    compare_address(&other->end.remote, &one->end.local))
			break;
		join(matches, one, other);
	}
	wanted.kind = CR_TCP_END;
	wanted.local = one->end.remote;
	for (i = find_first(matches, &wanted);
	     i < nr && !compare_ends(&matches->sorted[i]->end, &wanted); i++)
		join(matches, one, matches->sorted[i]);
}

static void close_matches(struct matches *matches)
{
	free(matches->sorted);
	free(matches->others);
}

static int open_matches(const struct cr_manifest *manifest,
			struct matches *matches, struct cr_error *err)
{
	const size_t nr = manifest->nr_ends;

	matches->manifest = manifest;
	matches->sorted = calloc(nr + 1, sizeof(*matches->sorted));
	matches->others = calloc(nr + 1, sizeof(*matches->others));
	if (!matches->sorted || !matches->others) {
		close_matches(matches);
		return cr_error_set(err, -ENOMEM, "no memory");
	}
	for (size_t i = 0; i < nr; i++)
		matches->sorted[i] = &manifest->ends[i];
	qsort(matches->sorted, nr, sizeof(*matches->sorted), compare);
	for (size_t i = 0; i < nr; i++)
		if (!cr_tcp_end_waits(&manifest->ends[i].end))
			match(matches, &manifest->ends[i]);
	return 0;
}

static int is_of_step(const struct cr_manifest *manifest,
		      const struct cr_tcp_address *address)
{
	for (size_t i = 0; i < manifest->nr_addresses; i++)
		if (!memcmp(manifest->addresses[i].address.ip, address->ip,
			    sizeof(address->ip)))
			return 1;
	return 0;
}

/* A program of another node has closed it, and we have heard all of it. */
static int is_gone(const struct cr_manifest *manifest,
		   const struct cr_tcp_end *end)
{
	return end->kind == CR_TCP_END && end->fin_received &&
	       is_of_step(manifest, &end->remote);
}

static int refuse(const struct cr_manifest_end *one, struct cr_error *err)
{
	char local[CR_TCP_ADDRESS_TEXT], remote[CR_TCP_ADDRESS_TEXT];
	const struct cr_tcp_end *end = &one->end;

	if (end->kind == CR_TCP_END_WAITING)
		return cr_error_set(err, -EOPNOTSUPP,
				    "node %u: vpid %u fd %u: TCP connection %s "
				    "-> %s, not accepted yet, whose other end "
				    "is not in the step",
				    one->node, end->vpid, end->fd,
				    cr_tcp_print(&end->remote, remote),
				    cr_tcp_print(&end->local, local));
	return cr_error_set(err, -EOPNOTSUPP,
			    "node %u: vpid %u fd %u: TCP connection %s -> %s, "
			    "whose other end is not in the step",
			    one->node, end->vpid, end->fd,
			    cr_tcp_print(&end->local, local),
			    cr_tcp_print(&end->remote, remote));
}

int cr_connections_check(const struct cr_manifest *manifest,
			 struct cr_error *err)
{
	struct matches matches;
	int rc = open_matches(manifest, &matches, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < manifest->nr_ends && !rc; i++) {
		const struct cr_tcp_end *end = &manifest->ends[i].end;

		if (!matches.others[i] && end->kind != CR_TCP_END_CONNECTING &&
		    end->kind != CR_TCP_END_HALF && !is_gone(manifest, end))
			rc = refuse(&manifest->ends[i], err);
	}
	close_matches(&matches);
	return rc;
}

/* Its node tells best where it is: several may have had one address. */
static void tell_moved(const struct cr_manifest_end *other,
		       const struct cr_address_move *moves, size_t nr_moves,
		       struct cr_tcp_peer *peer)
{
	const struct cr_tcp_address *to =
		cr_addresses_find(moves, nr_moves, other->node, &peer->remote);

	if (!to)
		return;
	peer->moved = *to;
	peer->moved.port = peer->remote.port;
}

static void tell(const struct cr_manifest *manifest,
		 const struct cr_tcp_end *end,
		 const struct cr_manifest_end *other, struct cr_tcp_peer *peer)
{
	*peer = (struct cr_tcp_peer){ .local = end->local,
				      .remote = end->remote };
	if (other) {
		peer->kind = cr_tcp_end_waits(&other->end) ?
				     CR_TCP_PEER_WAITING :
				     CR_TCP_PEER_END;
		peer->received = other->end.received;
		peer->window_end = other->end.window_end;
	} else if (end->kind == CR_TCP_END_CONNECTING) {
		peer->kind = CR_TCP_PEER_END;
	} else {
		peer->kind = is_gone(manifest, end) ? CR_TCP_PEER_GONE :
						      CR_TCP_PEER_CLOSED;
	}
}

int cr_connections_peers(const struct cr_manifest *manifest, uint32_t node,
			 const struct cr_address_move *moves, size_t nr_moves,
			 struct cr_tcp_peer **peersp, size_t *nr_peersp,
			 struct cr_error *err)
{
	struct cr_tcp_peer *peers;
	struct matches matches;
	size_t nr = 0;
	int rc;

	rc = open_matches(manifest, &matches, err);
	if (rc)
		return rc;
	peers = calloc(manifest->nr_ends + 1, sizeof(*peers));
	if (!peers)
		rc = cr_error_set(err, -ENOMEM, "no memory");
	for (size_t i = 0; i < manifest->nr_ends && !rc; i++) {
		const struct cr_manifest_end *one = &manifest->ends[i];

		if (one->node != node || cr_tcp_end_waits(&one->end))
			continue;
		tell(manifest, &one->end, matches.others[i], &peers[nr]);
		if (matches.others[i])
			tell_moved(matches.others[i], moves, nr_moves,
				   &peers[nr]);
		nr++;
	}
	close_matches(&matches);
	if (rc)
		return rc;
	*peersp = peers;
	*nr_peersp = nr;
	return 0;
}
