/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay_run.h - a real relay, in a process of its own, and its sessions
 *
 * Includes nothing of cmocka.h: that comes before, with what it needs.
 */
#ifndef RELAY_RUN_H
#define RELAY_RUN_H

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "message.h"
#include "relay.h"

#define PATIENCE_MS 5000
#define QUIET_MS 150 /* for what shall not come */

struct relay_run {
	int control; /* as the agent has it */
	pid_t pid;
};

/* @listener is the relay's from now on. */
static inline void relay_start(struct relay_run *run, int listener,
			       uint16_t server_port)
{
	int pair[2];

	assert_int_equal(cr_message_pair(pair), 0);
	run->control = pair[0];
	run->pid = fork();
	if (run->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		relay_run(pair[1], listener, server_port);
	}
	close(pair[1]);
	close(listener);
}

/* Without an agent and without connections it ends. */
static inline void relay_await_end(const struct relay_run *run)
{
	int status;

	close(run->control);
	assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
	assert_int_equal(status, 0);
}

static inline int relay_open_session(const struct relay_run *run)
{
	struct cr_message message = { .type = CR_MSG_RELAY_SESSION };
	int pair[2];

	assert_int_equal(cr_message_pair(pair), 0);
	assert_int_equal(cr_message_send(run->control, &message, &pair[1], 1),
			 0);
	close(pair[1]);
	return pair[0];
}

/* Returns the answer's value; *@message is the answer, *@fdp its descriptor. */
static inline int relay_call(int session, struct cr_message *message, int fd,
			     int *fdp)
{
	int fds[CR_MESSAGE_FDS_MAX];

	assert_int_equal(cr_message_send(session, message, &fd, fd >= 0), 0);
	assert_int_equal(cr_message_receive(session, message, fds, PATIENCE_MS),
			 0);
	assert_int_equal(message->type, CR_MSG_RELAY_DONE);
	if (fdp) {
		*fdp = fds[0];
		fds[0] = -1;
	}
	cr_message_close_fds(fds);
	return message->value;
}

static inline void relay_tell(int session, enum cr_message_type type)
{
	struct cr_message message = { .type = type };

	assert_int_equal(relay_call(session, &message, -1, NULL), 0);
}

static inline void set_timeout(int fd, int ms)
{
	struct timeval time = { ms / 1000, ms % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
}

static inline void gets_nothing(int fd)
{
	char byte;

	set_timeout(fd, QUIET_MS);
	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	set_timeout(fd, PATIENCE_MS);
}

static inline void gets_end(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

#endif /* RELAY_RUN_H */
