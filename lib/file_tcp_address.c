/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_tcp_address.c - addresses of TCP, IPv4 written as IPv6 does
 *
 * So that an IPv4 socket and a mapped one of IPv6 are recognised as the ends of
 * one connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file_tcp.h"

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };
static const uint8_t zero[16];

int cr_tcp_is_same(const struct cr_tcp_address *a,
		   const struct cr_tcp_address *b)
{
	return a->port == b->port && !memcmp(a->ip, b->ip, sizeof(a->ip));
}

int cr_tcp_is_mapped(const struct cr_tcp_address *address)
{
	return !memcmp(address->ip, mapped_prefix, sizeof(mapped_prefix));
}

int cr_tcp_is_any(const struct cr_tcp_address *address)
{
	const uint8_t *ip = address->ip;

	return !memcmp(ip, zero, 16) ||
	       (cr_tcp_is_mapped(address) && !memcmp(ip + 12, zero, 4));
}

int cr_tcp_is_loopback(const struct cr_tcp_address *address)
{
	if (cr_tcp_is_mapped(address))
		return address->ip[12] == 127;
	return !memcmp(address->ip, &in6addr_loopback, 16);
}

int cr_tcp_is_for(const struct cr_tcp_address *name,
		  const struct cr_tcp_address *to)
{
	if (name->port != to->port)
		return 0;
	if (!cr_tcp_is_any(name))
		return !memcmp(name->ip, to->ip, 16);
	/* 0.0.0.0 takes IPv4, :: takes both */
	return !cr_tcp_is_mapped(name) || cr_tcp_is_mapped(to);
}

void cr_tcp_from_sockaddr(const struct sockaddr_storage *from,
			  struct cr_tcp_address *to)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

	memset(to, 0, sizeof(*to));
	if (from->ss_family == AF_INET) {
		memcpy(to->ip, mapped_prefix, sizeof(mapped_prefix));
		memcpy(to->ip + 12, &in->sin_addr, 4);
		to->port = ntohs(in->sin_port);
	} else if (from->ss_family == AF_INET6) {
		memcpy(to->ip, &in6->sin6_addr, 16);
		to->port = ntohs(in6->sin6_port);
	}
}

socklen_t cr_tcp_to_sockaddr(const struct cr_tcp_address *from, uint32_t family,
			     struct sockaddr_storage *to)
{
	struct sockaddr_in *in = (struct sockaddr_in *)to;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	to->ss_family = (sa_family_t)family;
	if (family == AF_INET6) {
		memcpy(&in6->sin6_addr, from->ip, 16);
		in6->sin6_port = htons(from->port);
		return sizeof(*in6);
	}
	if (!cr_tcp_is_mapped(from))
		return 0;
	memcpy(&in->sin_addr, from->ip + 12, 4);
	in->sin_port = htons(from->port);
	return sizeof(*in);
}

int cr_tcp_is_own(const struct cr_tcp_address *address)
{
	struct ifaddrs *all, *one;
	int is_own = cr_tcp_is_loopback(address);

	if (is_own || getifaddrs(&all) < 0)
		return is_own;
	for (one = all; one && !is_own; one = one->ifa_next) {
		struct sockaddr_storage storage = { 0 };
		struct cr_tcp_address own;
		size_t length;

		if (!one->ifa_addr)
			continue;
		length = one->ifa_addr->sa_family == AF_INET ?
				 sizeof(struct sockaddr_in) :
			 one->ifa_addr->sa_family == AF_INET6 ?
				 sizeof(struct sockaddr_in6) :
				 0;
		if (!length)
			continue;
		memcpy(&storage, one->ifa_addr, length);
		cr_tcp_from_sockaddr(&storage, &own);
		is_own = !memcmp(own.ip, address->ip, 16);
	}
	freeifaddrs(all);
	return is_own;
}

const char *cr_tcp_print(const struct cr_tcp_address *address, char *text)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (cr_tcp_is_mapped(address)) {
		inet_ntop(AF_INET, address->ip + 12, host, sizeof(host));
		snprintf(text, CR_TCP_ADDRESS_TEXT, "%s:%u", host,
			 address->port);
	} else {
		inet_ntop(AF_INET6, address->ip, host, sizeof(host));
		snprintf(text, CR_TCP_ADDRESS_TEXT, "[%s]:%u", host,
			 address->port);
	}
	return text;
}

static int scan_host(const char *host, struct cr_tcp_address *address)
{
	if (host[0] == '[')
		return inet_pton(AF_INET6, host + 1, address->ip) == 1;
	memcpy(address->ip, mapped_prefix, sizeof(mapped_prefix));
	return inet_pton(AF_INET, host, address->ip + 12) == 1;
}

int cr_tcp_scan(const char *text, struct cr_tcp_address *address)
{
	char host[CR_TCP_ADDRESS_TEXT], *colon, *end;
	unsigned long port;

	memset(address, 0, sizeof(*address));
	if (strlen(text) >= sizeof(host))
		return -EINVAL;
	strcpy(host, text);
	colon = strrchr(host, ':');
	if (!colon || colon[1] < '0' || colon[1] > '9')
		return -EINVAL;
	port = strtoul(colon + 1, &end, 10);
	if (*end || port > UINT16_MAX)
		return -EINVAL;
	if (host[0] == '[' && (colon == host || *--colon != ']'))
		return -EINVAL;
	*colon = '\0';
	address->port = (uint16_t)port;
	return scan_host(host, address) ? 0 : -EINVAL;
}
