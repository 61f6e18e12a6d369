/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shepherd.c - stand in for a rank; see shepherd.h
 *
 * Runs in a fork of slurmstepd that never executes another program: so it
 * allocates nothing, keeps all signals blocked and reads them from a
 * descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "message.h"
#include "shepherd_program.h"
#include "shepherd_state.h"

#define VERDICT_TIMEOUT_MS 120000 /* for the agent, after the program died */
/* Slurm sends SIGCONT with each SIGTERM.  A program that is saved shall see
 * neither: SIGCONT is passed on when none has followed in this time. */
#define CONT_DELAY_MS 200

/* Tell the agent; if it is not there any more we go on alone. */
void cr_shepherd_tell_agent(struct cr_shepherd *shepherd, int type, int pid,
			    int value)
{
	struct cr_message message = { .type = (uint32_t)type,
				      .rank = shepherd->rank,
				      .local = shepherd->local,
				      .pid = pid,
				      .value = value };

	if (shepherd->agent >= 0 &&
	    cr_message_send(shepherd->agent, &message, NULL, 0)) {
		close(shepherd->agent);
		shepherd->agent = -1;
	}
}

void cr_shepherd_send_signal(const struct cr_shepherd_state *state, int signal)
{
	if (state->program_fd >= 0)
		syscall(SYS_pidfd_send_signal, state->program_fd, signal, NULL,
			0);
}

static void tell_started(const struct cr_shepherd_state *state, pid_t pid)
{
	const struct cr_shepherd *shepherd = state->shepherd;
	const struct cr_message message = { .type = CR_MSG_STARTED,
					    .rank = shepherd->rank,
					    .local = shepherd->local,
					    .pid = pid };

	/* if the agent has died we will hear it from the socket */
	if (shepherd->agent >= 0)
		cr_message_send(shepherd->agent, &message,
				&state->input.counter_fd,
				state->input.counter_fd >= 0);
}

/* Fork the program.  Returns 1 in the child, 0 here. */
static int start_program(struct cr_shepherd_state *state, const sigset_t *mask)
{
	int has_terminal = cr_shepherd_give_up_terminal();
	pid_t pid = fork();

	if (pid == 0) {
		cr_shepherd_become_program(state->shepherd, mask, has_terminal);
		return 1;
	}
	if (pid < 0) {
		cr_shepherd_say(state->shepherd, "cannot fork the program: %s",
				strerror(errno));
		_exit(1);
	}
	state->program = pid;
	state->program_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	state->phase = CR_SHEPHERD_RUNNING;
	tell_started(state, pid);
	return 0;
}

/* Keep the streams and what the loop needs, nothing else of slurmstepd's. */
void cr_shepherd_close_others(struct cr_shepherd_state *state)
{
	struct cr_shepherd *shepherd = state->shepherd;
	int *const keep[] = { &shepherd->agent,	  &shepherd->lifeline,
			      &state->signals,	  &state->status,
			      &state->program_fd, &state->input.source,
			      &state->input.sink };
	const int nr = (int)(sizeof(keep) / sizeof(*keep));
	int fd = 3 + nr;

	/* first out of the way, then down to 3, 4, ... */
	for (int i = 0; i < nr; i++)
		if (*keep[i] >= 0)
			*keep[i] = fcntl(*keep[i], F_DUPFD_CLOEXEC, fd);
	for (int i = 0; i < nr; i++)
		if (*keep[i] >= 0)
			*keep[i] = dup3(*keep[i], 3 + i, O_CLOEXEC);
	for (int i = 0; i < nr; i++)
		if (*keep[i] < 0)
			close(3 + i);
	close_range((unsigned int)fd, ~0U, 0);
}

/* The program has been saved and ended: stay a while, so that the job is being
 * requeued before anybody sees us end. */
static void __attribute__((noreturn)) end_saved(int linger_ms)
{
	poll(NULL, 0, linger_ms);
	cr_shepherd_end_like(SIGTERM);
}

/* What was held back is due now. */
static void pass_on_cont(struct cr_shepherd_state *state)
{
	if (state->has_cont)
		cr_shepherd_send_signal(state, SIGCONT);
	state->has_cont = state->has_term = 0;
}

static void handle_message(struct cr_shepherd_state *state,
			   const struct cr_message *message)
{
	switch (message->type) {
	case CR_MSG_FORWARD:
		pass_on_cont(state);
		cr_shepherd_send_signal(state, message->value);
		break;
	case CR_MSG_SAVING:
		state->phase = CR_SHEPHERD_SAVING;
		break;
	case CR_MSG_NOT_SAVED:
		state->phase = CR_SHEPHERD_RUNNING;
		break;
	case CR_MSG_SAVED:
		end_saved(message->value);
	case CR_MSG_TEXT:
		cr_shepherd_pass_on(message->text);
		break;
	default:
		break;
	}
}

/* One message of the agent.  Returns its type, 0 if the agent has gone. */
uint32_t cr_shepherd_hear_agent(struct cr_shepherd_state *state, int timeout_ms)
{
	struct cr_shepherd *shepherd = state->shepherd;
	struct cr_message message;
	int rc;

	rc = cr_message_receive(shepherd->agent, &message, NULL, timeout_ms);
	if (rc == -EBADMSG)
		return CR_NR_MESSAGES;
	if (rc) {
		close(shepherd->agent);
		shepherd->agent = -1;
		if (state->phase == CR_SHEPHERD_SAVING)
			state->phase = CR_SHEPHERD_RUNNING;
		return 0;
	}
	handle_message(state, &message);
	return message.type;
}

/* What the agent has said before; it may be why we end. */
static void hear_rest(struct cr_shepherd_state *state)
{
	struct pollfd pollfd = { .fd = state->shepherd->agent,
				 .events = POLLIN };

	while (state->shepherd->agent >= 0 && poll(&pollfd, 1, 0) > 0)
		cr_shepherd_hear_agent(state, 0);
}

/* The program has ended with @status.  If that was the agent's doing we will
 * hear about it, and end_saved() does not return. */
void __attribute__((noreturn))
cr_shepherd_program_ended(struct cr_shepherd_state *state, int status)
{
	hear_rest(state);
	while (state->phase == CR_SHEPHERD_SAVING &&
	       state->shepherd->agent >= 0)
		cr_shepherd_hear_agent(state, VERDICT_TIMEOUT_MS);
	cr_shepherd_tell_agent(state->shepherd, CR_MSG_EXITED, 0, status);
	cr_shepherd_end_like(status);
}

/* Returns the program's status if it is ours and has ended, else -1. */
static void reap(struct cr_shepherd_state *state)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == state->program)
			cr_shepherd_program_ended(state, status);
}

static void handle_signal(struct cr_shepherd_state *state)
{
	struct signalfd_siginfo info;

	if (read(state->signals, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGCHLD:
		reap(state);
		break;
	case SIGTERM:
		state->has_term = 1;
		cr_shepherd_tell_agent(state->shepherd, CR_MSG_SIGNAL, 0,
				       SIGTERM);
		if (state->shepherd->agent >= 0)
			break;
		pass_on_cont(state);
		cr_shepherd_send_signal(state, SIGTERM);
		break;
	case SIGCONT:
		cr_shepherd_tell_agent(state->shepherd, CR_MSG_SIGNAL, 0,
				       SIGCONT);
		state->has_cont = 1;
		if (state->is_suspended)
			pass_on_cont(state);
		state->is_suspended = 0;
		break;
	case SIGTSTP:
		cr_shepherd_tell_agent(state->shepherd, CR_MSG_SIGNAL, 0,
				       SIGTSTP);
		state->is_suspended = 1;
		__attribute__((fallthrough));
	default:
		cr_shepherd_send_signal(state, (int)info.ssi_signo);
	}
}

static void __attribute__((noreturn)) watch(struct cr_shepherd_state *state)
{
	prctl(PR_SET_NAME, "cr-shepherd");
	for (;;) {
		struct pollfd pollfds[] = {
			{ .fd = state->signals, .events = POLLIN },
			{ .fd = state->shepherd->agent, .events = POLLIN },
			{ .fd = state->status, .events = POLLIN },
			{ .fd = -1 }, /* input, both sides */
			{ .fd = -1 },
		};
		int is_held = state->has_cont && !state->has_term;
		int n;

		cr_input_poll(&state->input, &pollfds[3]);
		n = poll(pollfds, 5, is_held ? CONT_DELAY_MS : -1);
		if (n < 0)
			continue;
		if (n == 0)
			pass_on_cont(state);
		if (pollfds[1].revents)
			cr_shepherd_hear_agent(state, 0);
		if (pollfds[2].revents)
			cr_shepherd_hear_restarter(state);
		if (pollfds[0].revents)
			handle_signal(state);
		if (pollfds[3].revents || pollfds[4].revents)
			cr_input_relay(&state->input);
	}
}

int cr_shepherd_run(struct cr_shepherd *shepherd, struct cr_error *err)
{
	static struct cr_shepherd_state state = { .phase = CR_SHEPHERD_WAITING,
						  .status = -1,
						  .program_fd = -1 };
	sigset_t all, mask;

	state.shepherd = shepherd;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &mask);
	state.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (state.signals < 0)
		return cr_error_errno(err, "signalfd");
	cr_input_open(&state.input);
	if (!shepherd->is_restart || cr_shepherd_await_restart(&state)) {
		if (start_program(&state, &mask))
			return 0;
		cr_shepherd_close_others(&state);
	}
	watch(&state);
}
