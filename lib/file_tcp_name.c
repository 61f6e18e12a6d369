/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_tcp_name.c - the name of a TCP socket without a connection, given again
 *
 * Somebody may be in the way: what is left of a closed connection, who goes by
 * himself or is made to; or a program, which is told by name.  A socket for
 * IPv6 alone is in nobody's way who wants the same port of IPv4: the tree's own
 * sockets are in the kernel's list, too, as they are made one after another.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "file_tcp.h"

#define REMAINS_MS 45000 /* TIME_WAIT lasts 60 s, and has begun before */
#define HOLDER_TEXT 256

struct name {
	const struct cr_tcp_address *address;
	int is_only6; /* leaves IPv4 free */
};

static int covers(const struct name *name, const struct name *other)
{
	return cr_tcp_is_for(name->address, other->address) &&
	       !(name->is_only6 && cr_tcp_is_mapped(other->address));
}

static int holds(const struct cr_tcp_entry *entry, const struct name *name)
{
	const struct name its = { &entry->local, (int)entry->is_only6 };

	return covers(&its, name) || covers(name, &its);
}

/* All has been said, and acknowledged. */
static void end_remain(const struct cr_tcp_entry *entry)
{
	struct cr_wire_tcp head = { .local = entry->local,
				    .remote = entry->remote };

	head.family = cr_tcp_is_mapped(&head.local) ? AF_INET : AF_INET6;
	if (entry->state == CR_TCP_TIME_WAIT ||
	    entry->state == CR_TCP_FIN_WAIT2)
		cr_tcp_end_orphan(&head);
}

/*
 * What is left of connections that nobody has any more (TIME_WAIT) holds the
 * name for a minute: end it, as far as this kernel can.  Returns how many there
 * were; 0 if there were none, or somebody lives there too.
 */
static int end_remains(const struct name *name)
{
	struct cr_tcp_list list;
	int nr = 0;
	size_t i;

	if (cr_tcp_list_open(&list, NULL) < 0)
		return 0;
	for (i = 0; i < list.nr && nr >= 0; i++) {
		if (!holds(&list.entries[i], name))
			continue;
		if (list.entries[i].inode ||
		    list.entries[i].state == CR_TCP_LISTEN)
			nr = -1;
		else
			nr++;
	}
	for (i = 0; i < list.nr && nr > 0; i++)
		if (holds(&list.entries[i], name))
			end_remain(&list.entries[i]);
	cr_tcp_list_free(&list);
	return nr > 0 ? nr : 0;
}

static void print_holder(const struct cr_tcp_entry *entry,
			 char text[HOLDER_TEXT])
{
	char from[CR_TCP_ADDRESS_TEXT], to[CR_TCP_ADDRESS_TEXT];

	cr_tcp_print(&entry->local, from);
	if (entry->state == CR_TCP_LISTEN)
		snprintf(text, HOLDER_TEXT,
			 " by a program of uid %u that listens", entry->uid);
	else if (entry->state == CR_TCP_BOUND || entry->state == CR_TCP_CLOSE)
		snprintf(text, HOLDER_TEXT,
			 " by a socket of uid %u that is bound to %s",
			 entry->uid, from);
	else
		snprintf(text, HOLDER_TEXT,
			 " by the connection %s -> %s of uid %u", from,
			 cr_tcp_print(&entry->remote, to), entry->uid);
}

/* Who has the name: " by ...", or "" if nobody that the kernel tells of. */
static const char *find_holder(const struct name *name, char text[HOLDER_TEXT])
{
	const struct cr_tcp_entry *entry = NULL;
	struct cr_tcp_list list;
	size_t i;

	text[0] = '\0';
	if (cr_tcp_list_open(&list, NULL) < 0)
		return text;
	for (i = 0; i < list.nr; i++)
		if (holds(&list.entries[i], name) &&
		    (!entry || list.entries[i].state == CR_TCP_LISTEN))
			entry = &list.entries[i];
	if (entry)
		print_holder(entry, text);
	cr_tcp_list_free(&list);
	return text;
}

static int is_only6(int fd, uint32_t family)
{
	int value = 0;
	socklen_t length = sizeof(value);

	if (family == AF_INET6)
		getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, &length);
	return value;
}

int cr_tcp_bind_any_port(int fd, uint32_t family,
			 const struct cr_tcp_address *address,
			 struct cr_error *err)
{
	struct cr_tcp_address other = *address;
	socklen_t length = sizeof(int);
	int reuse = 0, no = 0, rc;

	/* two that may share it, and do not listen yet, would both get it */
	getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, &length);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &no, sizeof(no));
	rc = cr_tcp_bind(fd, family, address, err);
	if (rc == -EADDRINUSE) {
		other.port = 0;
		rc = cr_tcp_bind(fd, family, &other, err);
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
	if (rc == 0 && err)
		memset(err, 0, sizeof(*err));
	return rc;
}

int cr_tcp_bind_name(int fd, uint32_t family,
		     const struct cr_tcp_address *address, struct cr_error *err)
{
	const struct name name = { address, is_only6(fd, family) };
	char text[CR_TCP_ADDRESS_TEXT], holder[HOLDER_TEXT];
	int waited_ms = 0, rc;

	while ((rc = cr_tcp_bind(fd, family, address, err)) == -EADDRINUSE) {
		int patience_ms =
			end_remains(&name) ? REMAINS_MS : CR_TCP_HELD_MS;

		if (waited_ms >= patience_ms)
			return cr_error_set(err, rc,
					    "TCP address %s: the port is taken "
					    "here%s",
					    cr_tcp_print(address, text),
					    find_holder(&name, holder));
		waited_ms += cr_tcp_nap();
	}
	if (rc == 0 && err)
		memset(err, 0, sizeof(*err));
	return rc;
}
