/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_tcp_options.c - socket options of TCP sockets, both directions
 *
 * Most are numbers: one row of a table each, whose index is that of the image
 * (docs/image-format.md), so rows are only ever added at the end.  An option
 * that this kernel does not have is not saved; one that has the saved value by
 * itself is not set.
 */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "file_tcp.h"
#include "socket_options.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

enum when {
	ALWAYS, /* before the socket has an address */
	LATE, /* when queues are full and repair mode is over */
	UNCONNECTED, /* ALWAYS, but the kernel's own in a connection */
};

struct option {
	int level, name;
	enum when when;
	const char *text; /* in messages */
};

#define ROW(level, name, when)           \
	{                                \
		level, name, when, #name \
	}

/* IP_TOS sets SO_PRIORITY, too, and so comes before. */
static const struct option table[] = {
	ROW(IPPROTO_IPV6, IPV6_V6ONLY, UNCONNECTED),
	ROW(SOL_SOCKET, SO_REUSEADDR, ALWAYS),
	ROW(SOL_SOCKET, SO_REUSEPORT, ALWAYS),
	ROW(SOL_SOCKET, SO_KEEPALIVE, ALWAYS),
	ROW(SOL_SOCKET, SO_OOBINLINE, ALWAYS),
	ROW(SOL_SOCKET, SO_DONTROUTE, ALWAYS),
	ROW(IPPROTO_IP, IP_TOS, ALWAYS),
	ROW(IPPROTO_IPV6, IPV6_TCLASS, ALWAYS),
	ROW(SOL_SOCKET, SO_PRIORITY, ALWAYS),
	ROW(SOL_SOCKET, SO_MARK, ALWAYS),
	ROW(SOL_SOCKET, SO_RCVLOWAT, LATE),
	ROW(SOL_SOCKET, SO_PEEK_OFF, LATE),
	ROW(SOL_SOCKET, SO_TIMESTAMP, ALWAYS),
	ROW(SOL_SOCKET, SO_TIMESTAMPNS, ALWAYS),
	ROW(SOL_SOCKET, SO_ZEROCOPY, ALWAYS),
	ROW(SOL_SOCKET, SO_BUSY_POLL, ALWAYS),
	ROW(IPPROTO_TCP, TCP_NODELAY, ALWAYS),
	ROW(IPPROTO_TCP, TCP_CORK, ALWAYS),
	ROW(IPPROTO_TCP, TCP_KEEPIDLE, ALWAYS),
	ROW(IPPROTO_TCP, TCP_KEEPINTVL, ALWAYS),
	ROW(IPPROTO_TCP, TCP_KEEPCNT, ALWAYS),
	ROW(IPPROTO_TCP, TCP_SYNCNT, ALWAYS),
	ROW(IPPROTO_TCP, TCP_LINGER2, ALWAYS),
	ROW(IPPROTO_TCP, TCP_DEFER_ACCEPT, ALWAYS),
	ROW(IPPROTO_TCP, TCP_WINDOW_CLAMP, UNCONNECTED),
	ROW(IPPROTO_TCP, TCP_MAXSEG, UNCONNECTED),
	ROW(IPPROTO_TCP, TCP_USER_TIMEOUT, ALWAYS),
	ROW(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, ALWAYS),
	ROW(IPPROTO_TCP, TCP_FASTOPEN, UNCONNECTED),
	ROW(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, UNCONNECTED),
	ROW(IPPROTO_TCP, TCP_NOTSENT_LOWAT, ALWAYS),
	ROW(IPPROTO_TCP, TCP_INQ, ALWAYS),
	ROW(IPPROTO_IP, IP_TTL, ALWAYS),
	ROW(IPPROTO_IP, IP_MTU_DISCOVER, ALWAYS),
	ROW(IPPROTO_IP, IP_FREEBIND, ALWAYS),
	ROW(IPPROTO_IP, IP_TRANSPARENT, ALWAYS),
	ROW(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, ALWAYS),
	ROW(IPPROTO_IP, IP_RECVERR, ALWAYS),
	ROW(IPPROTO_IPV6, IPV6_UNICAST_HOPS, ALWAYS),
	ROW(IPPROTO_IPV6, IPV6_MTU_DISCOVER, ALWAYS),
	ROW(IPPROTO_IPV6, IPV6_RECVERR, ALWAYS),
};

#define V6ONLY 0 /* its row */
#define REUSEADDR 1
#define NR_OPTIONS (sizeof(table) / sizeof(table[0]))

_Static_assert(NR_OPTIONS <= CR_TCP_OPTIONS, "room for options");

static int get_int(int fd, int level, int name, int32_t *valuep)
{
	socklen_t length = sizeof(*valuep);

	*valuep = 0;
	return getsockopt(fd, level, name, valuep, &length) < 0 ? -errno : 0;
}

static int is_of(const struct option *option, const struct cr_wire_tcp *head)
{
	if (option->level == IPPROTO_IPV6 && head->family != AF_INET6)
		return 0;
	return option->when != UNCONNECTED ||
	       head->kind == CR_TCP_UNCONNECTED ||
	       head->kind == CR_TCP_LISTENING;
}

static void get_numbers(int fd, struct cr_wire_tcp *head)
{
	size_t i;

	head->options_set = 0;
	for (i = 0; i < NR_OPTIONS; i++) {
		head->options[i] = 0;
		if (is_of(&table[i], head) &&
		    get_int(fd, table[i].level, table[i].name,
			    &head->options[i]) == 0)
			head->options_set |= 1ull << i;
	}
}

void cr_tcp_get_options(int fd, struct cr_wire_tcp *head)
{
	struct linger linger = { 0 };
	socklen_t length = sizeof(linger);
	int32_t value;

	get_numbers(fd, head);
	getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length);
	head->linger_on = linger.l_onoff != 0;
	head->linger_s = (uint32_t)linger.l_linger;
	head->receive_timeout_us = cr_socket_get_timeout(fd, SO_RCVTIMEO);
	head->send_timeout_us = cr_socket_get_timeout(fd, SO_SNDTIMEO);
	get_int(fd, SOL_SOCKET, SO_SNDBUF, &value);
	head->send_buffer = (uint32_t)value;
	get_int(fd, SOL_SOCKET, SO_RCVBUF, &value);
	head->receive_buffer = (uint32_t)value;
	get_int(fd, SOL_SOCKET, SO_BUF_LOCK, &value);
	head->buffer_locks = (uint32_t)value & 3;
	length = sizeof(head->congestion) - 1;
	getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, head->congestion, &length);
	length = sizeof(head->device);
	getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, head->device, &length);
}

int cr_tcp_is_only6(const struct cr_wire_tcp *head)
{
	return head->options_set & 1ull << V6ONLY && head->options[V6ONLY];
}

int cr_tcp_has_more(int fd, const char **whatp)
{
	char upper[16] = "";
	socklen_t length = 0, upper_length = sizeof(upper) - 1;
	int32_t value;

	*whatp = NULL;
	/* with no room it says how many instructions there are; EACCES: eBPF */
	if (getsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, NULL, &length) < 0 ?
		    errno == EACCES :
		    length != 0)
		*whatp = "a socket filter";
	if (getsockopt(fd, IPPROTO_TCP, TCP_ULP, upper, &upper_length) == 0 &&
	    upper[0])
		*whatp = "an upper layer protocol in the kernel (TLS)";
	if (get_int(fd, SOL_SOCKET, SO_TIMESTAMPING, &value) == 0 && value)
		*whatp = "SO_TIMESTAMPING";
	return *whatp != NULL;
}

static int set_numbers(const struct cr_wire_tcp *head, int fd,
		       struct cr_error *err)
{
	int32_t present;
	size_t i;
	int rc;

	for (i = 0; i < NR_OPTIONS; i++) {
		const struct option *option = &table[i];

		if (!(head->options_set & 1ull << i) || option->when == LATE ||
		    !is_of(option, head))
			continue;
		rc = get_int(fd, option->level, option->name, &present);
		if (rc == 0 && present != head->options[i])
			rc = cr_socket_set_int(fd, option->level, option->name,
					       head->options[i]);
		if (rc < 0)
			return cr_error_set(err, rc, "%s %d: %s", option->text,
					    head->options[i], strerror(-rc));
	}
	return 0;
}

static int set_name(int fd, int level, int option, const char *name,
		    const char *what, struct cr_error *err)
{
	if (!name[0] ||
	    setsockopt(fd, level, option, name, (socklen_t)strlen(name)) == 0)
		return 0;
	return cr_error_errno(err, "%s %.15s", what, name);
}

int cr_tcp_set_options(const struct cr_wire_tcp *head, int fd,
		       struct cr_error *err)
{
	const struct linger linger = { (int)head->linger_on,
				       (int)head->linger_s };
	int rc;

	rc = set_numbers(head, fd, err);
	if (rc == 0)
		rc = set_name(fd, IPPROTO_TCP, TCP_CONGESTION, head->congestion,
			      "TCP_CONGESTION", err);
	if (rc == 0)
		rc = set_name(fd, SOL_SOCKET, SO_BINDTODEVICE, head->device,
			      "SO_BINDTODEVICE", err);
	if (rc < 0)
		return rc;
	if (linger.l_onoff || linger.l_linger)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	cr_socket_set_timeout(fd, SO_RCVTIMEO, head->receive_timeout_us);
	cr_socket_set_timeout(fd, SO_SNDTIMEO, head->send_timeout_us);
	/* room for what is put into the queues */
	if (head->receive_length)
		cr_socket_set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE,
				  CR_TCP_BUFFER_MAX);
	return 0;
}

void cr_tcp_set_late_options(const struct cr_wire_tcp *head, int fd)
{
	size_t i;

	cr_socket_set_buffers(fd, head->send_buffer, head->receive_buffer);
	cr_socket_set_int(fd, SOL_SOCKET, SO_BUF_LOCK, (int)head->buffer_locks);
	for (i = 0; i < NR_OPTIONS; i++)
		if (head->options_set & 1ull << i &&
		    (table[i].when == LATE || table[i].name == SO_REUSEADDR) &&
		    table[i].level == SOL_SOCKET)
			cr_socket_set_int(fd, table[i].level, table[i].name,
					  head->options[i]);
}

int cr_tcp_repair(int fd, int value, const struct cr_wire_tcp *head)
{
	int rc = cr_socket_set_int(fd, IPPROTO_TCP, TCP_REPAIR, value);

	if (rc == 0 && value == CR_TCP_REPAIR_OFF && head &&
	    head->options_set & 1ull << REUSEADDR && head->options[REUSEADDR])
		rc = cr_socket_set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	return rc;
}
