/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shepherd_restart.c - a shepherd whose program is restarted, not forked
 *
 * The restarter is that program's parent, and tells how it ends.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "message.h"
#include "shepherd_program.h"
#include "shepherd_state.h"

/* The restarter has something to say, or has died. */
void cr_shepherd_hear_restarter(struct cr_shepherd_state *state)
{
	int fds[CR_MESSAGE_FDS_MAX];
	struct cr_message message;
	int rc;

	rc = cr_message_receive(state->status, &message, fds, -1);
	if (rc && rc != -EBADMSG && state->phase == CR_SHEPHERD_WAITING) {
		/* no restart has worked: the agent will say what to do */
		close(state->status);
		state->status = -1;
		return;
	}
	if (rc && rc != -EBADMSG) {
		cr_shepherd_say(state->shepherd,
				"the restarted program's parent has died: its "
				"exit status is lost");
		cr_shepherd_send_signal(state, SIGKILL);
		cr_shepherd_program_ended(state, SIGKILL);
	}
	if (!rc && message.type == CR_MSG_STATUS)
		cr_shepherd_program_ended(state, message.value);
	if (!rc && message.type == CR_MSG_RESTARTED && fds[0] >= 0 &&
	    state->phase == CR_SHEPHERD_WAITING) {
		state->program_fd = fds[0];
		state->input.discard = message.count;
		state->phase = CR_SHEPHERD_RUNNING;
		fds[0] = -1;
		cr_shepherd_close_others(state);
	}
	cr_message_close_fds(fds);
}

/* Begin anew behind the user's back?  Rather fail; the images remain.  @code is
 * -errno, or 0 if @what says it all. */
static void __attribute__((noreturn))
fail_restart(const struct cr_shepherd *shepherd, const char *what, int code)
{
	cr_shepherd_say(shepherd, "the program is not restarted: %s%s%s", what,
			code ? ": " : "", code ? strerror(-code) : "");
	_exit(1);
}

/* Only the agent can tell what it means; it will say so once the program runs,
 * if it does not end the restart for it.  The others wait. */
static int open_term(void)
{
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	return signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void hear_term(struct cr_shepherd_state *state, int term)
{
	struct signalfd_siginfo info;

	if (read(term, &info, sizeof(info)) != sizeof(info))
		return;
	state->has_term = 1;
	cr_shepherd_tell_agent(state->shepherd, CR_MSG_SIGNAL, 0, SIGTERM);
}

/* Until the program runs, or is to be begun anew. */
static void await_agent(struct cr_shepherd_state *state, int term)
{
	while (state->phase == CR_SHEPHERD_WAITING) {
		struct pollfd pollfds[] = {
			{ .fd = state->status, .events = POLLIN },
			{ .fd = state->shepherd->agent, .events = POLLIN },
			{ .fd = term, .events = POLLIN },
		};

		if (poll(pollfds, 3, -1) < 0)
			continue;
		if (pollfds[2].revents)
			hear_term(state, term);
		if (pollfds[0].revents)
			cr_shepherd_hear_restarter(state);
		else if (pollfds[1].revents &&
			 cr_shepherd_hear_agent(state, 0) == CR_MSG_START)
			break;
		if (state->phase == CR_SHEPHERD_WAITING &&
		    state->shepherd->agent < 0)
			fail_restart(state->shepherd, "the agent has died", 0);
	}
}

/*
 * Hand our streams to the agent and wait for what becomes of it.  Returns
 * true if the program is to be begun anew, false once it runs again.
 */
int cr_shepherd_await_restart(struct cr_shepherd_state *state)
{
	struct cr_message message = { .type = CR_MSG_READY,
				      .rank = state->shepherd->rank,
				      .local = state->shepherd->local,
				      .pid = getpid() };
	int pair[2], fds[CR_MESSAGE_FDS_MAX], term = open_term(), rc;

	rc = cr_message_pair(pair);
	if (rc)
		fail_restart(state->shepherd, "no socket", rc);
	fds[0] = 0;
	fds[1] = 1;
	fds[2] = 2;
	fds[3] = pair[1];
	fds[4] = state->input.counter_fd;
	rc = cr_message_send(state->shepherd->agent, &message, fds,
			     fds[4] >= 0 ? 5 : 4);
	if (rc)
		fail_restart(state->shepherd, "cannot tell the agent", rc);
	close(pair[1]);
	state->status = pair[0];
	await_agent(state, term);
	/* with the program running it is closed with all else */
	if (state->phase == CR_SHEPHERD_RUNNING)
		return 0;
	if (term >= 0)
		close(term);
	if (state->status >= 0)
		close(state->status);
	state->status = -1;
	return 1;
}
