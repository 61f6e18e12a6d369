/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_relay.c - the agent's side of the relay; see relay.h
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "agent.h"
#include "ports.h"
#include "relay.h"

#define ANSWER_TIMEOUT_MS 30000

/* --- starting it --- */

static int listen_on_loopback(uint16_t *portp, struct cr_error *err)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd, port = -1;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		port = cr_ports_bind(fd, (struct sockaddr *)&address,
				     sizeof(address));
	if (port < 0 || listen(fd, SOMAXCONN) < 0) {
		cr_error_errno(err, "PMIx relay: no socket");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*portp = (uint16_t)port;
	return fd;
}

/* It reads what a program sends, and proves to the server that it is of the
 * step's user: as that user. */
static int become_user(const struct cr_step *step)
{
	return setgroups(0, NULL) < 0 ||
			       setresgid(step->gid, step->gid, step->gid) < 0 ||
			       setresuid(step->uid, step->uid, step->uid) < 0 ?
		       -errno :
		       0;
}

static void __attribute__((noreturn))
be_relay(const struct agent *agent, int control, int listener)
{
	const int keep[] = { control, listener };

	agent_close_others(keep, 2);
	prctl(PR_SET_NAME, "cr-pmix");
	if (become_user(agent->step))
		_exit(1);
	/* nobody may trace it for having become the user's */
	prctl(PR_SET_DUMPABLE, 0);
	relay_run(control, listener, agent->relay.server_port);
}

static void relay_gone(struct agent *agent)
{
	/* slurmstepd ends what is left of a step before it tells us */
	if (!agent_ranks_all_over(agent))
		agent_log(agent, LOG_ERR, "the PMIx relay has died");
	event_free(agent->relay.event);
	agent->relay.event = NULL;
	close(agent->relay.control);
	agent->relay.control = -1;
}

static void relay_readable(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	struct cr_message message;
	int rc;

	(void)what;
	rc = cr_message_hear((int)fd, &message, NULL);
	if (rc < 0)
		relay_gone(agent);
	else if (rc > 0 && message.type == CR_MSG_TEXT)
		agent_say(agent, "%s", message.text);
}

static int start(struct agent *agent, struct cr_error *err)
{
	struct agent_relay *relay = &agent->relay;
	int pair[2], listener, rc;
	pid_t pid;

	listener = listen_on_loopback(&relay->port, err);
	if (listener < 0)
		return err->code;
	rc = cr_message_pair(pair);
	if (rc) {
		close(listener);
		return cr_error_set(err, rc, "PMIx relay: no socket");
	}
	pid = fork();
	if (pid == 0)
		be_relay(agent, pair[1], listener);
	close(listener);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return cr_error_errno(err, "PMIx relay: fork");
	}
	relay->control = pair[0];
	relay->event = event_new(agent->base, pair[0], EV_READ | EV_PERSIST,
				 relay_readable, agent);
	event_add(relay->event, NULL);
	return 0;
}

void agent_relay_ask(struct agent_rank *rank, const struct cr_message *message)
{
	struct agent *agent = rank->agent;
	struct agent_relay *relay = &agent->relay;
	struct cr_error err = { 0 };
	int port;

	if (message->value <= 0 || message->value > 65535) {
		cr_error_set(&err, -EINVAL, "PMIx relay: no port %d",
			     message->value);
	} else if (!relay->port) {
		relay->server_port = (uint16_t)message->value;
		if (start(agent, &err))
			relay->port = 0;
	} else if (relay->server_port != message->value) {
		cr_error_set(&err, -EINVAL,
			     "PMIx relay: port %d is not that of the others, "
			     "%u",
			     message->value, relay->server_port);
	}
	if (err.code)
		agent_log(agent, LOG_ERR, "%s", err.text);
	port = err.code ? err.code : relay->port;
	cr_message_tell(rank->socket, CR_MSG_PMIX, port);
}

/* The rank gets one end of a pair, the relay the other one and @fd. */
static int exchange(struct agent_rank *rank, int fd, int *insteadp,
		    struct cr_error *err)
{
	struct agent_relay *relay = &rank->agent->relay;
	struct cr_message message = { .type = CR_MSG_RELAY_PMI,
				      .local = rank->local };
	struct stat st;
	int pair[2], rc;

	if (relay->control < 0)
		return cr_error_set(err, -ENOTCONN, "PMI: there is no relay");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return cr_error_errno(err, "PMI: socketpair");
	if (fstat(pair[0], &st) == 0)
		message.count = st.st_ino;
	rc = cr_message_send(relay->control, &message,
			     (const int[]){ fd, pair[1] }, 2);
	close(pair[1]);
	if (rc) {
		close(pair[0]);
		return cr_error_set(err, rc, "PMI: the relay does not listen");
	}
	*insteadp = pair[0];
	return 0;
}

void agent_relay_take(struct agent_rank *rank, int fd)
{
	struct agent *agent = rank->agent;
	struct agent_relay *relay = &agent->relay;
	struct cr_message answer = { .type = CR_MSG_PMI };
	struct cr_error err = { 0 };
	int instead = -1;

	if (fd < 0)
		cr_error_set(&err, -EINVAL, "PMI: no socket");
	else if (relay->port || !start(agent, &err))
		exchange(rank, fd, &instead, &err);
	else
		relay->port = 0;
	if (err.code)
		agent_log(agent, LOG_ERR, "%s", err.text);
	else
		relay->has_pmi = 1;
	answer.value = err.code;
	cr_message_send(rank->socket, &answer, &instead, instead >= 0);
	if (instead >= 0)
		close(instead);
}

/* --- sessions --- */

void agent_relay_open_session(struct agent *agent)
{
	const struct cr_message message = { .type = CR_MSG_RELAY_SESSION };
	struct agent_relay *relay = &agent->relay;
	int pair[2];

	relay->session = -1;
	if (relay->control < 0 || cr_message_pair(pair))
		return;
	if (cr_message_send(relay->control, &message, &pair[1], 1))
		close(pair[0]);
	else
		relay->session = pair[0];
	close(pair[1]);
}

void agent_relay_close_session(struct agent *agent)
{
	if (agent->relay.session >= 0)
		close(agent->relay.session);
	agent->relay.session = -1;
}

void agent_relay_end(struct agent *agent)
{
	if (agent->relay.control >= 0)
		cr_message_tell(agent->relay.control, CR_MSG_BYE, 0);
}

int agent_relay_call_answer(const struct agent *agent,
			    const struct cr_message *message, int fd,
			    struct cr_message *answer, int *answer_fdp,
			    struct cr_error *err)
{
	int fds[CR_MESSAGE_FDS_MAX];
	int rc;

	rc = cr_message_send(agent->relay.session, message, &fd, fd >= 0);
	if (!rc)
		rc = cr_message_receive(agent->relay.session, answer, fds,
					ANSWER_TIMEOUT_MS);
	if (rc)
		return cr_error_set(err, rc, "the PMIx relay does not answer");
	if (answer->value < 0)
		cr_error_set(err, answer->value, "%s", answer->text);
	if (answer_fdp) {
		*answer_fdp = fds[0];
		fds[0] = -1;
	}
	cr_message_close_fds(fds);
	return answer->value < 0 ? answer->value : 0;
}

int agent_relay_call(const struct agent *agent,
		     const struct cr_message *message, int fd, int *answer_fdp,
		     struct cr_error *err)
{
	struct cr_message answer;

	return agent_relay_call_answer(agent, message, fd, &answer, answer_fdp,
				       err);
}

int agent_relay_tell(const struct agent *agent, enum cr_message_type type,
		     struct cr_error *err)
{
	const struct cr_message message = { .type = type };

	if (agent->relay.session < 0)
		return 0;
	return agent_relay_call(agent, &message, -1, NULL, err);
}
