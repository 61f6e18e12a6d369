/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_restarter.c - the worker that restarts the trees of this node
 *
 * It enters the namespaces, restarts the trees with the shepherds' streams and
 * cgroups, and stays as parent of their roots: it tells each shepherd how its
 * program ends, also when the agent has died meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent_hold.h"
#include "agent_peers.h"
#include "agent_sync.h"
#include "cr_restart.h"
#include "manifest.h"

const struct cr_manifest_ended *
agent_restarter_find_ended(const struct agent *agent, uint32_t rank)
{
	for (size_t i = 0; i < agent->manifest->nr_ended; i++)
		if (agent->manifest->ended[i].rank == rank)
			return &agent->manifest->ended[i];
	return NULL;
}

static size_t fill_roots(const struct agent *agent,
			 struct cr_restart_root *roots)
{
	size_t nr = 0;

	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++) {
		const struct agent_rank *rank = &agent->ranks[i];

		if (agent_restarter_find_ended(agent, rank->rank))
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

void agent_restarter_close_streams(struct agent *agent)
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
	int rc = agent_hold("restored", err);

	(void)arg;
	return rc ? rc : agent_sync_pass(CR_BARRIER_GATE, 0, err);
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
	options.user = agent->step->uid;
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
		rc = agent_image_verify(agent, err);
	if (!rc)
		rc = cr_restart(agent->image, &options, restarted, err);
	free(roots);
	return rc;
}

/* Is not even that here with which the step would begin anew? */
static int is_program_gone(const struct cr_step *step)
{
	char path[CR_STEP_COMMAND_MAX];

	snprintf(path, sizeof(path), "%.*s", (int)step->program_length,
		 step->command);
	return *path == '/' && access(path, F_OK) < 0 &&
	       (errno == ENOENT || errno == ENOTDIR);
}

/* Another node may have it, or have it again by the next time. */
static void explain(const struct agent *agent, struct cr_error *err)
{
	if (err->code != -ESTALE || !is_program_gone(agent->step))
		return;
	err->code = -ENOEXEC;
	cr_error_prefix(err, "the step's program is not on this node");
}

void agent_restarter_work(struct agent *agent, struct agent_result *result)
{
	struct cr_restart_result restarted = { 0 };
	pid_t *pids;

	if (restart(agent, &restarted, &result->err)) {
		explain(agent, &result->err);
		return;
	}
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
	result->digest_us = agent->digest_us;
	agent_worker_report(result, pids);
	agent_restarter_close_streams(agent);
	agent_image_close(agent);
	supervise(agent, pids);
}
