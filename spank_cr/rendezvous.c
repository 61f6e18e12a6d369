/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rendezvous.c - lead.json, and addresses of nodes; see rendezvous.h
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <jansson.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rendezvous.h"

#define FORMAT 1
#define TEMPORARY CR_RENDEZVOUS_NAME ".tmp"
#define SIZE_MAX_BYTES 16384

/* --- addresses --- */

static const uint8_t *bytes_of(const struct sockaddr *address, size_t *length)
{
	if (address->sa_family == AF_INET) {
		*length = 4;
		return (const uint8_t *)&((const struct sockaddr_in *)address)
			->sin_addr;
	}
	*length = 16;
	return (const uint8_t *)&((const struct sockaddr_in6 *)address)
		->sin6_addr;
}

/* One that another node could reach us by. */
static int is_usable(const struct sockaddr *address)
{
	const struct in6_addr *in6;

	if (!address)
		return 0;
	if (address->sa_family == AF_INET)
		return ((const uint8_t *)&((const struct sockaddr_in *)address)
				->sin_addr)[0] != 127;
	if (address->sa_family != AF_INET6)
		return 0;
	in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
	return !IN6_IS_ADDR_LOOPBACK(in6) && !IN6_IS_ADDR_LINKLOCAL(in6) &&
	       !IN6_IS_ADDR_V4MAPPED(in6);
}

static int is_same(const struct sockaddr *a, const struct sockaddr *b)
{
	const uint8_t *bytes;
	size_t length;

	if (a->sa_family != b->sa_family ||
	    (a->sa_family != AF_INET && a->sa_family != AF_INET6))
		return 0;
	bytes = bytes_of(a, &length);
	return !memcmp(bytes, bytes_of(b, &length), length);
}

static void add(struct cr_rendezvous *r, const struct sockaddr *address)
{
	struct sockaddr_storage *next = &r->addresses[r->nr_addresses];

	if (!is_usable(address) ||
	    r->nr_addresses == CR_RENDEZVOUS_ADDRESSES_MAX)
		return;
	for (size_t i = 0; i < r->nr_addresses; i++)
		if (is_same((struct sockaddr *)&r->addresses[i], address))
			return;
	memset(next, 0, sizeof(*next));
	memcpy(next, address,
	       address->sa_family == AF_INET ? sizeof(struct sockaddr_in) :
					       sizeof(struct sockaddr_in6));
	r->nr_addresses++;
}

static int is_local(const struct ifaddrs *interfaces,
		    const struct sockaddr *address)
{
	for (; interfaces; interfaces = interfaces->ifa_next)
		if (interfaces->ifa_addr &&
		    is_same(interfaces->ifa_addr, address))
			return 1;
	return 0;
}

/* What the node's name means here, as far as it is an address of ours. */
static void add_named(struct cr_rendezvous *r, const struct ifaddrs *interfaces)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char name[256];

	if (gethostname(name, sizeof(name)) ||
	    getaddrinfo(name, NULL, &hints, &found))
		return;
	for (struct addrinfo *i = found; i; i = i->ai_next)
		if (is_local(interfaces, i->ai_addr))
			add(r, i->ai_addr);
	freeaddrinfo(found);
}

int cr_rendezvous_make(const struct cr_step *step, uint16_t port,
		       struct cr_rendezvous *r, struct cr_error *err)
{
	struct ifaddrs *interfaces;

	memset(r, 0, sizeof(*r));
	strcpy(r->run, step->run);
	r->port = port;
	if (getrandom(r->nonce, sizeof(r->nonce), 0) != sizeof(r->nonce))
		return cr_error_errno(err, "getrandom");
	if (getifaddrs(&interfaces) < 0)
		return cr_error_errno(err, "list the node's addresses");
	add_named(r, interfaces);
	for (struct ifaddrs *i = interfaces; i; i = i->ifa_next)
		if (i->ifa_flags & IFF_UP)
			add(r, i->ifa_addr);
	freeifaddrs(interfaces);
	if (!r->nr_addresses)
		return cr_error_set(err, -ENETUNREACH,
				    "this node has no address for the others");
	return 0;
}

static int is_near(const struct ifaddrs *interfaces,
		   const struct sockaddr *address)
{
	const uint8_t *a, *b, *mask;
	size_t length, i;

	a = bytes_of(address, &length);
	for (; interfaces; interfaces = interfaces->ifa_next) {
		if (!is_usable(interfaces->ifa_addr) ||
		    !interfaces->ifa_netmask ||
		    interfaces->ifa_addr->sa_family != address->sa_family)
			continue;
		b = bytes_of(interfaces->ifa_addr, &length);
		mask = bytes_of(interfaces->ifa_netmask, &length);
		for (i = 0; i < length; i++)
			if ((a[i] ^ b[i]) & mask[i])
				break;
		if (i == length)
			return 1;
	}
	return 0;
}

void cr_rendezvous_sort(struct cr_rendezvous *r)
{
	struct sockaddr_storage far[CR_RENDEZVOUS_ADDRESSES_MAX];
	struct ifaddrs *interfaces;
	size_t nr = 0, nr_far = 0;

	if (getifaddrs(&interfaces) < 0)
		return;
	for (size_t i = 0; i < r->nr_addresses; i++)
		if (is_near(interfaces, (struct sockaddr *)&r->addresses[i]))
			r->addresses[nr++] = r->addresses[i];
		else
			far[nr_far++] = r->addresses[i];
	memcpy(&r->addresses[nr], far, nr_far * sizeof(*far));
	freeifaddrs(interfaces);
}

/* --- the file --- */

static void print_nonce(const struct cr_rendezvous *r,
			char text[2 * CR_PEER_NONCE + 1])
{
	for (size_t i = 0; i < CR_PEER_NONCE; i++)
		snprintf(text + 2 * i, 3, "%02x", r->nonce[i]);
}

static int scan_nonce(struct cr_rendezvous *r, const char *text)
{
	const size_t nr_digits = 2 * sizeof(r->nonce);
	unsigned int byte;

	if (!text || strlen(text) != nr_digits ||
	    strspn(text, "0123456789abcdef") != nr_digits)
		return -EBADMSG;
	for (size_t i = 0; i < CR_PEER_NONCE; i++) {
		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return -EBADMSG;
		r->nonce[i] = (uint8_t)byte;
	}
	return 0;
}

static int write_text(int dirfd, const char *text, struct cr_error *err)
{
	const size_t length = strlen(text);
	int fd, rc = 0;

	unlinkat(dirfd, TEMPORARY, 0);
	fd = openat(dirfd, TEMPORARY,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return cr_error_errno(err, "create " TEMPORARY);
	if (write(fd, text, length) != (ssize_t)length || fsync(fd) < 0)
		rc = cr_error_errno(err, "write " TEMPORARY);
	close(fd);
	if (!rc && renameat(dirfd, TEMPORARY, dirfd, CR_RENDEZVOUS_NAME) < 0)
		rc = cr_error_errno(err, "rename " TEMPORARY);
	if (!rc && fsync(dirfd) < 0)
		rc = cr_error_errno(err, "sync the folder of lead.json");
	return rc;
}

int cr_rendezvous_write(int dirfd, const struct cr_rendezvous *r,
			struct cr_error *err)
{
	char nonce[2 * CR_PEER_NONCE + 1], address[INET6_ADDRSTRLEN];
	json_t *addresses = json_array(), *json;
	const struct sockaddr *from;
	size_t length;
	char *text;
	int rc;

	for (size_t i = 0; i < r->nr_addresses; i++) {
		from = (const struct sockaddr *)&r->addresses[i];
		inet_ntop(from->sa_family, bytes_of(from, &length), address,
			  sizeof(address));
		json_array_append_new(addresses, json_string(address));
	}
	print_nonce(r, nonce);
	json = json_pack("{si ss ss si so}", "format", FORMAT, "run", r->run,
			 "nonce", nonce, "port", (int)r->port, "addresses",
			 addresses);
	text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	if (text)
		rc = write_text(dirfd, text, err);
	else
		rc = cr_error_set(err, -ENOMEM, "no memory");
	free(text);
	json_decref(json);
	return rc;
}

static int scan_address(struct cr_rendezvous *r, const char *text)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	if (!text)
		return -EBADMSG;
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		in.sin_port = htons(r->port);
		add(r, (struct sockaddr *)&in);
	} else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
		in6.sin6_port = htons(r->port);
		add(r, (struct sockaddr *)&in6);
	} else {
		return -EBADMSG;
	}
	return 0;
}

static int scan(const json_t *json, struct cr_rendezvous *r)
{
	const json_t *addresses = json_object_get(json, "addresses");
	const char *run = json_string_value(json_object_get(json, "run"));
	json_int_t port = json_integer_value(json_object_get(json, "port"));
	int rc;

	if (json_integer_value(json_object_get(json, "format")) != FORMAT ||
	    !run || strlen(run) >= sizeof(r->run) || port < 1 || port > 65535)
		return -EBADMSG;
	strcpy(r->run, run);
	r->port = (uint16_t)port;
	rc = scan_nonce(r, json_string_value(json_object_get(json, "nonce")));
	for (size_t i = 0; !rc && i < json_array_size(addresses); i++)
		rc = scan_address(r, json_string_value(
					     json_array_get(addresses, i)));
	return rc ? rc : r->nr_addresses ? 0 : -EBADMSG;
}

int cr_rendezvous_read(int dirfd, const struct cr_step *step,
		       struct cr_rendezvous *r, struct cr_error *err)
{
	char text[SIZE_MAX_BYTES];
	json_error_t why;
	struct stat st;
	json_t *json;
	ssize_t n;
	int fd, rc;

	memset(r, 0, sizeof(*r));
	fd = openat(dirfd, CR_RENDEZVOUS_NAME,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return cr_error_errno(err, "open " CR_RENDEZVOUS_NAME);
	n = fstat(fd, &st) < 0 ? -1 : read(fd, text, sizeof(text));
	close(fd);
	if (n < 0)
		return cr_error_errno(err, "read " CR_RENDEZVOUS_NAME);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return cr_error_set(err, -EPERM,
				    CR_RENDEZVOUS_NAME " is of uid %u",
				    st.st_uid);
	json = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &why);
	rc = json ? scan(json, r) : -EBADMSG;
	json_decref(json);
	if (rc)
		cr_error_set(err, rc, CR_RENDEZVOUS_NAME " is damaged");
	else if (strcmp(r->run, step->run) != 0)
		rc = cr_error_set(err, -ESTALE,
				  CR_RENDEZVOUS_NAME " is of another run");
	if (rc)
		memset(r, 0, sizeof(*r));
	return rc;
}

void cr_rendezvous_remove(int dirfd, const struct cr_step *step,
			  const struct cr_rendezvous *r)
{
	struct cr_rendezvous now;

	if (!cr_rendezvous_read(dirfd, step, &now, NULL) &&
	    !memcmp(now.nonce, r->nonce, sizeof(now.nonce)))
		unlinkat(dirfd, CR_RENDEZVOUS_NAME, 0);
}
