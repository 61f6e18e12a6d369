/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addresses.c - list a node's addresses, and find those that take the place of
 * another node's; see addresses.h
 */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "addresses.h"

#define MAPPED_BITS 96 /* before an IPv4 address written as IPv6 does */
#define MOVE_TEXT (2ul * CR_TCP_ADDRESS_TEXT + sizeof("65535/"))

static int is_ipv4(const struct cr_tcp_address *address)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(address->ip, prefix, sizeof(prefix));
}

static int is_same(const struct cr_tcp_address *a,
		   const struct cr_tcp_address *b)
{
	return !memcmp(a->ip, b->ip, sizeof(a->ip));
}

/* --- listing --- */

static uint32_t count_bits(const uint8_t *mask, size_t length)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < 8 * length; i++) {
		if (!(mask[i / 8] & (0x80u >> (i % 8))))
			break;
		bits++;
	}
	return bits;
}

/* 1: @one has an address that other nodes can mean. */
static int take(const struct ifaddrs *one, struct cr_manifest_address *to)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const struct sockaddr *address = one->ifa_addr, *mask;

	mask = one->ifa_netmask;
	if (!address || !mask || !(one->ifa_flags & IFF_UP))
		return 0;
	memset(to, 0, sizeof(*to));
	if (address->sa_family == AF_INET) {
		memcpy(to->address.ip, mapped, sizeof(mapped));
		memcpy(to->address.ip + 12,
		       &((const struct sockaddr_in *)address)->sin_addr, 4);
		to->prefix =
			count_bits((const uint8_t *)&(
					   (const struct sockaddr_in *)mask)
					   ->sin_addr,
				   4);
	} else if (address->sa_family == AF_INET6) {
		memcpy(to->address.ip,
		       &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
		to->prefix =
			count_bits((const uint8_t *)&(
					   (const struct sockaddr_in6 *)mask)
					   ->sin6_addr,
				   16);
		if (IN6_IS_ADDR_LINKLOCAL(
			    &((const struct sockaddr_in6 *)address)->sin6_addr))
			return 0;
	} else {
		return 0;
	}
	snprintf(to->interface, sizeof(to->interface), "%.15s", one->ifa_name);
	return !cr_tcp_is_loopback(&to->address);
}

int cr_addresses_list(uint32_t node, struct cr_manifest_address **addressesp,
		      size_t *nr_addressesp, struct cr_error *err)
{
	struct cr_manifest_address *addresses;
	struct ifaddrs *interfaces;
	size_t nr = 0;

	if (getifaddrs(&interfaces) < 0)
		return cr_error_errno(err, "list the node's addresses");
	addresses = calloc(CR_MANIFEST_ADDRESSES_MAX, sizeof(*addresses));
	for (struct ifaddrs *i = interfaces; addresses && i; i = i->ifa_next) {
		if (nr == CR_MANIFEST_ADDRESSES_MAX)
			break;
		if (!take(i, &addresses[nr]))
			continue;
		addresses[nr++].node = node;
	}
	freeifaddrs(interfaces);
	if (!addresses)
		return cr_error_set(err, -ENOMEM, "no memory");
	*addressesp = addresses;
	*nr_addressesp = nr;
	return 0;
}

/* --- moving --- */

static int is_same_network(const struct cr_manifest_address *a,
			   const struct cr_manifest_address *b)
{
	const uint8_t *left = a->address.ip, *right = b->address.ip;
	const uint32_t bits =
		a->prefix + (is_ipv4(&a->address) ? MAPPED_BITS : 0);
	uint8_t mask;

	if (a->prefix != b->prefix || bits > 128 ||
	    memcmp(left, right, bits / 8) != 0)
		return 0;
	if (bits % 8 == 0)
		return 1;
	mask = (uint8_t)(0xffu << (8 - bits % 8));
	return !((left[bits / 8] ^ right[bits / 8]) & mask);
}

/* How well does @now take the place of @was?  0: not at all. */
static int rate(const struct cr_manifest_address *was,
		const struct cr_manifest_address *now, int is_only)
{
	if (is_ipv4(&was->address) != is_ipv4(&now->address))
		return 0;
	if (is_same(&was->address, &now->address))
		return 5;
	if (is_same_network(was, now))
		return strcmp(was->interface, now->interface) ? 3 : 4;
	if (!strcmp(was->interface, now->interface))
		return 2;
	return is_only;
}

static const struct cr_manifest_address *
find_best(const struct cr_manifest_address *was,
	  const struct cr_manifest_address *now, size_t nr_now)
{
	const struct cr_manifest_address *best = NULL;
	int best_rate = 0, nr_family = 0;

	for (size_t i = 0; i < nr_now; i++)
		nr_family += is_ipv4(&was->address) == is_ipv4(&now[i].address);
	for (size_t i = 0; i < nr_now; i++) {
		int this_rate = rate(was, &now[i], nr_family == 1);

		if (this_rate <= best_rate)
			continue;
		best = &now[i];
		best_rate = this_rate;
	}
	return best;
}

int cr_addresses_move(const struct cr_manifest *manifest, uint32_t node,
		      const struct cr_manifest_address *now, size_t nr_now,
		      struct cr_address_move **movesp, size_t *nr_movesp,
		      struct cr_error *err)
{
	struct cr_address_move *moves =
		calloc(manifest->nr_addresses + 1, sizeof(*moves));
	size_t nr = 0;

	if (!moves)
		return cr_error_set(err, -ENOMEM, "no memory");
	for (size_t i = 0; i < manifest->nr_addresses; i++) {
		const struct cr_manifest_address *was = &manifest->addresses[i];
		const struct cr_manifest_address *best;

		if (was->node != node)
			continue;
		best = find_best(was, now, nr_now);
		if (best)
			moves[nr++] = (struct cr_address_move){
				node, { was->address, best->address }
			};
	}
	*movesp = moves;
	*nr_movesp = nr;
	return 0;
}

int cr_addresses_is_used(const struct cr_manifest *manifest,
			 const struct cr_address_move *move)
{
	for (size_t i = 0; i < manifest->nr_ends; i++) {
		const struct cr_manifest_end *one = &manifest->ends[i];

		if (is_same(one->node == move->node ? &one->end.local :
						      &one->end.remote,
			    &move->move.from))
			return 1;
	}
	return 0;
}

const struct cr_tcp_address *
cr_addresses_find(const struct cr_address_move *moves, size_t nr_moves,
		  uint32_t node, const struct cr_tcp_address *address)
{
	for (size_t i = 0; i < nr_moves; i++)
		if (moves[i].node == node &&
		    is_same(&moves[i].move.from, address))
			return &moves[i].move.to;
	return NULL;
}

/* --- who needs to hear of a move --- */

static int compare_ip(const struct cr_address_move *move, const uint8_t ip[16])
{
	return memcmp(move->move.from.ip, ip, sizeof(move->move.from.ip));
}

static int compare_moves(const void *a, const void *b)
{
	const struct cr_address_move *const *left = a, *const *right = b;
	const int rc = compare_ip(*left, (*right)->move.from.ip);

	return rc ? rc : (*left > *right) - (*left < *right);
}

static int compare_routes(const void *a, const void *b)
{
	const struct cr_address_route *left = a, *right = b;

	if (left->node != right->node)
		return left->node < right->node ? -1 : 1;
	return (left->move > right->move) - (left->move < right->move);
}

/* The first of @sorted that is not before @ip. */
static size_t find_ip(const struct cr_address_move **sorted, size_t nr,
		      const uint8_t ip[16])
{
	size_t low = 0, high = nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_ip(sorted[middle], ip) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Several nodes may have had one address, for themselves: all of these. */
static size_t add_routes(const struct cr_manifest *manifest,
			 const struct cr_address_move **sorted, size_t nr_moves,
			 struct cr_address_route *routes)
{
	size_t nr = 0;

	for (size_t i = 0; i < manifest->nr_ends; i++) {
		const struct cr_manifest_end *one = &manifest->ends[i];
		const uint8_t *ip = one->end.remote.ip;

		for (size_t j = find_ip(sorted, nr_moves, ip);
		     j < nr_moves && !compare_ip(sorted[j], ip); j++, nr++)
			if (routes)
				routes[nr] =
					(struct cr_address_route){ one->node,
								   sorted[j] };
	}
	return nr;
}

static size_t drop_doubles(struct cr_address_route *routes, size_t nr)
{
	size_t kept = 0;

	for (size_t i = 0; i < nr; i++)
		if (!kept || compare_routes(&routes[kept - 1], &routes[i]))
			routes[kept++] = routes[i];
	return kept;
}

int cr_addresses_route(const struct cr_manifest *manifest,
		       const struct cr_address_move *moves, size_t nr_moves,
		       struct cr_address_route **routesp, size_t *nr_routesp,
		       struct cr_error *err)
{
	const struct cr_address_move **sorted =
		calloc(nr_moves + 1, sizeof(*sorted));
	struct cr_address_route *routes = NULL;
	size_t nr = 0;

	for (size_t i = 0; sorted && i < nr_moves; i++)
		sorted[i] = &moves[i];
	if (sorted) {
		qsort(sorted, nr_moves, sizeof(*sorted), compare_moves);
		nr = add_routes(manifest, sorted, nr_moves, NULL);
		routes = calloc(nr + 1, sizeof(*routes));
	}
	if (!routes) {
		free(sorted);
		return cr_error_set(err, -ENOMEM, "no memory");
	}
	add_routes(manifest, sorted, nr_moves, routes);
	free(sorted);
	qsort(routes, nr, sizeof(*routes), compare_routes);
	*nr_routesp = drop_doubles(routes, nr);
	*routesp = routes;
	return 0;
}

/* --- messages --- */

int cr_addresses_print(const struct cr_address_move *moves, size_t nr_moves,
		       size_t *nextp, char *text, size_t size)
{
	char from[CR_TCP_ADDRESS_TEXT], to[CR_TCP_ADDRESS_TEXT];
	size_t used = 0;

	text[0] = '\0';
	for (; *nextp < nr_moves && used + MOVE_TEXT + 2 < size; (*nextp)++)
		used += (size_t)
			snprintf(text + used, size - used, "%s%u/%s>%s",
				 used ? " " : "", moves[*nextp].node,
				 cr_tcp_print(&moves[*nextp].move.from, from),
				 cr_tcp_print(&moves[*nextp].move.to, to));
	return used != 0;
}

static int scan_one(char *word, struct cr_address_move *move)
{
	char *from = strchr(word, '/'), *to = strchr(word, '>'), *end;
	unsigned long node;

	if (!from || !to || *word < '0' || *word > '9')
		return -EBADMSG;
	node = strtoul(word, &end, 10);
	if (end != from || node >= CR_MANIFEST_IMAGES_MAX)
		return -EBADMSG;
	move->node = (uint32_t)node;
	*to++ = '\0';
	return cr_tcp_scan(from + 1, &move->move.from) ||
			       cr_tcp_scan(to, &move->move.to) ?
		       -EBADMSG :
		       0;
}

int cr_addresses_scan(const char *text, struct cr_address_move *moves,
		      size_t *nr_movesp, size_t room)
{
	char copy[CR_ERROR_TEXT_MAX], *rest = copy, *word;
	size_t nr = *nr_movesp;

	if (strlen(text) >= sizeof(copy))
		return -EBADMSG;
	strcpy(copy, text);
	while ((word = strsep(&rest, " "))) {
		if (nr == room)
			return -E2BIG;
		if (scan_one(word, &moves[nr]))
			return -EBADMSG;
		nr++;
	}
	*nr_movesp = nr;
	return 0;
}
