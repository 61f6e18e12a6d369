/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_unix_diag.c - ask sock_diag(7) about one AF_UNIX socket
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "file_unix.h"

struct request {
	struct nlmsghdr header;
	struct unix_diag_req body;
};

static int ask(int fd, uint32_t inode)
{
	struct request request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST },
		.body = { .sdiag_family = AF_UNIX,
			  .udiag_states = ~0u,
			  .udiag_ino = inode,
			  .udiag_show = UDIAG_SHOW_VFS | UDIAG_SHOW_PEER |
					UDIAG_SHOW_RQLEN,
			  .udiag_cookie = { ~0u, ~0u } },
	};

	return send(fd, &request, sizeof(request), 0) < 0 ? -errno : 0;
}

static void take_attribute(const struct rtattr *attribute,
			   struct cr_unix_diag *diag)
{
	const void *data = RTA_DATA(attribute);
	struct unix_diag_rqlen rqlen;
	struct unix_diag_vfs vfs;

	switch (attribute->rta_type) {
	case UNIX_DIAG_PEER:
		memcpy(&diag->peer_inode, data, sizeof(diag->peer_inode));
		diag->has_peer = 1;
		break;
	case UNIX_DIAG_RQLEN:
		memcpy(&rqlen, data, sizeof(rqlen));
		diag->pending = rqlen.udiag_rqueue;
		diag->backlog = rqlen.udiag_wqueue;
		break;
	case UNIX_DIAG_SHUTDOWN:
		diag->shutdown = *(const uint8_t *)data;
		break;
	case UNIX_DIAG_VFS:
		memcpy(&vfs, data, sizeof(vfs));
		diag->path_inode = vfs.udiag_vfs_ino;
		break;
	default:
		break;
	}
}

static int parse(const struct nlmsghdr *header, size_t length,
		 struct cr_unix_diag *diag)
{
	const struct unix_diag_msg *message;
	const struct rtattr *attribute;
	const struct nlmsgerr *error;
	size_t left;

	if (!NLMSG_OK(header, length))
		return -EIO;
	if (header->nlmsg_type == NLMSG_ERROR) {
		error = NLMSG_DATA(header);
		return error->error < 0 ? error->error : -EIO;
	}
	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*message)))
		return -EIO;
	message = NLMSG_DATA(header);
	memset(diag, 0, sizeof(*diag));
	diag->state = message->udiag_state;
	left = header->nlmsg_len - NLMSG_LENGTH(sizeof(*message));
	for (attribute = (const struct rtattr *)(message + 1);
	     RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		take_attribute(attribute, diag);
	return 0;
}

int cr_unix_diag(uint32_t inode, struct cr_unix_diag *diag,
		 struct cr_error *err)
{
	_Alignas(struct nlmsghdr) char answer[8192];
	ssize_t n;
	int fd, rc;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return cr_error_errno(err, "sock_diag");
	rc = ask(fd, inode);
	if (rc == 0) {
		n = recv(fd, answer, sizeof(answer), 0);
		rc = n < 0 ? -errno :
			     parse((const struct nlmsghdr *)answer, (size_t)n,
				   diag);
	}
	close(fd);
	if (rc < 0)
		cr_error_set(err, rc, "sock_diag of Unix socket %u: %s", inode,
			     strerror(-rc));
	return rc;
}
