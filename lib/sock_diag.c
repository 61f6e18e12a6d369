/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sock_diag.c - ask the kernel about sockets by netlink; see sock_diag.h
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sock_diag.h"

#define ANSWER_MAX 65536

struct asking {
	size_t length; /* of a message without attributes, with its header */
	cr_sock_diag_fn *take;
	void *arg;
};

/* Returns 1 after the last message. */
static int take_one(const struct asking *asking, const struct nlmsghdr *header)
{
	const void *message = NLMSG_DATA(header);
	const struct nlmsgerr *error = message;

	if (header->nlmsg_type == NLMSG_DONE)
		return 1;
	if (header->nlmsg_type == NLMSG_ERROR)
		return error->error < 0 ? error->error : 1;
	if (header->nlmsg_len < asking->length)
		return -EIO;
	return asking->take(asking->arg, message,
			    (const void *)((const char *)header +
					   asking->length),
			    header->nlmsg_len - asking->length);
}

/* Returns 1 after the last message. */
static int take_all(const struct asking *asking, const struct nlmsghdr *header,
		    size_t left)
{
	int rc = 0;

	for (; NLMSG_OK(header, left) && rc == 0;
	     header = NLMSG_NEXT(header, left))
		rc = take_one(asking, header);
	return rc;
}

static int hear(const struct asking *asking, int fd, int is_dump)
{
	struct nlmsghdr *answer = malloc(ANSWER_MAX);
	int rc = answer ? 0 : -ENOMEM;
	ssize_t n;

	while (rc == 0) {
		n = recv(fd, answer, ANSWER_MAX, 0);
		if (n < 0 && errno == EINTR)
			continue;
		rc = n < 0 ? -errno : take_all(asking, answer, (size_t)n);
		if (!is_dump)
			break;
	}
	free(answer);
	return rc < 0 ? rc : 0;
}

int cr_sock_diag(const struct nlmsghdr *request, size_t size,
		 cr_sock_diag_fn *take, void *arg)
{
	const struct asking asking = { NLMSG_LENGTH(size), take, arg };
	int fd, rc;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return -errno;
	if (send(fd, request, request->nlmsg_len, 0) < 0)
		rc = -errno;
	else
		rc = hear(&asking, fd,
			  (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP);
	close(fd);
	return rc;
}
