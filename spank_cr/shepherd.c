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

#include "cr_namespace.h"
#include "message.h"
#include "shepherd.h"
#include "shepherd_input.h"
#include "shepherd_program.h"

#define ENTER_TIMEOUT_MS 30000
#define VERDICT_TIMEOUT_MS 120000 /* for the agent, after the program died */
/* Slurm sends SIGCONT with each SIGTERM.  A program that is saved shall see
 * neither: SIGCONT is passed on when none has followed in this time. */
#define CONT_DELAY_MS 200

enum phase {
	WAITING, /* for the restart */
	RUNNING,
	SAVING, /* the agent is about to save and end the program */
};

/* Everything that the loop knows. */
struct flock_state {
	struct cr_shepherd *shepherd;
	enum phase phase;
	int is_suspended; /* SIGTSTP was the last: SIGCONT is meant */
	int has_cont; /* held back */
	int has_term; /* the agent is asked what it means */
	int signals; /* signalfd */
	int status; /* socket of the restarter, or -1 */
	int program_fd; /* pidfd of the rank's program, or -1 */
	pid_t program; /* child, or 0 after a restart */
	struct cr_input input;
};

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

/* Tell the agent; if it is not there any more we go on alone. */
static void tell_agent(struct cr_shepherd *shepherd, int type, int pid,
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

static void send_signal(const struct flock_state *state, int signal)
{
	if (state->program_fd >= 0)
		syscall(SYS_pidfd_send_signal, state->program_fd, signal, NULL,
			0);
}

static void tell_started(const struct flock_state *state, pid_t pid)
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
static int start_program(struct flock_state *state, const sigset_t *mask)
{
	int has_terminal = cr_shepherd_give_up_terminal();
	pid_t pid = fork();

	if (pid == 0) {
		cr_shepherd_become_program(state->shepherd->cwd, mask,
					   has_terminal);
		return 1;
	}
	if (pid < 0) {
		cr_shepherd_say("cannot fork the program");
		_exit(1);
	}
	state->program = pid;
	state->program_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	state->phase = RUNNING;
	tell_started(state, pid);
	return 0;
}

/* Keep the streams and what the loop needs, nothing else of slurmstepd's. */
static void close_others(struct flock_state *state)
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
static void pass_on_cont(struct flock_state *state)
{
	if (state->has_cont)
		send_signal(state, SIGCONT);
	state->has_cont = state->has_term = 0;
}

static void handle_message(struct flock_state *state,
			   const struct cr_message *message)
{
	switch (message->type) {
	case CR_MSG_FORWARD:
		pass_on_cont(state);
		send_signal(state, message->value);
		break;
	case CR_MSG_SAVING:
		state->phase = SAVING;
		break;
	case CR_MSG_NOT_SAVED:
		state->phase = RUNNING;
		break;
	case CR_MSG_SAVED:
		end_saved(message->value);
	case CR_MSG_TEXT:
		cr_shepherd_say(message->text);
		break;
	default:
		break;
	}
}

/* One message of the agent.  Returns its type, 0 if the agent has gone. */
static uint32_t hear_agent(struct flock_state *state, int timeout_ms)
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
		if (state->phase == SAVING)
			state->phase = RUNNING;
		return 0;
	}
	handle_message(state, &message);
	return message.type;
}

/* What the agent has said before; it may be why we end. */
static void hear_rest(struct flock_state *state)
{
	struct pollfd pollfd = { .fd = state->shepherd->agent,
				 .events = POLLIN };

	while (state->shepherd->agent >= 0 && poll(&pollfd, 1, 0) > 0)
		hear_agent(state, 0);
}

/* The program has ended with @status.  If that was the agent's doing we will
 * hear about it, and end_saved() does not return. */
static void __attribute__((noreturn))
program_ended(struct flock_state *state, int status)
{
	hear_rest(state);
	while (state->phase == SAVING && state->shepherd->agent >= 0)
		hear_agent(state, VERDICT_TIMEOUT_MS);
	tell_agent(state->shepherd, CR_MSG_EXITED, 0, status);
	cr_shepherd_end_like(status);
}

/* Returns the program's status if it is ours and has ended, else -1. */
static void reap(struct flock_state *state)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == state->program)
			program_ended(state, status);
}

static void handle_signal(struct flock_state *state)
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
		tell_agent(state->shepherd, CR_MSG_SIGNAL, 0, SIGTERM);
		if (state->shepherd->agent >= 0)
			break;
		pass_on_cont(state);
		send_signal(state, SIGTERM);
		break;
	case SIGCONT:
		tell_agent(state->shepherd, CR_MSG_SIGNAL, 0, SIGCONT);
		state->has_cont = 1;
		if (state->is_suspended)
			pass_on_cont(state);
		state->is_suspended = 0;
		break;
	case SIGTSTP:
		tell_agent(state->shepherd, CR_MSG_SIGNAL, 0, SIGTSTP);
		state->is_suspended = 1;
		__attribute__((fallthrough));
	default:
		send_signal(state, (int)info.ssi_signo);
	}
}

/* The restarter has something to say, or has died. */
static void hear_restarter(struct flock_state *state)
{
	int fds[CR_MESSAGE_FDS_MAX];
	struct cr_message message;
	int rc;

	rc = cr_message_receive(state->status, &message, fds, -1);
	if (rc && rc != -EBADMSG && state->phase == WAITING) {
		/* no restart has worked: the agent will say what to do */
		close(state->status);
		state->status = -1;
		return;
	}
	if (rc && rc != -EBADMSG) {
		cr_shepherd_say(
			"the restarted program's parent has died: its exit status "
			"is lost");
		send_signal(state, SIGKILL);
		program_ended(state, SIGKILL);
	}
	if (!rc && message.type == CR_MSG_STATUS)
		program_ended(state, message.value);
	if (!rc && message.type == CR_MSG_RESTARTED && fds[0] >= 0 &&
	    state->phase == WAITING) {
		state->program_fd = fds[0];
		state->input.discard = message.count;
		state->phase = RUNNING;
		fds[0] = -1;
		close_others(state);
	}
	cr_message_close_fds(fds);
}

static void __attribute__((noreturn)) watch(struct flock_state *state)
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
			hear_agent(state, 0);
		if (pollfds[2].revents)
			hear_restarter(state);
		if (pollfds[0].revents)
			handle_signal(state);
		if (pollfds[3].revents || pollfds[4].revents)
			cr_input_relay(&state->input);
	}
}

/* Begin anew behind the user's back?  Rather fail; the images remain. */
static void __attribute__((noreturn)) fail_restart(void)
{
	cr_shepherd_say("the agent has died before the program was restarted");
	_exit(1);
}

/*
 * Hand our streams to the agent and wait for what becomes of it.  Returns
 * true if the program is to be begun anew, false once it runs again.
 */
static int await_restart(struct flock_state *state)
{
	struct cr_message message = { .type = CR_MSG_READY,
				      .rank = state->shepherd->rank,
				      .local = state->shepherd->local,
				      .pid = getpid() };
	int pair[2], fds[CR_MESSAGE_FDS_MAX];

	if (cr_message_pair(pair))
		fail_restart();
	fds[0] = 0;
	fds[1] = 1;
	fds[2] = 2;
	fds[3] = pair[1];
	fds[4] = state->input.counter_fd;
	if (cr_message_send(state->shepherd->agent, &message, fds,
			    fds[4] >= 0 ? 5 : 4))
		fail_restart();
	close(pair[1]);
	state->status = pair[0];
	while (state->phase == WAITING) {
		struct pollfd pollfds[] = {
			{ .fd = state->status, .events = POLLIN },
			{ .fd = state->shepherd->agent, .events = POLLIN },
		};

		if (poll(pollfds, 2, -1) < 0)
			continue;
		if (pollfds[0].revents)
			hear_restarter(state);
		else if (pollfds[1].revents &&
			 hear_agent(state, 0) == CR_MSG_START)
			break;
		else if (state->shepherd->agent < 0)
			fail_restart();
	}
	if (state->phase == RUNNING)
		return 0;
	if (state->status >= 0)
		close(state->status);
	state->status = -1;
	return 1;
}

int cr_shepherd_run(struct cr_shepherd *shepherd, struct cr_error *err)
{
	static struct flock_state state = { .phase = WAITING,
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
	if (!shepherd->is_restart || await_restart(&state)) {
		if (start_program(&state, &mask))
			return 0;
		close_others(&state);
	}
	watch(&state);
}
