/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent.c - begin and end of the agent; see agent.h
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "agent_peers.h"
#include "generation.h"

#define STEPD_FD 3
#define SETUP_TIMEOUT_MS 10000

/* Did the program end by itself?  Then images are of no more use.  One that was
 * killed may be wanted again, by a job that is requeued; and one that could
 * not be restarted has not even run. */
static int has_exited(const struct agent *agent)
{
	if (agent->phase == AGENT_SAVED ||
	    (agent->is_restart && agent->phase == AGENT_GATHERING))
		return 0;
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		if (!agent->ranks[i].has_ended ||
		    !WIFEXITED(agent->ranks[i].status))
			return 0;
	return 1;
}

/* Nobody will want what is in the folder again. */
static int is_over_for_good(const struct agent *agent)
{
	if (agent->remove_images || !agent_folder_has_images(agent))
		return 1;
	if (agent->lead && !agent_lead_all_exited(agent))
		return 0;
	return has_exited(agent);
}

static void remove_folder(struct agent *agent)
{
	struct cr_error err = { 0 };

	if (cr_generation_remove_step(agent->dirfd, agent->step, &err))
		agent_log(agent, LOG_WARNING,
			  "checkpoints of a step that is "
			  "over remain: %s",
			  err.text);
}

/* Tell a script that is being saved that its srun has failed by right: the step
 * has ended by itself, and not since it was told or killed. */
static void note_failure(const struct agent *agent)
{
	int status = 0;

	if (agent->step->step == CR_STEP_BATCH || agent->phase == AGENT_SAVED ||
	    agent->phase == AGENT_GATHERING || agent->has_forwarded_term ||
	    (agent->lead && !agent_lead_all_exited(agent)))
		return;
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++) {
		const struct agent_rank *rank = &agent->ranks[i];

		if (!rank->has_ended || (WIFSIGNALED(rank->status) &&
					 WTERMSIG(rank->status) == SIGKILL))
			return;
		status |= rank->status;
	}
	if (status || agent->lead)
		cr_generation_note_over(agent->dirfd, agent->step);
}

/* Of a step of several nodes the lead does it. */
static void clean_up(struct agent *agent)
{
	if (agent->lead)
		agent_lead_unlisten(agent);
	else if (agent->member)
		return;
	note_failure(agent);
	if (is_over_for_good(agent))
		remove_folder(agent);
}

/* While it was being saved it may have been cancelled: nobody tells us, since
 * Slurm was ending it already. */
static void remove_if_cancelled(struct agent *agent)
{
	if (agent->phase != AGENT_SAVED || (agent->member && !agent->lead) ||
	    !agent_slurm_is_cancelled(agent))
		return;
	agent_log(agent, LOG_INFO, "cancelled meanwhile: not saved");
	remove_folder(agent);
}

static int how_we_leave(const struct agent *agent)
{
	if (agent->phase == AGENT_SAVED)
		return CR_PEER_LEAVE_SAVED;
	return has_exited(agent) ? CR_PEER_LEAVE_EXITED : CR_PEER_LEAVE_KILLED;
}

/* Is there something left to do for other nodes? */
static int lingers(struct agent *agent)
{
	const int leave = how_we_leave(agent);

	if (!agent->member)
		return 0;
	if (agent_meet_linger(agent, leave))
		return 1;
	agent_member_leave(agent, leave);
	return agent->lead && agent_lead_linger(agent);
}

static void finish(struct agent *agent)
{
	int is_needed;

	agent_worker_cancel(agent->saver);
	agent_worker_cancel(agent->asker);
	agent->saver = agent->asker = NULL;
	is_needed = lingers(agent);
	agent_status_remove(agent);
	agent_relay_end(agent);
	/* slurmstepd need not wait for that */
	if (is_needed) {
		event_del(agent->stepd_event);
		cr_message_tell(agent->stepd, CR_MSG_BYE, 0);
		return;
	}
	clean_up(agent);
	cr_message_tell(agent->stepd, CR_MSG_BYE, 0);
	event_base_loopbreak(agent->base);
}

static void stepd_gone(struct agent *agent)
{
	agent_log(agent, LOG_ERR, "slurmstepd has died: the step ends");
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		if (agent->ranks[i].program > 0)
			kill(agent->ranks[i].program, SIGKILL);
	event_base_loopbreak(agent->base);
}

static void stepd_readable(evutil_socket_t fd, short what, void *arg)
{
	int fds[CR_MESSAGE_FDS_MAX];
	struct agent *agent = arg;
	struct cr_message message;
	int rc;

	(void)what;
	rc = cr_message_hear((int)fd, &message, fds);
	if (rc < 0)
		stepd_gone(agent);
	if (rc <= 0)
		return;
	if (message.type == CR_MSG_HELLO) {
		agent_rank_hello(agent, &message, fds[0]);
		fds[0] = -1;
	} else if (message.type == CR_MSG_KILLED) {
		agent_save_linger(agent);
	} else if (message.type == CR_MSG_FINISH) {
		finish(agent);
	}
	cr_message_close_fds(fds);
}

static int init_ranks(struct agent *agent, struct cr_error *err)
{
	uint32_t nr = agent->step->nr_local_ranks;

	if (!nr || nr > CR_STEP_RANKS_MAX)
		return cr_error_set(err, -E2BIG,
				    "%u ranks on one node: at most %d", nr,
				    CR_STEP_RANKS_MAX);
	agent->ranks = calloc(nr, sizeof(*agent->ranks));
	if (!agent->ranks)
		return cr_error_set(err, -ENOMEM, "no memory");
	for (uint32_t i = 0; i < nr; i++) {
		agent->ranks[i].agent = agent;
		agent->ranks[i].socket = agent->ranks[i].status_socket = -1;
		agent->ranks[i].counter_fd = -1;
		for (int fd = 0; fd < 3; fd++)
			agent->ranks[i].streams[fd] = -1;
	}
	return 0;
}

static pid_t peer_pid(int socket)
{
	struct ucred ucred = { 0 };
	socklen_t length = sizeof(ucred);

	getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &ucred, &length);
	return ucred.pid;
}

/*
 * Several nodes: be the lead, or find it.  If there may be something to go on
 * from, only the lead knows what, and we wait for it.
 */
static int meet(struct agent *agent, struct cr_error *err)
{
	int rc;

	if (agent->step->node == 0) {
		rc = agent_lead_start(agent, err);
		if (!rc && agent->is_restart)
			agent_lead_restart(agent);
		/* nobody else knows what has been refused */
		agent->member->is_speaker = !agent->is_restart;
	} else {
		agent_meet_start(agent);
		rc = 0;
		if (cr_generation_job_has_any(agent->dirfd, agent->step))
			rc = agent_member_await_lead(agent, err);
	}
	agent->member->is_begun = !agent->is_restart;
	return rc;
}

/* CR_SETUP_READY, -errno, or CR_SETUP_WITHOUT. */
static int setup(struct agent *agent, struct cr_error *err)
{
	int rc;

	agent->stepd_pid = peer_pid(agent->stepd);
	agent_log_open(agent);
	agent_leave_cgroups(agent);
	agent->base = event_base_new();
	if (!agent->base)
		return cr_error_set(err, -ENOMEM, "no event loop");
	agent->seal = cr_seal_create(NULL, CR_SEAL_TTL);
	if (!agent->seal)
		return cr_error_set(err, -ENOMEM, "no memory for seals");
	rc = agent_folder_open(agent, err);
	agent->image_node = agent->step->node;
	if (!rc)
		rc = init_ranks(agent, err);
	if (!rc && agent->step->nr_nodes > 1)
		rc = agent_member_start(agent, err);
	if (!rc && agent->step->node == 0)
		rc = agent_restart_choose(agent, err);
	if (!rc && agent->member)
		rc = meet(agent, err);
	if (!rc)
		rc = agent_keeper_start(agent, agent->monotonic_ns,
					agent->boottime_ns, &agent->keeper,
					err);
	return rc;
}

static void tell_setup(struct agent *agent, int rc, const struct cr_error *err)
{
	struct cr_message message = { .type = CR_MSG_SETUP_DONE, .value = rc };

	snprintf(message.text, sizeof(message.text), "%s", err->text);
	cr_message_send(agent->stepd, &message, NULL, 0);
}

static void run(struct agent *agent)
{
	agent->stepd_event =
		event_new(agent->base, agent->stepd, EV_READ | EV_PERSIST,
			  stepd_readable, agent);
	event_add(agent->stepd_event, NULL);
	agent_status_write(agent);
	agent_start_interval(agent);
	agent_start_poll(agent);
	event_base_dispatch(agent->base);
}

/* Four descriptors for each rank while it waits for its restart. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(void)
{
	static struct agent agent = {
		.stepd = STEPD_FD,
		.dirfd = -1,
		.step_dirfd = -1,
		.lock_fd = -1,
		.image_fd = -1,
		.keeper = { .init_fd = -1, .lifeline = -1 },
		.restart_keeper = { .init_fd = -1, .lifeline = -1 },
		.relay = { .control = -1, .session = -1 }
	};
	struct cr_error err = { 0 };
	int rc;

	/* workers and keepers are not waited for, but watched */
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	raise_file_limit();
	agent.step = &agent.setup.step;
	agent.config = &agent.setup.config;
	rc = cr_setup_receive(agent.stepd, &agent.setup, SETUP_TIMEOUT_MS);
	if (rc)
		cr_error_set(&err, rc,
			     "the agent is not of the plugin's version");
	else
		rc = setup(&agent, &err);
	tell_setup(&agent, rc, &err);
	if (rc != CR_SETUP_READY) {
		if (agent.requeue_later)
			agent_slurm_requeue_later(&agent);
		return 1;
	}
	run(&agent);
	if (agent.lead && agent.lead->is_lingering)
		clean_up(&agent);
	/* the namespaces end now, unless shepherds hold them */
	agent_keeper_release(&agent.keeper);
	close(agent.stepd);
	if (agent.requeue_later)
		agent_slurm_requeue_later(&agent);
	remove_if_cancelled(&agent);
	return 0;
}
