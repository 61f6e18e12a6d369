/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_park.c - have a script's sruns park, and let them go; see park.h
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "agent.h"
#include "agent_park.h"
#include "agent_peers.h"
#include "claim.h"
#include "generation.h"
#include "park.h"

#define SRUNS_MAX 1024
#define GO_PAUSE_US 20000
#define GO_TRIES 100
#define RELEASE_MS 1000

struct srun {
	pid_t pid;
	int is_asked;
	int is_over; /* its step has ended by itself: it is to end, too */
};

static struct srun *sruns; /* [SRUNS_MAX] */
static size_t nr_sruns;
static int has_asked;
static int is_spoilt; /* one cannot be saved: nor the script */

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
	if (is_known(pid) || is_known((pid_t)status_of(pid, "PPid", 10)))
		return 0;
	if (nr_sruns == SRUNS_MAX)
		return 1;
	sruns[nr_sruns++] = (struct srun){ .pid = pid };
	return 0;
}

static void spoil(const struct agent *agent, const char *why)
{
	agent_log(agent, LOG_INFO, "the script is not saved: %s", why);
	nr_sruns = 0;
	is_spoilt = 1;
}

static void ask(struct srun *srun)
{
	if (srun->is_asked || !agent_clients_is_running(srun->pid))
		return;
	/* it became one just when it was stopped */
	if (agent_clients_is_stopped(srun->pid))
		kill(srun->pid, SIGCONT);
	if (!(status_of(srun->pid, "SigCgt", 16) >> (CR_PARK_SIGNAL - 1) & 1))
		return;
	kill(srun->pid, CR_PARK_SIGNAL);
	srun->is_asked = 1;
}

void agent_park_ask(struct agent *agent)
{
	if (!sruns)
		sruns = calloc(SRUNS_MAX, sizeof(*sruns));
	/* with mpirun's a script is not saved anyway */
	if (!sruns || is_spoilt || agent_clients_any_starter(agent))
		return;
	if (agent_clients_each(agent, note))
		spoil(agent, "too many sruns");
	has_asked |= nr_sruns > 0;
	for (size_t i = 0; i < nr_sruns; i++)
		ask(&sruns[i]);
}

int agent_park_has_asked(void)
{
	return has_asked;
}

/* One may be on its way from running to parked, and not hear it. */
static void release_late(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;

	(void)fd;
	(void)what;
	if (!has_asked)
		agent_clients_signal_parked(agent, CR_PARK_EXIT_SIGNAL);
}

void agent_park_release(struct agent *agent)
{
	const struct timeval pause = { RELEASE_MS / 1000, 0 };

	for (size_t i = 0; i < nr_sruns; i++)
		if (sruns[i].is_asked &&
		    (agent_clients_is_running(sruns[i].pid) ||
		     agent_clients_is_parked(sruns[i].pid)))
			kill(sruns[i].pid, CR_PARK_EXIT_SIGNAL);
	nr_sruns = 0;
	is_spoilt = 0;
	if (!has_asked)
		return;
	has_asked = 0;
	event_base_once(agent->base, -1, EV_TIMEOUT, release_late, agent,
			&pause);
}

void agent_park_give_up(struct agent *agent)
{
	agent_park_release(agent);
	is_spoilt = 1;
}

/* What one that has parked says: the number of its step, or -1, and the exit
 * code that it had. */
static void read_parked(pid_t pid, long long *step, int *code)
{
	char path[64];
	FILE *file;

	*step = -1;
	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	file = fopen(path, "re");
	if (!file)
		return;
	/* it is the first */
	if (fscanf(file, CR_PARK_VARIABLE "=%lld %d", step, code) != 2)
		*step = -1;
	fclose(file);
}

/* Has its step ended by itself? */
static int is_over(struct agent *agent, const struct cr_step *step, int code)
{
	return code == 0 || cr_generation_is_over(agent->dirfd, step);
}

/* Does an agent of it live, for any component of the job? */
static int is_held(const struct agent *agent, struct cr_step *step)
{
	uint32_t component = 0;

	do {
		step->job = agent->step->job + component;
		if (cr_claim_is_held(agent->dirfd, step))
			return 1;
	} while (++component < agent->step->nr_components);
	step->job = agent->step->job;
	return 0;
}

/* Is it not known yet what becomes of it? */
static int is_srun_busy(struct agent *agent, struct srun *srun)
{
	struct cr_step step = *agent->step;
	long long number;
	int code = 0;

	if (srun->is_over)
		return agent_clients_is_parked(srun->pid);
	read_parked(srun->pid, &number, &code);
	if (number < 0)
		return 0;
	step.step = (uint32_t)number;
	if (is_held(agent, &step))
		return 1;
	srun->is_over = is_over(agent, &step, code);
	if (srun->is_over)
		kill(srun->pid, CR_PARK_EXIT_SIGNAL);
	return srun->is_over;
}

int agent_park_is_busy(struct agent *agent)
{
	int is_busy = 0;

	for (size_t i = 0; i < nr_sruns; i++) {
		struct srun *srun = &sruns[i];

		if (agent_clients_is_running(srun->pid)) {
			is_busy = 1;
		} else if (srun->is_over ||
			   agent_clients_is_parked(srun->pid)) {
			is_busy |= is_srun_busy(agent, srun);
		} else {
			spoil(agent, "an srun has ended instead of parking");
			return 0;
		}
	}
	return is_busy;
}

int agent_park_is_done(struct agent *agent)
{
	return nr_sruns > 0 && !agent_park_is_busy(agent) && !is_spoilt &&
	       !agent_clients_any(agent);
}

/*
 * What was stopped when it was saved is again, but perhaps not yet.  A client
 * is if it became one just then; none that runs is told: srun would say so.
 */
static void go_on(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval pause = { 0, GO_PAUSE_US };
	struct agent *agent = arg;
	static int tries;

	(void)fd;
	(void)what;
	if (agent->is_suspended || agent->holds_script)
		return;
	agent_clients_continue_stopped(agent);
	if (++tries < GO_TRIES)
		event_base_once(agent->base, -1, EV_TIMEOUT, go_on, agent,
				&pause);
}

void agent_park_go(struct agent *agent)
{
	/* another program has not been stopped by us */
	if (agent->step->step != CR_STEP_BATCH ||
	    !cr_generation_has_steps(agent->dirfd, agent->step))
		return;
	agent_clients_signal_parked(agent, CR_PARK_GO_SIGNAL);
	go_on(-1, 0, agent);
}
