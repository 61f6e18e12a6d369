/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_groups.c - a step whose groups of ranks are on other numbers of nodes
 *
 * What was saved on two nodes may be put on one.  Each group stays one: with
 * its own namespaces, in which its pids are free, its own image, and an agent
 * that speaks for it.  All nodes come to the same answer by themselves, from
 * the newest manifest and from what Slurm says of the step.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "agent_hold.h"
#include "agent_peers.h"
#include "claim.h"
#include "layout.h"
#include "manifest.h"

#define ASK_TIMEOUT_MS 8000

static int read_newest(const struct agent *agent, struct cr_manifest *manifest)
{
	int step_dirfd = cr_claim_peek(agent->dirfd, agent->step, NULL);
	int rc;

	if (step_dirfd < 0)
		return step_dirfd;
	rc = cr_claim_newest(step_dirfd, manifest);
	close(step_dirfd);
	return rc;
}

/* What is not of this step, or of another size, is refused later. */
static int is_concerned(struct agent *agent, const struct cr_manifest *manifest)
{
	struct cr_step as_saved = *agent->step;

	as_saved.nr_nodes = manifest->nr_nodes;
	return manifest->nr_nodes != agent->step->nr_nodes &&
	       !cr_manifest_match(manifest, &as_saved, NULL) &&
	       !agent_is_first_run(agent);
}

/* The worker's that asks, and what it says. */
static uint32_t *node_of; /* shared with us: [nr_ranks] */
static struct cr_error layout_error;

static void ask(struct agent *agent, struct agent_result *result)
{
	if (!agent_hold("layout", &result->err))
		agent_slurm_layout(agent, node_of, &result->err);
}

static void asked(struct agent *agent, const struct agent_result *result)
{
	agent->asker = NULL;
	layout_error = result->err;
	if (layout_error.code == -ETIMEDOUT)
		cr_error_set(&layout_error, -ETIMEDOUT,
			     "slurmctld does not say within %d s where the "
			     "ranks are",
			     ASK_TIMEOUT_MS / 1000);
}

/* libslurm may block for minutes, and slurmstepd waits for us. */
static int ask_layout(struct agent *agent, struct cr_error *err)
{
	agent->asker = agent_worker_start(agent, "cr-ask", ask, asked,
					  ASK_TIMEOUT_MS, NULL, 0, err);
	if (!agent->asker)
		return err->code;
	while (agent->asker)
		event_base_loop(agent->base, EVLOOP_ONCE);
	*err = layout_error;
	return err->code;
}

static int find_groups(struct agent *agent, const struct cr_manifest *manifest,
		       struct cr_group **groupsp, size_t *nrp,
		       struct cr_error *err)
{
	const size_t size = (manifest->nr_ranks + 1ul) * sizeof(*node_of);
	int rc;

	node_of = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (node_of == MAP_FAILED)
		return cr_error_set(err, -ENOMEM, "no memory");
	rc = ask_layout(agent, err);
	if (!rc)
		rc = cr_layout_groups(manifest, node_of, agent->step->node,
				      groupsp, nrp, err);
	munmap(node_of, size);
	if (!rc && *nrp > CR_GROUPS_MAX) {
		rc = cr_error_set(err, -E2BIG,
				  "%zu groups of ranks on one node: at most %d",
				  *nrp, CR_GROUPS_MAX);
		cr_groups_free(*groupsp, *nrp);
	}
	return rc;
}

/* From now on the step is one of groups. */
static void become(struct agent *agent, const struct cr_manifest *manifest,
		   struct cr_group *group, size_t nr_here)
{
	agent->step->node = group->node;
	agent->step->nr_nodes = manifest->nr_nodes;
	agent->step->nr_local_ranks = (uint32_t)group->nr_ranks;
	agent->group_ranks = group->ranks;
	group->ranks = NULL;
	agent->nr_groups_here = nr_here;
	/* ranks of one node that begin anew must be in the same namespaces */
	agent->config->on_failure = CR_ON_FAILURE_FAIL;
	agent_log(agent, LOG_INFO,
		  "%u groups of ranks are on other nodes than they were: here "
		  "is that of node %u",
		  manifest->nr_nodes, group->node);
}

static int choose(struct agent *agent, const struct cr_manifest *manifest,
		  struct cr_error *err)
{
	struct cr_error why = { 0 };
	struct cr_group *groups;
	size_t nr;

	if (find_groups(agent, manifest, &groups, &nr, &why)) {
		agent_log(agent, LOG_ERR, "%s", why.text);
		agent->refused = why;
		/* who is silent now may tell the next run */
		if (!agent_retry_without_lead(agent, &why))
			return 0;
		*err = why;
		return err->code;
	}
	if (agent->setup.group >= nr) {
		cr_groups_free(groups, nr);
		return cr_error_set(err, -ERANGE, "a group too many");
	}
	if (nr > 1 && agent->setup.group == 0)
		cr_message_tell(agent->stepd, CR_MSG_GROUPS, (int)nr);
	become(agent, manifest, &groups[agent->setup.group], nr);
	cr_groups_free(groups, nr);
	return 0;
}

int agent_groups_choose(struct agent *agent, struct cr_error *err)
{
	struct cr_manifest manifest;
	int rc = 0;

	if (agent->step->step == CR_STEP_BATCH)
		return 0;
	if (!read_newest(agent, &manifest)) {
		if (is_concerned(agent, &manifest))
			rc = choose(agent, &manifest, err);
		cr_manifest_free(&manifest);
	}
	/* the first has found some */
	if (!rc && agent->setup.group > 0 && !agent->group_ranks)
		rc = cr_error_set(err, -ESTALE,
				  "the checkpoint has changed meanwhile");
	return rc;
}
