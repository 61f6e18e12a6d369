/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_park.c - have a script's sruns park, and let them go; see park.h
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "agent_park.h"
#include "claim.h"
#include "generation.h"
#include "park.h"

#define SRUNS_MAX 1024
#define GO_PAUSE_US 20000
#define GO_TRIES 100

struct srun {
	pid_t pid;
	int is_over; /* its step has ended by itself: it is to end, too */
};

static struct srun *sruns; /* [SRUNS_MAX] */
static size_t nr_sruns;
static int can_park; /* all of them */
static int has_asked;

/* A field of /proc/PID/status, as a number to @base. */
static uint64_t status_of(pid_t pid, const char *field, int base)
{
	char path[64], line[256];
	uint64_t value = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, field, strlen(field)) &&
		    line[strlen(field)] == ':')
			value = strtoull(line + strlen(field) + 1, NULL, base);
	fclose(file);
	return value;
}

static int is_known(pid_t pid)
{
	for (size_t i = 0; i < nr_sruns; i++)
		if (sruns[i].pid == pid)
			return 1;
	return 0;
}

/* A helper that srun has forked ends with it. */
static int note(pid_t pid)
{
	if (is_known((pid_t)status_of(pid, "PPid", 10)))
		return 0;
	if (nr_sruns == SRUNS_MAX) {
		can_park = 0;
		return 1;
	}
	can_park &= status_of(pid, "SigCgt", 16) >> (CR_PARK_SIGNAL - 1) & 1;
	sruns[nr_sruns++] = (struct srun){ .pid = pid };
	return 0;
}

void agent_park_forget(struct agent *agent)
{
	nr_sruns = 0;
	if (has_asked)
		cr_generation_forget_over(agent->dirfd, agent->step);
	has_asked = 0;
}

void agent_park_note(pid_t root)
{
	if (!sruns)
		sruns = calloc(SRUNS_MAX, sizeof(*sruns));
	can_park = sruns != NULL;
	if (sruns)
		agent_clients_each(root, note);
	/* mpirun is not saved anyway */
	can_park &= !agent_clients_any_starter(root);
}

int agent_park_has_lost(void)
{
	for (size_t i = 0; i < nr_sruns; i++)
		if (!agent_clients_is_running(sruns[i].pid))
			return 1;
	return 0;
}

int agent_park_has_asked(void)
{
	return has_asked;
}

int agent_park_ask(struct agent *agent)
{
	if (!can_park || !nr_sruns || agent_park_has_lost()) {
		nr_sruns = 0;
		return 0;
	}
	cr_generation_ask_over(agent->dirfd, agent->step);
	for (size_t i = 0; i < nr_sruns; i++)
		kill(sruns[i].pid, CR_PARK_SIGNAL);
	return has_asked = 1;
}

/* The number of its step, or -1. */
static int64_t step_of(pid_t pid)
{
	static char words[1 << 20];
	char path[64], *word = words;
	long long number = -1;
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	length = fread(words, 1, sizeof(words) - 1, file);
	words[length] = '\0';
	fclose(file);
	for (; word < words + length; word += strlen(word) + 1)
		if (sscanf(word, CR_PARK_VARIABLE "=%lld", &number) == 1)
			return number;
	return -1;
}

/* Is it not known yet what becomes of it? */
static int is_srun_busy(struct agent *agent, struct srun *srun)
{
	struct cr_step step = *agent->step;
	int64_t number;

	if (srun->is_over)
		return agent_clients_is_parked(srun->pid);
	number = step_of(srun->pid);
	if (number < 0)
		return 0;
	step.step = (uint32_t)number;
	if (cr_claim_is_held(agent->dirfd, &step))
		return 1;
	srun->is_over = cr_generation_is_over(agent->dirfd, &step);
	if (srun->is_over)
		kill(srun->pid, CR_PARK_EXIT_SIGNAL);
	return srun->is_over;
}

int agent_park_is_busy(struct agent *agent)
{
	int is_busy = 0;

	for (size_t i = 0; i < nr_sruns; i++) {
		if (!sruns[i].is_over &&
		    !agent_clients_is_parked(sruns[i].pid)) {
			nr_sruns = 0;
			return 0;
		}
		is_busy |= is_srun_busy(agent, &sruns[i]);
	}
	return is_busy;
}

int agent_park_is_done(struct agent *agent)
{
	const int is_done = nr_sruns > 0 && !agent_park_is_busy(agent);

	return is_done && nr_sruns > 0 &&
	       !agent_clients_any(agent->ranks[0].program);
}

static char state_of(pid_t pid)
{
	char path[64], state = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return state;
	/* a script's name is that of its shell */
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = '?';
	fclose(file);
	return state;
}

/* It was stopped when it was saved, and is again, but perhaps not yet. */
static void go_on(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval pause = { 0, GO_PAUSE_US };
	struct agent *agent = arg;
	const pid_t root = agent->ranks[0].program;
	static int tries;

	(void)fd;
	(void)what;
	if (root > 0 && state_of(root) == 'T')
		agent_clients_signal_others(root, SIGCONT);
	else if (root > 0 && ++tries < GO_TRIES)
		event_base_once(agent->base, -1, EV_TIMEOUT, go_on, agent,
				&pause);
}

void agent_park_go(struct agent *agent)
{
	const pid_t root = agent->ranks[0].program;

	if (agent->step->step != CR_STEP_BATCH || root <= 0)
		return;
	agent_clients_signal_parked(root, CR_PARK_GO_SIGNAL);
	go_on(-1, 0, agent);
}
