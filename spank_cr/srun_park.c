/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * srun_park.c - srun's side of park.h
 */
#include <dlfcn.h>
#include <signal.h>
#include <slurm/slurm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "park.h"
#include "srun_start.h"

#define GONE "gone on" /* instead of "STEP CODE" */
#define WORD_PAUSE_NS 20000000
#define WORD_TRIES 250 /* 5 s */

static volatile sig_atomic_t order; /* the last that has come, or 0 */
static int64_t step = -1; /* that it has created */

/* --- one that has parked --- */

/* A helper that srun had forked. */
static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static __attribute__((noreturn)) void stay_parked(const char *said)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t orders;
	int code = 1, signal;

	sscanf(said, "%*d %d", &code);
	sigemptyset(&orders);
	sigaddset(&orders, CR_PARK_GO_SIGNAL);
	sigaddset(&orders, CR_PARK_EXIT_SIGNAL);
	/* ask for no order before it can be kept */
	sigprocmask(SIG_BLOCK, &orders, NULL);
	reap();
	prctl(PR_SET_NAME, CR_PARK_NAME);
	do {
		signal = sigwaitinfo(&orders, NULL);
	} while (signal < 0);
	reap();
	if (signal == CR_PARK_EXIT_SIGNAL)
		_exit(code);
	sigaction(CR_PARK_SIGNAL, &ignore, NULL); /* if it came late */
	srun_start_again((char *)CR_PARK_VARIABLE "=" GONE, NULL);
	_exit(127);
}

int cr_park_begin(void)
{
	const char *said = getenv(CR_PARK_VARIABLE);

	if (srun_start_note())
		return 0;
	if (said && strcmp(said, GONE) != 0)
		stay_parked(said);
	srun_start_note_input();
	if (!said)
		return 0;
	unsetenv(CR_PARK_VARIABLE);
	return 1;
}

/* --- one that runs --- */

static void ordered(int signal)
{
	order = signal;
}

static int is_lost(const job_info_msg_t *jobs, uint32_t id)
{
	for (uint32_t i = 0; i < jobs->record_count; i++) {
		const job_info_t *job = &jobs->job_array[i];
		const uint32_t state = job->job_state;

		/* with it come all of its array */
		if (job->job_id == id)
			return state != JOB_RUNNING &&
			       (state & JOB_STATE_BASE) != JOB_CANCELLED;
	}
	return 0;
}

/* Does the job lose its nodes, so that it might be saved? */
static int is_job_lost(void)
{
	const char *job = getenv("SLURM_JOB_ID");
	const uint32_t id = (uint32_t)strtoul(job ? job : "0", NULL, 10);
	job_info_msg_t *jobs = NULL;
	int lost;

	if (!id || slurm_load_job(&jobs, id, 0))
		return 0;
	lost = is_lost(jobs, id);
	slurm_free_job_info_msg(jobs);
	return lost;
}

/* The job loses its nodes, and the agent of its script does not know yet: this
 * srun has failed because of it, or will be said to have. */
static void wait_for_order(void)
{
	const struct timespec pause = { 0, WORD_PAUSE_NS };
	const char *kind = getenv("ENVIRONMENT");

	if (!kind || strcmp(kind, "BATCH") != 0 || !is_job_lost())
		return;
	for (int i = 0; i < WORD_TRIES && !order; i++)
		nanosleep(&pause, NULL);
}

static void park(int code, void *arg)
{
	static char variable[64];
	sigset_t orders;

	(void)arg;
	if (!srun_start_is_ours())
		return;
	if (code && !order)
		wait_for_order();
	if (order != CR_PARK_SIGNAL)
		return;
	/* one that comes from now on is for stay_parked() */
	sigemptyset(&orders);
	sigaddset(&orders, CR_PARK_SIGNAL);
	sigaddset(&orders, CR_PARK_EXIT_SIGNAL);
	snprintf(variable, sizeof(variable), CR_PARK_VARIABLE "=%lld %d",
		 (long long)step, code & 0xff);
	srun_start_put_back();
	srun_start_again(variable, &orders);
}

void cr_park_allow(void)
{
	const struct sigaction action = { .sa_handler = ordered,
					  .sa_flags = SA_RESTART };
	Dl_info info;

	if (!srun_start_can_again() || on_exit(park, NULL) != 0)
		return;
	/* Slurm unloads its plugins before that is called */
	if (!dladdr((void *)park, &info) || !info.dli_fname ||
	    !dlopen(info.dli_fname, RTLD_LAZY | RTLD_NODELETE))
		return;
	/* the agent looks for the first: it comes last */
	sigaction(CR_PARK_EXIT_SIGNAL, &action, NULL);
	sigaction(CR_PARK_SIGNAL, &action, NULL);
}

void cr_park_note_step(uint32_t number)
{
	step = number;
}
