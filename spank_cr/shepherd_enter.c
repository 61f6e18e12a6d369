/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shepherd_enter.c - a rank's process enters the step's namespaces
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cr_namespace.h"
#include "message.h"
#include "shepherd.h"

#define ENTER_TIMEOUT_MS 30000

int cr_shepherd_enter(struct cr_shepherd *shepherd, int agent, uint32_t rank,
		      uint32_t local, struct cr_error *err)
{
	struct cr_message message = { .type = CR_MSG_HELLO,
				      .rank = rank,
				      .local = local,
				      .pid = getpid() };
	int fds[CR_MESSAGE_FDS_MAX], pair[2], rc;

	if (!getcwd(shepherd->cwd, sizeof(shepherd->cwd)))
		strcpy(shepherd->cwd, "/");
	rc = cr_message_pair(pair);
	if (rc)
		return cr_error_set(err, rc, "no socket: %s", strerror(-rc));
	rc = cr_message_send(agent, &message, &pair[1], 1);
	close(pair[1]);
	if (!rc)
		rc = cr_message_receive(pair[0], &message, fds,
					ENTER_TIMEOUT_MS);
	if (rc) {
		close(pair[0]);
		return cr_error_set(err, rc, "the agent does not answer: %s",
				    strerror(-rc));
	}
	if (message.type != CR_MSG_ENTER || message.value < 0)
		rc = cr_error_set(err,
				  message.value < 0 ? message.value : -EPROTO,
				  "%s", message.text);
	else
		rc = cr_namespace_enter(fds[0], err);
	shepherd->agent = pair[0];
	shepherd->is_restart = message.value == CR_ENTER_RESTART;
	shepherd->rank = rank;
	shepherd->local = local;
	shepherd->lifeline = fds[1];
	fds[1] = -1;
	cr_message_close_fds(fds);
	return rc;
}
