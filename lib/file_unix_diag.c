/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_unix_diag.c - ask sock_diag(7) about AF_UNIX sockets
 *
 * The kernel goes through all sockets there are to find one, so all are asked
 * for at once.  Such a list may lack some, where others come and go meanwhile:
 * those are asked for one by one.
 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "array.h"
#include "file_unix.h"
#include "sock_diag.h"

struct cr_unix_list {
	struct cr_unix_diag *sockets; /* [nr], by inode */
	size_t nr;
};

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

static int add(void *arg, const void *answer, const struct rtattr *attribute,
	       size_t left)
{
	const struct unix_diag_msg *message = answer;
	struct cr_unix_list *list = arg;
	struct cr_unix_diag *diag;

	if (cr_array_grow(&list->sockets, list->nr, sizeof(*diag)) < 0)
		return -ENOMEM;
	diag = &list->sockets[list->nr++];
	*diag = (struct cr_unix_diag){ .inode = message->udiag_ino,
				       .state = message->udiag_state };
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		take_attribute(attribute, diag);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct cr_unix_diag *left = a, *right = b;

	return left->inode < right->inode ? -1 : left->inode > right->inode;
}

/* Add the socket @inode, or all if that is 0. */
static int fetch(struct cr_unix_list *list, uint32_t inode)
{
	const struct {
		struct nlmsghdr header;
		struct unix_diag_req body;
	} request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags =
				    (uint16_t)(NLM_F_REQUEST |
					       (inode ? 0 : NLM_F_DUMP)) },
		.body = { .sdiag_family = AF_UNIX,
			  .udiag_states = ~0u,
			  .udiag_ino = inode,
			  .udiag_show = UDIAG_SHOW_VFS | UDIAG_SHOW_PEER |
					UDIAG_SHOW_RQLEN,
			  .udiag_cookie = { ~0u, ~0u } },
	};
	int rc = cr_sock_diag(&request.header, sizeof(struct unix_diag_msg),
			      add, list);

	qsort(list->sockets, list->nr, sizeof(*list->sockets), compare);
	return rc;
}

static struct cr_unix_diag *find(const struct cr_unix_list *list,
				 uint32_t inode)
{
	const struct cr_unix_diag wanted = { .inode = inode };

	return list && list->nr ? bsearch(&wanted, list->sockets, list->nr,
					  sizeof(wanted), compare) :
				  NULL;
}

static int look(struct cr_file_table *table, uint32_t inode,
		struct cr_unix_diag **diagp)
{
	int rc = 0;

	if (!table->unix_list) {
		table->unix_list = calloc(1, sizeof(*table->unix_list));
		if (!table->unix_list)
			return -ENOMEM;
		rc = fetch(table->unix_list, 0);
	}
	*diagp = find(table->unix_list, inode);
	if (rc == 0 && !*diagp) {
		rc = fetch(table->unix_list, inode);
		*diagp = find(table->unix_list, inode);
	}
	return rc == 0 && !*diagp ? -ENOENT : rc;
}

int cr_unix_diag(struct cr_file_table *table, uint32_t inode,
		 struct cr_unix_diag **diagp, struct cr_error *err)
{
	int rc = look(table, inode, diagp);

	if (rc < 0)
		cr_error_set(err, rc, "sock_diag of Unix socket %u: %s", inode,
			     strerror(-rc));
	return rc;
}

uint32_t cr_unix_find_inode(const struct cr_file_table *table, uint32_t inode)
{
	const struct cr_unix_diag *diag = find(table->unix_list, inode);

	return diag ? diag->id : 0;
}

void cr_unix_list_free(struct cr_unix_list *list)
{
	if (!list)
		return;
	free(list->sockets);
	free(list);
}
