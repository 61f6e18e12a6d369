/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_rank.c - the agent's side of its shepherds
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "agent_hold.h"
#include "agent_peers.h"
#include "ranks.h"

void agent_tell_ranks(struct agent *agent, enum cr_message_type type, int value)
{
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		if (agent->ranks[i].socket >= 0)
			cr_message_tell(agent->ranks[i].socket, type, value);
}

int agent_is_speaker(const struct agent *agent)
{
	return !agent->member || agent->member->is_speaker;
}

/* While it waits for its restart: its shepherd may just have been killed. */
static int write_stderr(const struct agent_rank *rank, const char *text)
{
	struct pollfd pollfd = { .fd = rank->streams[2], .events = POLLOUT };

	return poll(&pollfd, 1, 0) == 1 && (pollfd.revents & POLLOUT) &&
	       dprintf(pollfd.fd, "spank_cr: %s\n", text) > 0;
}

void agent_say(struct agent *agent, const char *fmt, ...)
{
	struct cr_message message = { .type = CR_MSG_TEXT };
	char text[CR_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	cr_error_one_line(text);
	agent_log(agent, LOG_ERR, "%s", text);
	snprintf(message.text, sizeof(message.text), "step %.32s: %.460s",
		 agent->step->name, text);
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		if (write_stderr(&agent->ranks[i], message.text) ||
		    (agent->ranks[i].socket >= 0 &&
		     !cr_message_send(agent->ranks[i].socket, &message, NULL,
				      0)))
			return;
}

int agent_ranks_all_begun(const struct agent *agent)
{
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		if (!agent->ranks[i].program && !agent->ranks[i].has_ended)
			return 0;
	return 1;
}

int agent_ranks_all_over(const struct agent *agent)
{
	if (agent->phase == AGENT_SAVED)
		return 1;
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		if (!agent->ranks[i].has_ended)
			return 0;
	return 1;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

char *agent_ranks_print(const struct agent *agent)
{
	uint32_t nr = agent->step->nr_local_ranks;
	uint32_t *ranks = calloc(nr, sizeof(*ranks));
	char *text;

	if (!ranks)
		return NULL;
	for (uint32_t i = 0; i < nr; i++)
		ranks[i] = agent->ranks[i].rank;
	qsort(ranks, nr, sizeof(*ranks), compare);
	text = cr_ranks_print(ranks, nr);
	free(ranks);
	return text;
}

void agent_ranks_cpus(const struct agent *agent, cpu_set_t *cpus)
{
	cpu_set_t of_rank;

	CPU_ZERO(cpus);
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		if (agent->ranks[i].socket >= 0 &&
		    sched_getaffinity(agent->ranks[i].shepherd, sizeof(of_rank),
				      &of_rank) == 0)
			CPU_OR(cpus, cpus, &of_rank);
	if (!CPU_COUNT(cpus))
		sched_getaffinity(0, sizeof(*cpus), cpus);
}

int agent_ranks_all_ready(const struct agent *agent)
{
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		if (!agent->ranks[i].is_ready)
			return 0;
	return 1;
}

/* True if process @pid is a child of @parent: a shepherd cannot name others. */
static int is_child(pid_t pid, pid_t parent)
{
	char path[64], line[512];
	const char *after;
	int ppid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file) && (after = strrchr(line, ')')) &&
	    sscanf(after + 1, " %*c %d", &ppid) != 1)
		ppid = 0;
	fclose(file);
	return ppid == parent;
}

static void take_counter(struct agent_rank *rank, int *fd)
{
	if (rank->counter_fd >= 0)
		close(rank->counter_fd);
	rank->counter_fd = *fd;
	*fd = -1;
}

static void run_if_all_begun(struct agent *agent)
{
	if (agent->phase != AGENT_GATHERING || !agent_ranks_all_begun(agent))
		return;
	agent->phase = AGENT_RUNNING;
	agent_status_write(agent);
	/* it came while they waited to be restarted */
	if (agent->has_term)
		agent_handle_term(agent);
}

static void begun(struct agent_rank *rank, pid_t program)
{
	struct agent *agent = rank->agent;

	agent_hold("begun", NULL);
	if (!is_child(program, rank->shepherd)) {
		/* one that was over at once has gone: EXITED follows */
		if (kill(program, 0) == 0)
			agent_log(agent, LOG_WARNING,
				  "rank %u: pid %d is not its program",
				  rank->rank, program);
		return;
	}
	rank->program = program;
	run_if_all_begun(agent);
	if (agent->refused.code && agent_is_speaker(agent)) {
		agent_say(agent,
			  "no checkpoint can be restarted (%s): the "
			  "program begins anew",
			  agent->refused.text);
		agent->refused.code = 0;
	}
}

static void ended(struct agent_rank *rank, int status)
{
	rank->has_ended = 1;
	rank->status = status;
	rank->program = 0;
	if (!rank->agent->is_restart)
		run_if_all_begun(rank->agent);
}

static void ready(struct agent_rank *rank, int *fds)
{
	struct agent *agent = rank->agent;

	if (agent->phase == AGENT_SAVED) /* the restart has been given up */
		cr_message_tell(rank->socket, CR_MSG_SAVED, 0);
	if (agent->phase != AGENT_GATHERING || rank->is_ready)
		return;
	memcpy(rank->streams, fds, sizeof(rank->streams));
	rank->status_socket = fds[3];
	take_counter(rank, &fds[4]);
	cr_message_no_fds(fds);
	rank->is_ready = 1;
	if (agent_ranks_all_ready(agent))
		agent_restart(agent);
}

static void got_signal(struct agent *agent, int signal)
{
	if (signal == SIGTSTP)
		agent->is_suspended = 1;
	else if (signal == SIGCONT)
		agent->is_suspended = 0;
	else if (signal == SIGTERM)
		agent_handle_term(agent);
}

/* The shepherd's socket has ended: so has the shepherd. */
static void gone(struct agent_rank *rank)
{
	struct agent *agent = rank->agent;

	event_free(rank->event);
	rank->event = NULL;
	close(rank->socket);
	rank->socket = -1;
	if (rank->has_ended || agent->phase == AGENT_SAVED)
		return;
	agent_log(agent, LOG_NOTICE,
		  "the shepherd of rank %u was killed%s: its program ends",
		  rank->rank, agent->is_suspended ? " while suspended" : "");
	agent_save_cut_short(agent);
	rank->has_ended = 1;
	rank->status = SIGKILL;
	if (rank->program)
		kill(rank->program, SIGKILL);
	/* ranks that wait for a restart with us would wait for ever */
	if (agent->phase == AGENT_GATHERING && agent->is_restart &&
	    !agent_lead_cut_short(agent))
		event_base_loopbreak(agent->base);
}

static void handle(struct agent_rank *rank, const struct cr_message *message,
		   int *fds)
{
	switch (message->type) {
	case CR_MSG_STARTED:
		take_counter(rank, &fds[0]);
		begun(rank, message->pid);
		break;
	case CR_MSG_READY:
		ready(rank, fds);
		break;
	case CR_MSG_PMIX:
		agent_relay_ask(rank, message);
		break;
	case CR_MSG_PMI:
		agent_relay_take(rank, fds[0]);
		break;
	case CR_MSG_SIGNAL:
		got_signal(rank->agent, message->value);
		break;
	case CR_MSG_EXITED:
		ended(rank, message->value);
		break;
	default:
		break;
	}
}

static void readable(evutil_socket_t fd, short what, void *arg)
{
	int fds[CR_MESSAGE_FDS_MAX];
	struct agent_rank *rank = arg;
	struct cr_message message;
	int rc;

	(void)what;
	rc = cr_message_hear((int)fd, &message, fds);
	if (rc < 0)
		gone(rank);
	if (rc <= 0)
		return;
	handle(rank, &message, fds);
	cr_message_close_fds(fds);
}

/* Where in ->ranks it belongs; NULL: another agent has it, or nobody. */
static struct agent_rank *place_of(struct agent *agent,
				   const struct cr_message *hello)
{
	const uint32_t nr = agent->step->nr_local_ranks;
	const uint32_t *found;

	if (!agent->group_ranks)
		return hello->local < nr ? &agent->ranks[hello->local] : NULL;
	found = bsearch(&hello->rank, agent->group_ranks, nr, sizeof(*found),
			compare);
	return found ? &agent->ranks[found - agent->group_ranks] : NULL;
}

static void refuse(int socket, const struct cr_message *hello)
{
	struct cr_message message = { .type = CR_MSG_ENTER, .value = -EXDEV };

	snprintf(message.text, sizeof(message.text),
		 "no agent of this node has rank %u", hello->rank);
	if (socket < 0)
		return;
	cr_message_send(socket, &message, NULL, 0);
	close(socket);
}

static void answer(struct agent *agent, int socket)
{
	struct cr_message message = { .type = CR_MSG_ENTER };
	const int fds[] = { agent->keeper.init_fd, agent->keeper.lifeline };

	message.value = agent->is_restart ? CR_ENTER_RESTART : CR_ENTER_START;
	cr_message_send(socket, &message, fds, 2);
}

void agent_rank_hello(struct agent *agent, const struct cr_message *hello,
		      int socket)
{
	struct agent_rank *rank = place_of(agent, hello);

	if (socket < 0 || !rank || rank->socket >= 0) {
		if (rank || !agent->group_ranks)
			agent_log(agent, LOG_ERR,
				  "a rank that we do not expect: %u",
				  hello->rank);
		refuse(socket, hello);
		return;
	}
	rank->rank = hello->rank;
	rank->local = (uint32_t)(rank - agent->ranks);
	rank->shepherd = hello->pid;
	rank->socket = socket;
	rank->event = event_new(agent->base, socket, EV_READ | EV_PERSIST,
				readable, rank);
	event_add(rank->event, NULL);
	answer(agent, socket);
}
