/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmi_redirect.c - see pmi_redirect.h
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"
#include "pmi_redirect.h"

#define ANSWER_TIMEOUT_MS 10000

static int is_socket(int fd)
{
	int domain = 0;
	socklen_t length = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
	       domain == AF_UNIX;
}

/* The socket to use instead of @fd, or -1. */
static int ask(int agent, int fd)
{
	struct cr_message message = { .type = CR_MSG_PMI };
	int fds[CR_MESSAGE_FDS_MAX], instead;

	if (cr_message_send(agent, &message, &fd, 1))
		return -1;
	for (;;) {
		if (cr_message_receive(agent, &message, fds, ANSWER_TIMEOUT_MS))
			return -1;
		if (message.type == CR_MSG_PMI)
			break;
		cr_message_close_fds(fds);
	}
	instead = fds[0];
	fds[0] = -1;
	cr_message_close_fds(fds);
	return instead;
}

void cr_pmi_redirect(spank_t spank, int agent)
{
	char value[16];
	int fd, instead;

	if (spank_getenv(spank, "PMI_FD", value, sizeof(value)) !=
	    ESPANK_SUCCESS)
		return;
	fd = atoi(value);
	if (fd <= 2 || !is_socket(fd))
		return;
	instead = ask(agent, fd);
	if (instead < 0)
		return;
	dup2(instead, fd);
	close(instead);
}
