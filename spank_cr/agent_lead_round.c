/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_lead_round.c - what the lead does for a checkpoint
 *
 * What takes long is in workers: agent_commit.c.
 */
#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "agent_lead.h"
#include "generation.h"
#include "manifest.h"

#define WORKER_MS 120000
#define FORWARD_MS 5000 /* SIGTERMs of one volley come in this time */

static void prepared(struct agent *agent, const struct agent_result *result)
{
	agent->lead->preparer = NULL;
	if (result->err.code) {
		agent->lead->why = result->err;
		agent_lead_event(agent, CR_LEAD_EV_FAILED);
		return;
	}
	agent->lead->generation = result->generation;
	agent_lead_event(agent, CR_LEAD_EV_PREPARED);
}

void agent_lead_prepare(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;

	memset(&lead->why, 0, sizeof(lead->why));
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++) {
		lead->peers[i].is_ordered = 0;
		lead->peers[i].image_size = 0;
	}
	lead->round++;
	lead->nr_ends = 0;
	lead->generation = 0;
	lead->preparer =
		agent_worker_start(agent, "cr-prepare", agent_commit_prepare,
				   prepared, WORKER_MS, &agent->step_dirfd, 1,
				   &lead->why);
	if (!lead->preparer)
		agent_lead_event(agent, CR_LEAD_EV_FAILED);
}

void agent_lead_order(struct agent *agent)
{
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++)
		if (agent->lead->peers[i].state == AGENT_PEER_PRESENT)
			agent_lead_send_order(agent, i);
}

/* Whatever has become of the worker: the manifest tells, or is forbidden. */
static int is_committed(struct agent *agent, const struct agent_result *result)
{
	int dirfd, rc;

	if (result->generation)
		return 1;
	dirfd = cr_generation_open(agent->step_dirfd, agent->lead->generation,
				   NULL);
	if (dirfd < 0)
		return 0;
	rc = cr_manifest_forbid(dirfd, NULL);
	close(dirfd);
	return rc == -EEXIST;
}

static void committed(struct agent *agent, const struct agent_result *result)
{
	struct agent_lead *lead = agent->lead;

	lead->committer = NULL;
	if (!is_committed(agent, result)) {
		lead->why = result->err;
		agent_lead_event(agent, CR_LEAD_EV_NOT_COMMITTED);
		return;
	}
	if (result->err.code)
		agent_log(agent, LOG_WARNING, "old checkpoints: %s",
			  result->err.text);
	agent_lead_event(agent, CR_LEAD_EV_COMMITTED);
}

static void matched(struct agent *agent, const struct agent_result *result)
{
	agent->lead->matcher = NULL;
	agent->lead->why = result->err;
	agent_lead_event(agent, result->err.code ? CR_LEAD_EV_FAILED :
						   CR_LEAD_EV_MATCHED);
}

/* Nothing to match costs nothing. */
void agent_lead_match(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;

	if (!lead->nr_ends || agent->config->tcp_close) {
		agent_lead_event(agent, CR_LEAD_EV_MATCHED);
		return;
	}
	lead->matcher =
		agent_worker_start(agent, "cr-match", agent_commit_match,
				   matched, WORKER_MS, &agent->step_dirfd, 1,
				   &lead->why);
	if (!lead->matcher)
		agent_lead_event(agent, CR_LEAD_EV_FAILED);
}

void agent_lead_commit(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;

	memset(&lead->why, 0, sizeof(lead->why));
	lead->committer =
		agent_worker_start(agent, "cr-commit", agent_commit, committed,
				   0, &agent->step_dirfd, 1, &lead->why);
	if (!lead->committer)
		agent_lead_event(agent, CR_LEAD_EV_NOT_COMMITTED);
}

void agent_lead_abort_round(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;

	agent_worker_cancel(lead->preparer);
	agent_worker_cancel(lead->matcher);
	lead->preparer = lead->matcher = NULL;
	agent_log(agent, lead->why.code == -ECANCELED ? LOG_INFO : LOG_ERR,
		  "checkpoint %u of %u nodes failed: %s", lead->generation,
		  agent->step->nr_nodes, lead->why.text);
	agent_lead_send_abort(agent);
	if (lead->is_final)
		lead->forward_until_ms = agent_now_ms() + FORWARD_MS;
}
