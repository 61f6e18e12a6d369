/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_restart.c - restart a step's trees from the newest image that works
 *
 * The restarter is a worker that enters the namespaces, restarts the trees
 * with the shepherds' streams and cgroups, and stays as parent of their
 * roots: it tells each shepherd how its program ends, also when the agent has
 * died meanwhile.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "agent_peers.h"
#include "agent_sync.h"
#include "cr_image.h"
#include "cr_restart.h"
#include "generation.h"
#include "manifest.h"

#define RESTART_TIMEOUT_MS (3600u * 1000)
#define STATUS_FAILED (1 << 8) /* as of wait(2): exit code 1 */

static const struct cr_manifest_ended *find_ended(const struct agent *agent,
						  uint32_t rank)
{
	for (size_t i = 0; i < agent->manifest->nr_ended; i++)
		if (agent->manifest->ended[i].rank == rank)
			return &agent->manifest->ended[i];
	return NULL;
}

/* --- in the restarter --- */

static size_t fill_roots(const struct agent *agent,
			 struct cr_restart_root *roots)
{
	size_t nr = 0;

	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++) {
		const struct agent_rank *rank = &agent->ranks[i];

		if (find_ended(agent, rank->rank))
			continue;
		roots[nr].rank = rank->rank;
		memcpy(roots[nr].stream, rank->streams,
		       sizeof(roots[nr].stream));
		roots[nr++].cgroups_of = rank->shepherd;
	}
	return nr;
}

static void tell_shepherd(const struct agent_rank *rank, pid_t pid)
{
	struct cr_message message = { .type = CR_MSG_RESTARTED,
				      .rank = rank->rank,
				      .pid = pid,
				      .count = rank->input_before };
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	cr_message_send(rank->status_socket, &message, &pidfd, pidfd >= 0);
	if (pidfd >= 0)
		close(pidfd);
}

/* Whose program has which pid, by local id. */
static pid_t *sort_pids(const struct agent *agent,
			const struct cr_restart_result *restarted)
{
	pid_t *pids = calloc(agent->step->nr_local_ranks, sizeof(*pids));

	for (uint32_t i = 0; pids && i < agent->step->nr_local_ranks; i++)
		for (size_t j = 0; j < restarted->nr_roots; j++)
			if (restarted->roots[j].rank == agent->ranks[i].rank)
				pids[i] = restarted->roots[j].pid;
	return pids;
}

static void close_streams(struct agent *agent)
{
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		for (int fd = 0; fd < 3; fd++) {
			if (agent->ranks[i].streams[fd] >= 0)
				close(agent->ranks[i].streams[fd]);
			agent->ranks[i].streams[fd] = -1;
		}
}

/* Be the roots' parent until the last has ended. */
static void supervise(struct agent *agent, const pid_t *pids)
{
	struct cr_message message = { .type = CR_MSG_STATUS };
	int status;
	pid_t pid;

	for (;;) {
		pid = waitpid(-1, &status, __WALL);
		if (pid < 0 && errno == ECHILD)
			return;
		for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++) {
			if (pid <= 0 || pids[i] != pid)
				continue;
			message.value = status;
			cr_message_send(agent->ranks[i].status_socket, &message,
					NULL, 0);
		}
	}
}

/* All nodes' trees are to run at once. */
static int at_gate(void *arg, struct cr_error *err)
{
	(void)arg;
	return agent_sync_pass(CR_BARRIER_GATE, 0, err);
}

static int restart(struct agent *agent, struct cr_restart_result *restarted,
		   struct cr_error *err)
{
	struct cr_restart_options options = { 0 };
	struct cr_restart_root *roots;
	cpu_set_t cpus;
	int rc;

	roots = calloc(agent->step->nr_local_ranks, sizeof(*roots));
	if (!roots)
		return cr_error_set(err, -ENOMEM, "no memory");
	options.roots = roots;
	options.nr_roots = fill_roots(agent, roots);
	options.allocation = &cpus;
	agent_ranks_cpus(agent, &cpus);
	options.namespace_fd = agent->restart_keeper.init_fd;
	options.external = agent_external_restart;
	options.external_arg = agent;
	options.at_gate = at_gate;
	rc = agent_tcp_prepare(agent, &options.tcp, err);
	if (agent->member)
		agent_sync_use(agent->member->worker_fd);
	if (!rc)
		rc = cr_restart(agent->image, &options, restarted, err);
	free(roots);
	return rc;
}

static void work(struct agent *agent, struct agent_result *result)
{
	struct cr_restart_result restarted = { 0 };
	pid_t *pids;

	if (restart(agent, &restarted, &result->err))
		return;
	/* what was tried again, and worked, may have left its words */
	result->err = (struct cr_error){ 0 };
	pids = sort_pids(agent, &restarted);
	if (!pids) {
		cr_error_set(&result->err, -ENOMEM, "no memory");
		return;
	}
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		if (pids[i])
			tell_shepherd(&agent->ranks[i], pids[i]);
	/* the relay tells if it cannot; a rank without its server ends */
	agent_relay_tell(agent, CR_MSG_RELAY_GO, NULL);
	agent_relay_close_session(agent);
	result->nr_roots = (uint32_t)restarted.nr_roots;
	agent_worker_report(result, pids);
	close_streams(agent);
	agent_image_close(agent);
	supervise(agent, pids);
}

/* --- in the agent --- */

/* Ranks whose programs had ended before the checkpoint end at once. */
static void end_rank(struct agent_rank *rank, int status)
{
	cr_message_tell(rank->status_socket, CR_MSG_STATUS, status);
}

static void release(struct agent *agent)
{
	close_streams(agent);
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++) {
		if (agent->ranks[i].status_socket >= 0)
			close(agent->ranks[i].status_socket);
		agent->ranks[i].status_socket = -1;
	}
	agent_image_close(agent);
}

static void restarted(struct agent *agent, const struct agent_result *result)
{
	const pid_t *pids = agent_worker_pids(result);
	const struct cr_manifest_ended *ended;

	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++) {
		struct agent_rank *rank = &agent->ranks[i];

		ended = find_ended(agent, rank->rank);
		if (ended)
			end_rank(rank, (int)ended->status);
		else
			rank->program = pids[i];
	}
	if (agent->restart_keeper.init != agent->keeper.init) {
		agent_keeper_release(&agent->keeper);
		agent->keeper = agent->restart_keeper;
	}
	release(agent);
	agent->phase = AGENT_RUNNING;
	agent_status_write(agent);
	agent_log(agent, LOG_INFO, "restarted %u rank trees", result->nr_roots);
	if (agent->refused.code)
		agent_say(agent,
			  "the newest checkpoint could not be restarted (%s): "
			  "an older one was",
			  agent->refused.text);
	agent->refused.code = 0;
}

static void give_up(struct agent *agent, int on_failure)
{
	if (on_failure == CR_ON_FAILURE_FAIL) {
		if (agent_is_speaker(agent))
			agent_say(agent, "no checkpoint can be restarted: %s",
				  agent->refused.text);
		for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
			end_rank(&agent->ranks[i], STATUS_FAILED);
	} else {
		for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
			agent->ranks[i].input_before = 0;
		agent_tell_ranks(agent, CR_MSG_START, 0);
	}
	release(agent);
}

/* Pids and clocks of the first are used up. */
static void renew_keeper(struct agent *agent)
{
	struct cr_error err = { 0 };

	if (agent->restart_keeper.init != agent->keeper.init)
		agent_keeper_release(&agent->restart_keeper);
	if (agent_keeper_start(agent, agent->monotonic_ns, agent->boottime_ns,
			       &agent->restart_keeper, &err)) {
		agent_log(agent, LOG_ERR, "%s", err.text);
		agent->restart_keeper = agent->keeper;
	}
}

static void try_next(struct agent *agent)
{
	if (agent_image_open_next(agent)) {
		give_up(agent, agent->config->on_failure);
		return;
	}
	renew_keeper(agent);
	agent_restart(agent);
}

/* Of several nodes the lead says what comes next. */
static void failed(struct agent *agent, const struct cr_error *why)
{
	struct agent_member *member = agent->member;

	if (member && member->phase != CR_MEMBER_IDLE) {
		member->why = *why;
		agent_member_event(agent, CR_MEMBER_EV_FAILED);
		return;
	}
	if (!agent->refused.code)
		agent->refused = *why;
	if (!member) {
		try_next(agent);
		return;
	}
	/* it had been let go: the others run */
	member->is_speaker = 1;
	give_up(agent, CR_ON_FAILURE_FAIL);
}

static void done(struct agent *agent, const struct agent_result *result)
{
	agent->restarter = NULL;
	agent_sync_close(agent);
	if (!result->err.code && result->nr_roots) {
		restarted(agent, result);
		return;
	}
	agent_log(agent, LOG_ERR, "restart: %s", result->err.text);
	failed(agent, &result->err);
}

static int start(struct agent *agent, int sync_fd, struct cr_error *err)
{
	int keep[4 * CR_STEP_RANKS_MAX + 5];
	size_t nr_keep = 0;

	if (!agent->restart_keeper.init)
		agent->restart_keeper = agent->keeper;
	agent->is_keeper_used = 1;
	agent_streams_restore(agent);
	agent_relay_open_session(agent);
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++) {
		for (int fd = 0; fd < 3; fd++)
			keep[nr_keep++] = agent->ranks[i].streams[fd];
		keep[nr_keep++] = agent->ranks[i].status_socket;
	}
	keep[nr_keep++] = agent->relay.session;
	keep[nr_keep++] = cr_image_fd(agent->image);
	keep[nr_keep++] = agent->restart_keeper.init_fd;
	keep[nr_keep++] = sync_fd;
	/* a keeper that no shepherd knows lives as long as the restarter */
	if (agent->restart_keeper.init != agent->keeper.init)
		keep[nr_keep++] = agent->restart_keeper.lifeline;
	agent->restarter =
		agent_worker_start(agent, "cr-restart", work, done,
				   RESTART_TIMEOUT_MS, keep, nr_keep, err);
	agent_relay_close_session(agent);
	return agent->restarter ? 0 : err->code;
}

int agent_restart_start(struct agent *agent, struct cr_error *err)
{
	return agent_sync_start(agent, start, err);
}

int agent_restart_renew(struct agent *agent, struct cr_error *err)
{
	uint32_t generation = agent->manifest->generation;

	(void)err;
	if (!agent->is_keeper_used && agent->keeper_generation == generation)
		return 0;
	if (agent->image)
		renew_keeper(agent);
	agent->is_keeper_used = 0;
	agent->keeper_generation = generation;
	return 0;
}

void agent_restart_ended(struct agent *agent)
{
	static const struct {
		struct agent_result result;
		pid_t pids[CR_STEP_RANKS_MAX];
	} none;

	restarted(agent, &none.result);
}

void agent_restart_give_up(struct agent *agent, int on_failure)
{
	agent_sync_close(agent);
	give_up(agent, on_failure);
}

void agent_restart(struct agent *agent)
{
	struct cr_error err = { 0 };

	if (agent->member) {
		agent_member_ranks_ready(agent);
		return;
	}
	if (!start(agent, -1, &err))
		return;
	agent_log(agent, LOG_ERR, "%s", err.text);
	if (!agent->refused.code)
		agent->refused = err;
	give_up(agent, agent->config->on_failure);
}

int agent_restart_choose(struct agent *agent, struct cr_error *err)
{
	int rc;

	if (!agent->step->restart_count)
		return 0;
	rc = cr_generation_list(agent->step_dirfd, &agent->candidates,
				&agent->nr_candidates, err);
	if (rc)
		return rc;
	if (!agent->nr_candidates)
		agent_log(agent, LOG_INFO,
			  "the job runs again (restart %u), and there is no "
			  "checkpoint of this step: it begins anew",
			  agent->step->restart_count);
	if (agent->nr_candidates && !agent_image_open_next(agent)) {
		agent->is_restart = 1;
		agent->keeper_generation =
			agent->candidates[agent->next_candidate - 1];
		return 0;
	}
	free(agent->candidates);
	agent->candidates = NULL;
	if (agent->nr_candidates &&
	    agent->config->on_failure == CR_ON_FAILURE_FAIL) {
		*err = agent->refused;
		return cr_error_prefix(err, "no checkpoint can be restarted");
	}
	return 0;
}
