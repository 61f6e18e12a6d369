/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_other.c - whatever cannot be saved: say what it is
 *
 * A standard stream that leads out of the tree is fine all the same.
 */
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "file.h"

/* "10.0.0.1:40", "[::1]:40"; empty for other families. */
static void print_address(const struct sockaddr_storage *address, char *text,
			  size_t room)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	char host[INET6_ADDRSTRLEN] = "";

	text[0] = '\0';
	if (address->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(text, room, "%s:%u", host, ntohs(in->sin_port));
	} else if (address->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(text, room, "[%s]:%u", host, ntohs(in6->sin6_port));
	}
}

static const char *protocol_name(int family, int type)
{
	if (family == AF_NETLINK)
		return "netlink";
	if (family == AF_PACKET)
		return "packet";
	if (family == AF_UNIX)
		return "Unix";
	if (family != AF_INET && family != AF_INET6)
		return "unknown";
	return type == SOCK_STREAM ? "TCP" : type == SOCK_DGRAM ? "UDP" : "raw";
}

static int refuse_socket(struct cr_file_table *table,
			 const struct cr_file *file)
{
	struct sockaddr_storage address = { 0 }, peer = { 0 };
	socklen_t length = sizeof(address), peer_length = sizeof(peer);
	char from[64], to[64];
	int type = 0;
	socklen_t type_length = sizeof(type);

	getsockopt(file->fd, SOL_SOCKET, SO_TYPE, &type, &type_length);
	getsockname(file->fd, (struct sockaddr *)&address, &length);
	getpeername(file->fd, (struct sockaddr *)&peer, &peer_length);
	print_address(&address, from, sizeof(from));
	print_address(&peer, to, sizeof(to));
	return cr_file_refuse(table, file, "%s socket%s%s%s%s",
			      protocol_name(address.ss_family, type),
			      from[0] ? " " : "", from, to[0] ? " -> " : "",
			      to);
}

static int finish(struct cr_file_table *table, struct cr_file *file,
		  struct cr_error *err)
{
	(void)err;
	if (file->fd >= 0 &&
	    (S_ISSOCK(file->stat.st_mode) || isatty(file->fd)) &&
	    cr_file_try_external(table, file))
		return 0;
	if (file->fd >= 0 && S_ISSOCK(file->stat.st_mode))
		return refuse_socket(table, file);
	if (S_ISCHR(file->stat.st_mode))
		return cr_file_refuse(table, file, "device %s", file->link);
	if (S_ISBLK(file->stat.st_mode))
		return cr_file_refuse(table, file, "block device %s",
				      file->link);
	return cr_file_refuse(table, file, "%s", file->link);
}

const struct cr_file_ops cr_file_other_ops = {
	.kind = CR_FILE_OTHER,
	.name = "other",
	.finish = finish,
};
