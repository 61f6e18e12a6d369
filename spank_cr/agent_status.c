/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_status.c - what this node's agent is doing, for `cr status`
 *
 * A small file beside the images, renamed into place at each change and each
 * second while something is under way.  Nothing depends on it: it is not
 * synced, and failures are not reported.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent_peers.h"

static const char *phase_name(const struct agent *agent)
{
	static const char *const names[] = {
		[AGENT_GATHERING] = "starting",
		[AGENT_RUNNING] = "running",
		[AGENT_SAVING] = "deciding",
		[AGENT_SAVED] = "saved",
	};

	if (agent->member && agent->member->phase != CR_MEMBER_IDLE)
		return cr_member_phase_name(agent->member->phase);
	if (agent->saver)
		return "saving";
	return names[agent->phase];
}

static uint64_t rate_of(struct agent_member *member, int64_t now)
{
	static uint64_t done_before;
	static int64_t ms_before;

	if (member->bytes_done < done_before)
		done_before = 0;
	if (now - ms_before >= 500) {
		member->rate = (member->bytes_done - done_before) * 1000 /
			       (uint64_t)(now - ms_before);
		done_before = member->bytes_done;
		ms_before = now;
	}
	return member->rate;
}

/* Nodes that the lead has had and lost. */
static json_t *pack_lost(const struct agent *agent)
{
	json_t *lost = json_array();

	for (uint32_t i = 1; agent->lead && i < agent->step->nr_nodes; i++)
		if (agent->lead->peers[i].was_lost)
			json_array_append_new(lost, json_integer(i));
	return lost;
}

static json_t *pack(struct agent *agent)
{
	static struct agent_member alone;
	struct agent_member *member = agent->member ? agent->member : &alone;
	char host[64] = "";

	gethostname(host, sizeof(host) - 1);
	return json_pack("{sI sI sI ss ss sI sI sI sI sI so}", "job",
			 (json_int_t)agent->step->job, "step",
			 (json_int_t)agent->step->step, "node",
			 (json_int_t)agent->step->node, "host", host, "phase",
			 phase_name(agent), "generation",
			 (json_int_t)(member->generation ?
					      member->generation :
					      agent->saved.generation),
			 "bytes_done", (json_int_t)member->bytes_done,
			 "bytes_total", (json_int_t)member->bytes_total,
			 "bytes_per_second",
			 (json_int_t)rate_of(member, agent_now_ms()), "time",
			 (json_int_t)time(NULL), "lost", pack_lost(agent));
}

static void name_status(const struct agent *agent, char name[64])
{
	snprintf(name, 64, "status_%u.json", agent->step->node);
}

static void write_text(struct agent *agent, const char *text)
{
	const size_t length = strlen(text);
	char name[64], temporary[80];
	int fd;

	name_status(agent, name);
	snprintf(temporary, sizeof(temporary), "%s.tmp", name);
	fd = openat(agent->step_dirfd, temporary,
		    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return;
	if (write(fd, text, length) == (ssize_t)length)
		renameat(agent->step_dirfd, temporary, agent->step_dirfd, name);
	close(fd);
}

void agent_status_write(struct agent *agent)
{
	json_t *json;
	char *text;

	if (agent->step_dirfd < 0)
		return;
	json = pack(agent);
	text = json ? json_dumps(json, 0) : NULL;
	if (text)
		write_text(agent, text);
	free(text);
	json_decref(json);
}

void agent_status_remove(struct agent *agent)
{
	char name[64];

	if (agent->step_dirfd < 0)
		return;
	name_status(agent, name);
	unlinkat(agent->step_dirfd, name, 0);
}
