/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_member_restart.c - a member's part in a restart
 *
 * The image that the lead has named must be of the same group of ranks as those
 * that Slurm has put here now.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "agent_hold.h"
#include "agent_member.h"
#include "manifest.h"

/* Which node of the saved step had the ranks that are here now? */
static int find_group(const struct agent *agent, struct cr_error *err)
{
	const struct cr_manifest *manifest = agent->manifest;
	const struct cr_manifest_image *was;
	char *ranks = agent_ranks_print(agent);
	int node = -1;

	for (size_t i = 0; ranks && i < manifest->nr_images; i++)
		if (manifest->images[i].ranks &&
		    !strcmp(manifest->images[i].ranks, ranks))
			node = (int)manifest->images[i].node;
	was = cr_manifest_image(manifest, agent->step->node);
	if (node < 0)
		node = cr_error_set(err, -ESTALE,
				    "it has ranks %.120s now, and had ranks "
				    "%.120s when they were saved: another "
				    "layout",
				    ranks ? ranks : "?",
				    was && was->ranks ? was->ranks : "?");
	free(ranks);
	return node;
}

static int open_image(struct agent *agent, struct cr_error *err)
{
	struct agent_member *member = agent->member;
	int rc;

	if (agent_member_is_remote(agent) &&
	    (!agent->manifest || agent->is_keeper_used ||
	     agent->manifest->generation != member->generation)) {
		rc = agent_image_open(agent, member->generation, err);
		if (rc)
			return rc;
	}
	if (!agent->manifest)
		return cr_error_set(err, -ENOENT, "its image is not open");
	return 0;
}

/* Ranks are there, and an image has been named: does it fit? */
static int make_ready(struct agent *agent, struct cr_error *err)
{
	struct agent_member *member = agent->member;
	int node, rc;

	/* a lead that is held could not be met by the others */
	if (agent_member_is_remote(agent))
		agent_hold("join", NULL);
	rc = open_image(agent, err);
	if (rc)
		return rc;
	node = find_group(agent, err);
	if (node < 0)
		return node;
	if ((uint32_t)node != agent->image_node) {
		agent_log(agent, LOG_INFO,
			  "our ranks were on node %d when they were saved",
			  node);
		agent->image_node = (uint32_t)node;
		agent->is_keeper_used = 1;
		rc = agent_image_open(agent, member->generation, err);
	}
	if (!rc)
		rc = agent_restart_renew(agent, err);
	if (!rc)
		rc = agent_tcp_tell_moves(agent, err);
	return rc;
}

void agent_member_get_ready(struct agent *agent)
{
	struct agent_member *member = agent->member;

	if (member->phase != CR_MEMBER_JOINING || !agent_ranks_all_ready(agent))
		return;
	memset(&member->why, 0, sizeof(member->why));
	agent_member_event(agent, make_ready(agent, &member->why) ?
					  CR_MEMBER_EV_FAILED :
					  CR_MEMBER_EV_ARRIVED);
}

void agent_member_give_up(struct agent *agent)
{
	struct agent_member *member = agent->member;

	member->has_given_up = 1;
	agent->refused = member->why;
	agent_worker_cancel(agent->restarter);
	agent->restarter = NULL;
	if (agent_ranks_all_ready(agent))
		agent_restart_give_up(agent, member->on_failure);
}

void agent_member_ranks_ready(struct agent *agent)
{
	if (agent->member->has_given_up)
		agent_restart_give_up(agent, agent->member->on_failure);
	else
		agent_member_get_ready(agent);
}

void agent_member_start_restart(struct agent *agent)
{
	struct agent_member *member = agent->member;

	if (agent->image_fd < 0)
		agent_member_event(agent, CR_MEMBER_EV_ARRIVED);
	else if (agent_restart_start(agent, &member->why))
		agent_member_event(agent, CR_MEMBER_EV_FAILED);
}
