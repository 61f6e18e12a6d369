/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_member_left.c - a node whose part of the step is over
 */
#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

#include "agent_member.h"
#include "manifest.h"

#define LEAVE_MS 2000

static int count_ended(const struct agent *agent, struct cr_manifest *part)
{
	uint32_t nr = agent->step->nr_local_ranks;

	part->ended = calloc(nr + 1, sizeof(*part->ended));
	if (!part->ended)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr; i++)
		part->ended[part->nr_ended++] = (struct cr_manifest_ended){
			agent->ranks[i].rank, (uint32_t)agent->ranks[i].status
		};
	return 0;
}

/* What later checkpoints have to know about a node that is not there. */
static void write_left(struct agent *agent)
{
	const struct cr_step *step = agent->step;
	struct cr_manifest_image image = { .node = step->node,
					   .ranks = agent_ranks_print(agent) };
	struct cr_manifest part;
	struct cr_error err = { .text = "no memory" };
	char name[CR_MANIFEST_NAME_MAX];

	cr_manifest_init(&part, step);
	part.images = &image;
	part.nr_images = 1;
	cr_manifest_name_left(name, step->node);
	if (!image.ranks || count_ended(agent, &part) ||
	    agent_tcp_note_addresses(agent, &part, &err) ||
	    cr_manifest_write_as(agent->step_dirfd, name, &part,
				 agent_manifest_seal(agent), &err))
		agent_log(agent, LOG_WARNING, "%s: %s", name, err.text);
	free(part.addresses);
	free(part.ended);
	free(image.ranks);
}

void agent_member_leave(struct agent *agent, int leave)
{
	struct agent_member *member = agent->member;

	/* without a folder: it was over before it had met the lead */
	if (leave != CR_PEER_LEAVE_SAVED && agent->step_dirfd >= 0)
		write_left(agent);
	agent_member_tell(agent, CR_PEER_LEAVE, leave, "");
	if (agent_member_is_remote(agent) &&
	    agent_member_may_send(member, CR_PEER_LEAVE))
		agent_link_flush(member->link, LEAVE_MS);
}
