/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_tcp_diag.c - all TCP sockets of the node, from sock_diag(7)
 *
 * Also those that no process has: not accepted yet, or closed with something
 * still to be sent.
 */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "array.h"
#include "file_tcp.h"
#include "sock_diag.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

static void take_address(int family, const uint32_t words[4], uint16_t port,
			 struct cr_tcp_address *to)
{
	struct sockaddr_storage storage = { .ss_family = (sa_family_t)family };

	if (family == AF_INET)
		memcpy(&((struct sockaddr_in *)&storage)->sin_addr, words, 4);
	else
		memcpy(&((struct sockaddr_in6 *)&storage)->sin6_addr, words,
		       16);
	cr_tcp_from_sockaddr(&storage, to);
	to->port = ntohs(port);
}

/* The kernel says so of sockets without a connection. */
static int is_only6(const struct rtattr *attribute, size_t left)
{
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == INET_DIAG_SKV6ONLY &&
		    RTA_PAYLOAD(attribute) >= 1)
			return *(const uint8_t *)RTA_DATA(attribute) != 0;
	return 0;
}

static int add(void *arg, const void *answer, const struct rtattr *attributes,
	       size_t length)
{
	const struct inet_diag_msg *message = answer;
	struct cr_tcp_list *list = arg;
	struct cr_tcp_entry *entry;

	if (cr_array_grow(&list->entries, list->nr, sizeof(*entry)) < 0)
		return -ENOMEM;
	entry = &list->entries[list->nr++];
	take_address(message->idiag_family, message->id.idiag_src,
		     message->id.idiag_sport, &entry->local);
	take_address(message->idiag_family, message->id.idiag_dst,
		     message->id.idiag_dport, &entry->remote);
	entry->state = message->idiag_state;
	entry->inode = message->idiag_inode;
	entry->uid = message->idiag_uid;
	entry->received = message->idiag_rqueue;
	entry->unsent = message->idiag_wqueue;
	entry->is_only6 = (uint32_t)is_only6(attributes, length);
	return 0;
}

static int dump(struct cr_tcp_list *list, int family)
{
	const struct request request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = (uint8_t)family,
			  .sdiag_protocol = IPPROTO_TCP,
			  .idiag_states = ~0u },
	};

	return cr_sock_diag(&request.header, sizeof(struct inet_diag_msg), add,
			    list);
}

static int compare(const void *a, const void *b)
{
	const struct cr_tcp_entry *left = a, *right = b;
	int rc = memcmp(&left->local, &right->local, sizeof(left->local));

	return rc ? rc :
		    memcmp(&left->remote, &right->remote, sizeof(left->remote));
}

/* The one socket with the addresses of @head: add it to @list, or end it. */
static int ask_one(struct cr_tcp_list *list, const struct cr_wire_tcp *head,
		   uint16_t what)
{
	struct request request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = what,
			    .nlmsg_flags =
				    NLM_F_REQUEST |
				    (what == SOCK_DESTROY ? NLM_F_ACK : 0) },
		.body = { .sdiag_family = (uint8_t)head->family,
			  .sdiag_protocol = IPPROTO_TCP,
			  .idiag_states = ~0u,
			  .id = { .idiag_sport = htons(head->local.port),
				  .idiag_dport = htons(head->remote.port),
				  .idiag_cookie = { ~0u, ~0u } } },
	};
	const size_t offset = head->family == AF_INET ? 12 : 0;

	memcpy(request.body.id.idiag_src, head->local.ip + offset, 16 - offset);
	memcpy(request.body.id.idiag_dst, head->remote.ip + offset,
	       16 - offset);
	return cr_sock_diag(&request.header, sizeof(struct inet_diag_msg), add,
			    list);
}

void cr_tcp_end_orphan(const struct cr_wire_tcp *head)
{
	struct cr_tcp_entry entry;

	/* a kernel that cannot says so, and whoever needs the place fails */
	if (cr_tcp_diag(head, &entry) == 0 && !entry.inode)
		ask_one(NULL, head, SOCK_DESTROY);
}

int cr_tcp_diag(const struct cr_wire_tcp *head, struct cr_tcp_entry *entry)
{
	struct cr_tcp_list list = { 0 };
	int rc = ask_one(&list, head, SOCK_DIAG_BY_FAMILY);

	if (rc == 0 && list.nr != 1)
		rc = -EIO;
	if (rc == 0)
		*entry = list.entries[0];
	free(list.entries);
	return rc;
}

uint64_t cr_tcp_network_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length);
	return cookie;
}

/* What we are and may do, tried with a socket. */
static void look_at_ourselves(struct cr_tcp_list *list)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	list->network = cr_tcp_network_of(fd);
	list->may_repair = cr_tcp_repair(fd, 1, NULL) == 0;
	close(fd);
}

int cr_tcp_list_open(struct cr_tcp_list *list, struct cr_error *err)
{
	int rc;

	memset(list, 0, sizeof(*list));
	rc = dump(list, AF_INET);
	if (rc == 0)
		rc = dump(list, AF_INET6);
	/* a kernel without IPv6 */
	if (rc == -ENOENT)
		rc = 0;
	look_at_ourselves(list);
	if (rc == 0 && list->nr)
		qsort(list->entries, list->nr, sizeof(*list->entries), compare);
	if (rc < 0) {
		cr_tcp_list_free(list);
		cr_error_set(err, rc, "sock_diag of TCP sockets: %s",
			     strerror(-rc));
	}
	return rc;
}

void cr_tcp_list_free(struct cr_tcp_list *list)
{
	free(list->entries);
	memset(list, 0, sizeof(*list));
}

const struct cr_tcp_entry *cr_tcp_list_find(const struct cr_tcp_list *list,
					    const struct cr_tcp_address *local,
					    const struct cr_tcp_address *remote)
{
	const struct cr_tcp_entry key = { .local = *local, .remote = *remote };

	if (!list->nr)
		return NULL;
	return bsearch(&key, list->entries, list->nr, sizeof(key), compare);
}
