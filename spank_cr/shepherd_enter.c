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

/* Tell @agent that we are there, and hear what it says to that. */
static int say_hello(struct cr_shepherd *shepherd, int agent,
		     struct cr_message *answer, int *fds, struct cr_error *err)
{
	struct cr_message hello = { .type = CR_MSG_HELLO,
				    .rank = shepherd->rank,
				    .local = shepherd->local,
				    .pid = getpid() };
	int pair[2], rc;

	rc = cr_message_pair(pair);
	if (rc)
		return cr_error_set(err, rc, "no socket: %s", strerror(-rc));
	rc = cr_message_send(agent, &hello, &pair[1], 1);
	close(pair[1]);
	if (!rc)
		rc = cr_message_receive(pair[0], answer, fds, ENTER_TIMEOUT_MS);
	if (rc)
		cr_error_set(err, rc, "the agent does not answer: %s",
			     strerror(-rc));
	else if (answer->type != CR_MSG_ENTER || answer->value < 0)
		rc = cr_error_set(err,
				  answer->value < 0 ? answer->value : -EPROTO,
				  "%s", answer->text);
	if (rc)
		close(pair[0]);
	else
		shepherd->agent = pair[0];
	return rc;
}

int cr_shepherd_enter(struct cr_shepherd *shepherd, const int *agents,
		      size_t nr_agents, uint32_t rank, uint32_t local,
		      struct cr_error *err)
{
	struct cr_message answer = { 0 };
	int fds[CR_MESSAGE_FDS_MAX], rc = -EXDEV;

	if (!getcwd(shepherd->cwd, sizeof(shepherd->cwd)))
		strcpy(shepherd->cwd, "/");
	shepherd->rank = rank;
	shepherd->local = local;
	cr_message_no_fds(fds);
	for (size_t i = 0; i < nr_agents && rc == -EXDEV; i++)
		rc = say_hello(shepherd, agents[i], &answer, fds, err);
	if (rc)
		return rc;
	if (err)
		memset(err, 0, sizeof(*err));
	rc = cr_namespace_enter(fds[0], err);
	shepherd->is_restart = answer.value == CR_ENTER_RESTART;
	shepherd->lifeline = fds[1];
	fds[1] = -1;
	cr_message_close_fds(fds);
	return rc;
}
