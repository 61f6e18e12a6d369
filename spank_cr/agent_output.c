/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_output.c - files that a script's sruns write to; see output.h
 */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "agent.h"
#include "output.h"

#define OUTPUTS_MAX 256
#define KEEP_TIMEOUT_MS 60000

struct output {
	char path[CR_OUTPUT_PATH_MAX];
	dev_t device;
	ino_t inode;
};

static struct output *outputs; /* [OUTPUTS_MAX] */
static size_t nr_outputs;
static void (*after_keeping)(struct agent *agent);

static void note(pid_t client, int fd)
{
	struct output *output = &outputs[nr_outputs];

	if (nr_outputs == OUTPUTS_MAX ||
	    !cr_output_find(client, fd, output->path, &output->device,
			    &output->inode))
		return;
	for (size_t i = 0; i < nr_outputs; i++)
		if (outputs[i].device == output->device &&
		    outputs[i].inode == output->inode)
			return;
	nr_outputs++;
}

static int note_client(pid_t client)
{
	note(client, 1);
	note(client, 2);
	return 0;
}

void agent_output_note(const struct agent *agent)
{
	if (!outputs)
		outputs = calloc(OUTPUTS_MAX, sizeof(*outputs));
	nr_outputs = 0;
	if (outputs)
		agent_clients_each(agent, note_client);
}

/* In a worker: for good, with the user's rights and no others. */
static int become_user(const struct cr_step *step, struct cr_error *err)
{
	if (setgroups(step->nr_groups, step->groups) < 0 ||
	    setresgid(step->gid, step->gid, step->gid) < 0 ||
	    setresuid(step->uid, step->uid, step->uid) < 0)
		return cr_error_errno(err, "become uid %u", step->uid);
	return 0;
}

static void keep(struct agent *agent, struct agent_result *result)
{
	struct cr_error err = { 0 };

	if (become_user(agent->step, &result->err))
		return;
	for (size_t i = 0; i < nr_outputs; i++)
		if (cr_output_keep(outputs[i].path, outputs[i].device,
				   outputs[i].inode, agent->step->job, &err))
			result->err = err;
}

static void kept(struct agent *agent, const struct agent_result *result)
{
	if (result->err.code)
		agent_log(agent, LOG_WARNING,
			  "output of the script's steps may be lost: %s",
			  result->err.text);
	after_keeping(agent);
}

void agent_output_keep(struct agent *agent, void (*after)(struct agent *agent))
{
	after_keeping = after;
	if (!nr_outputs || !agent_worker_start(agent, "cr-output", keep, kept,
					       KEEP_TIMEOUT_MS, NULL, 0, NULL))
		after(agent);
}
