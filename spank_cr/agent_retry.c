/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_retry.c - a restart that has failed is tried again by the job's next
 * run
 *
 * For reasons that may pass, and not for ever: see retry.h.  The images remain
 * as they are, and so does the job's output.
 */
#include <syslog.h>

#include "agent_peers.h"
#include "claim.h"
#include "retry.h"

/* Runs that have failed before this one, which another node, or we, may have
 * counted already. */
static uint32_t count_before(const struct agent *agent)
{
	const uint32_t run = agent->step->restart_count;

	return cr_retry_count(agent->step_dirfd) -
	       (cr_retry_is_noted(agent->step_dirfd, run) ? 1 : 0);
}

int agent_retry_is_left(const struct agent *agent, int code)
{
	return cr_retry_may_pass(code) && agent->step_dirfd >= 0 &&
	       count_before(agent) < agent->config->retries;
}

int agent_retry(struct agent *agent, const struct cr_error *why)
{
	struct cr_error err = { 0 };
	uint32_t nr;

	if (!cr_retry_may_pass(why->code) || agent->step_dirfd < 0)
		return 0;
	nr = count_before(agent);
	if (nr >= agent->config->retries) {
		agent_log(agent, LOG_ERR,
			  "restart: %s: failed in %u runs of the job already",
			  why->text, nr);
		return 0;
	}
	if (cr_retry_note(agent->step_dirfd, agent->step->restart_count,
			  &err)) {
		agent_log(agent, LOG_ERR, "%s", err.text);
		return 0;
	}
	agent_log(agent, LOG_WARNING,
		  "restart: %s: the job is queued again (%u of %u)", why->text,
		  nr + 1, agent->config->retries);
	agent->is_retry = 1;
	return 1;
}

int agent_retry_last(const struct agent *agent, const struct cr_error *why)
{
	return why->code == -ENOEXEC ? CR_ON_FAILURE_FAIL :
				       (int)agent->config->on_failure;
}

int agent_retry_later(struct agent *agent, struct cr_error *err)
{
	const struct cr_error why = *err;

	agent->requeue_later = agent_retry(agent, &why);
	if (agent->requeue_later)
		cr_error_set(err, why.code,
			     "the restart has failed (%.400s): the job is "
			     "queued again for another try",
			     why.text);
	return agent->requeue_later;
}

int agent_retry_without_lead(struct agent *agent, struct cr_error *err)
{
	if (agent->step_dirfd < 0)
		agent->step_dirfd =
			cr_claim_peek(agent->dirfd, agent->step, NULL);
	return agent->step_dirfd >= 0 && agent_folder_has_images(agent) &&
	       agent_retry_later(agent, err);
}

void agent_retry_clear(struct agent *agent)
{
	if (!agent->member || agent->lead)
		cr_retry_clear(agent->step_dirfd);
}
