/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_lead.c - the lead: what the nodes of a step do together
 *
 * It counts who has arrived at a barrier, and knows who is silent.  What
 * follows is in the table of step_fsm.c; here is how it is done.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "agent_peers.h"
#include "generation.h"
#include "manifest.h"

#define TICK_MS 1000
#define FORWARD_MS 5000 /* SIGTERMs of one volley come in this time */
#define WORKER_MS 120000
#define RETRIES 3 /* of a candidate, when a node was lost at it */

static void event(struct agent *agent, enum cr_lead_event event);

/* --- telling --- */

static struct cr_peer_message compose(const struct agent *agent, uint32_t type)
{
	const struct agent_lead *lead = agent->lead;
	struct cr_peer_message message = {
		.type = type,
		.round = lead->round,
		.generation = lead->generation,
		.flags = lead->is_final ? CR_PEER_FINAL : 0,
	};

	return message;
}

static void send_order(struct agent *agent, uint32_t node)
{
	struct cr_peer_message message = compose(agent, CR_PEER_CHECKPOINT);

	message.value = (int32_t)agent->cause;
	agent->lead->peers[node].is_ordered = 1;
	agent_lead_send(agent, node, &message);
}

static void send_restart(struct agent *agent, uint32_t node, uint32_t type)
{
	struct cr_peer_message message = compose(agent, type);

	agent_lead_send(agent, node, &message);
}

static void pass(struct agent *agent, enum cr_barrier barrier)
{
	struct cr_peer_message message = compose(agent, CR_PEER_PASS);

	message.barrier = barrier;
	if (barrier == CR_BARRIER_READY)
		agent_tcp_spread_moves(agent);
	agent_lead_send_all(agent, &message);
}

/* To all; one member tells the user: the first that is there. */
static void send_and_say(struct agent *agent, struct cr_peer_message *message)
{
	message->flags |= CR_PEER_SAY;
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++) {
		if (agent->lead->peers[i].state != AGENT_PEER_PRESENT)
			continue;
		agent_lead_send(agent, i, message);
		message->flags &= ~CR_PEER_SAY;
	}
}

static void send_abort(struct agent *agent)
{
	struct cr_peer_message message = compose(agent, CR_PEER_ABORT);

	message.value = agent->lead->why.code;
	strcpy(message.text, agent->lead->why.text);
	send_and_say(agent, &message);
}

/* --- counting --- */

static void clear_arrivals(struct agent *agent)
{
	agent->lead->nr_arrived = 0;
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++)
		agent->lead->peers[i].has_arrived = 0;
}

static void __attribute__((format(printf, 5, 6)))
fail(struct agent *agent, enum cr_lead_event what, uint32_t node, int code,
     const char *fmt, ...)
{
	struct agent_lead *lead = agent->lead;
	const char *host = lead->peers[node].host;
	char text[CR_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!lead->why.code)
		cr_error_set(&lead->why, code, "node %u%s%.64s%s: %.400s", node,
			     *host ? " (" : "", host, *host ? ")" : "", text);
	event(agent, what);
}

static int is_restarting(const struct agent_lead *lead)
{
	return lead->phase == CR_LEAD_JOIN || lead->phase == CR_LEAD_RESTORE;
}

/* At a restart a node that is silent may come again: it is lost, not at fault.
 */
static void check_silence(struct agent *agent, uint32_t node, int64_t now)
{
	const struct agent_peer *peer = &agent->lead->peers[node];
	int64_t limit = agent->config->timeout * 1000LL;
	int64_t since = peer->heard_ms;

	if (peer->state == AGENT_PEER_LEFT || node == 0)
		return;
	if (since < agent->lead->began_ms)
		since = agent->lead->began_ms;
	if (peer->state == AGENT_PEER_ABSENT) {
		if (agent->lead->phase == CR_LEAD_JOIN && limit < AGENT_JOIN_MS)
			limit = AGENT_JOIN_MS;
		if (now - since > limit)
			fail(agent, CR_LEAD_EV_ABSENT, node, -ETIMEDOUT,
			     "its agent does not come within %lld s",
			     (long long)limit / 1000);
	} else if (now - since > limit && is_restarting(agent->lead)) {
		agent_log(agent, LOG_WARNING,
			  "node %u (%s) has been silent for %lld s", node,
			  peer->host, (long long)limit / 1000);
		agent_lead_drop(agent, node);
	} else if (now - since > limit) {
		fail(agent, CR_LEAD_EV_FAILED, node, -ETIMEDOUT,
		     "its agent has been silent for %lld s",
		     (long long)limit / 1000);
	}
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval period = { TICK_MS / 1000, 0 };
	struct cr_peer_message ping = { .type = CR_PEER_PING };
	struct agent *agent = arg;
	const int64_t now = agent_now_ms();

	(void)fd;
	(void)what;
	for (uint32_t i = 0;
	     i < agent->step->nr_nodes && cr_lead_barrier(agent->lead->phase);
	     i++)
		check_silence(agent, i, now);
	if (agent->lead->is_lingering && !agent_lead_linger(agent)) {
		event_base_loopbreak(agent->base);
		return;
	}
	if (agent->lead->phase == CR_LEAD_IDLE && !agent->lead->is_lingering)
		return;
	evtimer_add(agent->lead->tick, &period);
	agent_lead_send_all(agent, &ping);
}

/* --- doing --- */

static void prepared(struct agent *agent, const struct agent_result *result)
{
	agent->lead->preparer = NULL;
	if (result->err.code) {
		agent->lead->why = result->err;
		event(agent, CR_LEAD_EV_FAILED);
		return;
	}
	agent->lead->generation = result->generation;
	event(agent, CR_LEAD_EV_PREPARED);
}

static void prepare(struct agent *agent)
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
		event(agent, CR_LEAD_EV_FAILED);
}

static void order(struct agent *agent)
{
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++)
		if (agent->lead->peers[i].state == AGENT_PEER_PRESENT)
			send_order(agent, i);
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
		event(agent, CR_LEAD_EV_NOT_COMMITTED);
		return;
	}
	if (result->err.code)
		agent_log(agent, LOG_WARNING, "old checkpoints: %s",
			  result->err.text);
	event(agent, CR_LEAD_EV_COMMITTED);
}

static void matched(struct agent *agent, const struct agent_result *result)
{
	agent->lead->matcher = NULL;
	agent->lead->why = result->err;
	event(agent, result->err.code ? CR_LEAD_EV_FAILED : CR_LEAD_EV_MATCHED);
}

/* Nothing to match costs nothing. */
static void match(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;

	if (!lead->nr_ends || agent->config->tcp_close) {
		event(agent, CR_LEAD_EV_MATCHED);
		return;
	}
	lead->matcher =
		agent_worker_start(agent, "cr-match", agent_commit_match,
				   matched, WORKER_MS, &agent->step_dirfd, 1,
				   &lead->why);
	if (!lead->matcher)
		event(agent, CR_LEAD_EV_FAILED);
}

static void commit(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;

	memset(&lead->why, 0, sizeof(lead->why));
	lead->committer =
		agent_worker_start(agent, "cr-commit", agent_commit, committed,
				   0, &agent->step_dirfd, 1, &lead->why);
	if (!lead->committer)
		event(agent, CR_LEAD_EV_NOT_COMMITTED);
}

static void log_checkpoint(struct agent *agent)
{
	const struct agent_lead *lead = agent->lead;

	agent_log(agent, LOG_INFO,
		  "checkpoint %u of %u nodes is complete after %lld ms",
		  lead->generation, agent->step->nr_nodes,
		  (long long)(agent_now_ms() - lead->began_ms));
}

/* A wanted final one begins when nothing else is under way. */
static void be_idle(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;

	if (!lead->is_wanted)
		return;
	lead->is_wanted = 0;
	agent_lead_checkpoint(agent, 1);
}

static void abort_round(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;

	agent_worker_cancel(lead->preparer);
	agent_worker_cancel(lead->matcher);
	lead->preparer = lead->matcher = NULL;
	agent_log(agent, lead->why.code == -ECANCELED ? LOG_INFO : LOG_ERR,
		  "checkpoint %u of %u nodes failed: %s", lead->generation,
		  agent->step->nr_nodes, lead->why.text);
	send_abort(agent);
	if (lead->is_final)
		lead->forward_until_ms = agent_now_ms() + FORWARD_MS;
}

/* None is left, or a node does not come; one member tells the user. */
static void end_restart(struct agent *agent, int on_failure, const char *why)
{
	struct cr_peer_message message = compose(agent, CR_PEER_RESTART);

	message.generation = 0;
	message.value = on_failure;
	strcpy(message.text, why);
	agent_log(agent, LOG_ERR, "restart: %s", why);
	send_and_say(agent, &message);
}

/*
 * The next candidate for all.  A lost node says nothing about the images: the
 * same again, a few times; and never anew for that.
 */
static void next_candidate(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;
	int is_lost =
		lead->why.code == -ECONNRESET || lead->why.code == -ETIMEDOUT;

	agent_log(agent, LOG_ERR, "restart from checkpoint %u: %s",
		  lead->generation, lead->why.text);
	if (is_lost && lead->retries++ < RETRIES && agent->next_candidate)
		agent->next_candidate--;
	else if (!agent->refused.code)
		agent->refused = lead->why;
	memset(&lead->why, 0, sizeof(lead->why));
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++)
		agent_moves_clear(&lead->peers[i].moves);
	lead->round++;
	lead->began_ms = agent_now_ms();
	if (agent_image_open_next(agent)) {
		lead->phase = CR_LEAD_IDLE;
		end_restart(agent,
			    is_lost ? CR_ON_FAILURE_FAIL :
				      agent->config->on_failure,
			    agent->refused.text);
		return;
	}
	lead->generation = agent->candidates[agent->next_candidate - 1];
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++)
		send_restart(agent, i, CR_PEER_RESTART);
}

static void act(struct agent *agent, int action, enum cr_barrier passed)
{
	switch (action) {
	case CR_LEAD_DO_PREPARE:
		prepare(agent);
		break;
	case CR_LEAD_DO_ORDER:
		order(agent);
		break;
	case CR_LEAD_DO_PASS:
	case CR_LEAD_DO_RUN:
		pass(agent, passed);
		break;
	case CR_LEAD_DO_MATCH:
		match(agent);
		break;
	case CR_LEAD_DO_COMMIT:
		commit(agent);
		break;
	case CR_LEAD_DO_VERDICT:
		log_checkpoint(agent);
		pass(agent, CR_BARRIER_COMMITTED);
		break;
	case CR_LEAD_DO_ABORT:
		abort_round(agent);
		break;
	case CR_LEAD_DO_NEXT:
		next_candidate(agent);
		break;
	case CR_LEAD_DO_GIVE_UP:
		end_restart(agent, CR_ON_FAILURE_FAIL, agent->lead->why.text);
		break;
	default:
		break;
	}
}

/* What has been done, and what it took. */
static void log_phase(const struct agent *agent, enum cr_lead_event what,
		      enum cr_barrier barrier)
{
	const struct agent_lead *lead = agent->lead;
	const int64_t us = agent_now_us() - lead->phase_us;

	if (what == CR_LEAD_EV_PREPARED)
		agent_log(agent, LOG_INFO,
			  "round %u: prepared after %lld.%03lld ms",
			  lead->round, (long long)us / 1000,
			  (long long)us % 1000);
	else if (what == CR_LEAD_EV_ALL || what == CR_LEAD_EV_MATCHED ||
		 what == CR_LEAD_EV_COMMITTED)
		agent_log(agent, LOG_INFO,
			  "round %u: all of %u nodes %s after %lld.%03lld ms",
			  lead->round, agent->step->nr_nodes,
			  cr_barrier_name(barrier), (long long)us / 1000,
			  (long long)us % 1000);
}

static void event(struct agent *agent, enum cr_lead_event what)
{
	struct agent_lead *lead = agent->lead;
	const enum cr_barrier barrier = cr_lead_barrier(lead->phase);
	const enum cr_lead_phase before = lead->phase;
	const struct timeval period = { TICK_MS / 1000, 0 };
	int action;

	action = cr_lead_step(&lead->phase, what);
	if (action < 0)
		return; /* too late to matter */
	log_phase(agent, what, barrier);
	if (lead->phase != before) {
		lead->phase_us = agent_now_us();
		clear_arrivals(agent);
		evtimer_add(lead->tick, &period);
	}
	act(agent, action, barrier);
	if (lead->phase == CR_LEAD_IDLE)
		be_idle(agent);
}

/* --- hearing --- */

static void arrived(struct agent *agent, uint32_t node,
		    const struct cr_peer_message *message)
{
	struct agent_lead *lead = agent->lead;
	struct agent_peer *peer = &lead->peers[node];

	if (message->round != lead->round || peer->has_arrived ||
	    message->barrier != cr_lead_barrier(lead->phase))
		return;
	if (message->barrier == CR_BARRIER_ENDS)
		lead->nr_ends += message->count;
	else if (message->barrier == CR_BARRIER_SAVED)
		peer->image_size = message->count;
	peer->has_arrived = 1;
	lead->nr_arrived++;
	if (lead->nr_arrived + lead->nr_left >= agent->step->nr_nodes)
		event(agent, CR_LEAD_EV_ALL);
}

static void left(struct agent *agent, uint32_t node, int leave)
{
	struct agent_lead *lead = agent->lead;
	struct agent_peer *peer = &lead->peers[node];

	if (peer->state != AGENT_PEER_LEFT)
		lead->nr_left++;
	peer->state = AGENT_PEER_LEFT;
	peer->leave = leave;
	if (peer->has_arrived)
		lead->nr_arrived--;
	peer->has_arrived = 0;
	if (peer->is_ordered && cr_lead_barrier(lead->phase) &&
	    lead->phase < CR_LEAD_COMMIT)
		fail(agent, CR_LEAD_EV_FAILED, node, -ESRCH,
		     "its ranks have just ended");
	else if (is_restarting(lead))
		fail(agent, CR_LEAD_EV_ABSENT, node, -ESRCH,
		     "its ranks ended during the restart");
	if (lead->is_lingering && !agent_lead_linger(agent))
		event_base_loopbreak(agent->base);
}

void agent_lead_hear(struct agent *agent, uint32_t node,
		     const struct cr_peer_message *message)
{
	struct agent_peer *peer = &agent->lead->peers[node];

	peer->heard_ms = agent_now_ms();
	switch (message->type) {
	case CR_PEER_TERM:
		agent_lead_term(agent, node);
		break;
	case CR_PEER_ARRIVED:
		arrived(agent, node, message);
		break;
	case CR_PEER_FAILED:
		if (message->round == agent->lead->round)
			fail(agent, CR_LEAD_EV_FAILED, node,
			     message->value < 0 ? message->value : -EIO, "%s",
			     message->text);
		break;
	case CR_PEER_MOVES:
		agent_tcp_lead_hears(agent, node, message);
		break;
	case CR_PEER_LEAVE:
		left(agent, node, message->value);
		break;
	default:
		break;
	}
}

void agent_lead_came(struct agent *agent, uint32_t node)
{
	struct agent_lead *lead = agent->lead;
	struct agent_peer *peer = &lead->peers[node];

	agent_log(agent, LOG_INFO, "node %u (%s) has come", node, peer->host);
	if (peer->was_lost) {
		peer->was_lost = 0;
		agent_status_write(agent);
	}
	if (is_restarting(lead)) {
		send_restart(agent, node, CR_PEER_WELCOME);
		return;
	}
	agent_lead_send(agent, node,
			&(struct cr_peer_message){ .type = CR_PEER_WELCOME });
	if (lead->phase == CR_LEAD_FREEZE && !peer->is_ordered)
		send_order(agent, node);
}

void agent_lead_lost(struct agent *agent, uint32_t node)
{
	struct agent_lead *lead = agent->lead;
	struct agent_peer *peer = &lead->peers[node];

	if (peer->state != AGENT_PEER_PRESENT)
		return;
	agent_log(agent, LOG_WARNING, "node %u (%s) is lost", node, peer->host);
	peer->state = AGENT_PEER_ABSENT;
	peer->heard_ms = agent_now_ms();
	peer->was_lost = 1;
	agent_status_write(agent);
	if (peer->has_arrived)
		lead->nr_arrived--;
	peer->has_arrived = 0;
	agent_moves_clear(&peer->moves);
	if (lead->phase == CR_LEAD_JOIN || lead->phase == CR_LEAD_PREPARE)
		return; /* it may come back */
	if (cr_lead_barrier(lead->phase))
		fail(agent, CR_LEAD_EV_FAILED, node, -ECONNRESET,
		     "its agent has died or cannot be reached");
}

/* --- beginning and end --- */

void agent_lead_forward(struct agent *agent)
{
	struct cr_peer_message message = { .type = CR_PEER_FORWARD };

	for (uint32_t i = 1; i < agent->step->nr_nodes; i++)
		agent_lead_send(agent, i, &message);
}

void agent_lead_term(struct agent *agent, uint32_t node)
{
	struct cr_peer_message message = { .type = CR_PEER_FORWARD };
	struct agent_lead *lead = agent->lead;

	if (agent->phase == AGENT_GATHERING ||
	    agent_now_ms() < lead->forward_until_ms)
		agent_lead_send(agent, node, &message);
	else if (agent->phase == AGENT_RUNNING)
		agent_ask_cause(agent);
	/* else it is being decided, and the node will hear of it */
}

void agent_lead_checkpoint(struct agent *agent, int is_final)
{
	struct agent_lead *lead = agent->lead;

	if (lead->phase == CR_LEAD_COMMIT) {
		lead->is_wanted |= is_final; /* soon */
		return;
	}
	if (lead->phase != CR_LEAD_IDLE && !is_final)
		return;
	if (lead->phase != CR_LEAD_IDLE) {
		cr_error_set(&lead->why, -ECANCELED,
			     "a final checkpoint takes its place");
		lead->is_wanted = 1;
		event(agent, CR_LEAD_EV_FAILED);
		return;
	}
	lead->is_final = is_final;
	lead->began_ms = agent_now_ms();
	event(agent, CR_LEAD_EV_CHECKPOINT);
}

void agent_lead_restart(struct agent *agent)
{
	struct agent_lead *lead = agent->lead;

	lead->round = 1;
	lead->generation = agent->candidates[agent->next_candidate - 1];
	lead->began_ms = agent_now_ms();
	event(agent, CR_LEAD_EV_RESTART);
	send_restart(agent, 0, CR_PEER_RESTART);
}

int agent_lead_start(struct agent *agent, struct cr_error *err)
{
	struct agent_lead *lead = calloc(1, sizeof(*lead));

	agent->lead = lead;
	if (lead)
		lead->peers =
			calloc(agent->step->nr_nodes, sizeof(*lead->peers));
	if (!lead || !lead->peers)
		return cr_error_set(err, -ENOMEM, "no memory");
	lead->tick = evtimer_new(agent->base, tick, agent);
	if (!lead->tick)
		return cr_error_set(err, -ENOMEM, "no event");
	lead->peers[0].state = AGENT_PEER_PRESENT;
	gethostname(lead->peers[0].host, sizeof(lead->peers[0].host) - 1);
	for (uint32_t i = 0; i < agent->step->nr_nodes; i++)
		lead->peers[i].heard_ms = agent_now_ms();
	return agent_lead_listen(agent, err);
}

int agent_lead_linger(struct agent *agent)
{
	const struct agent_lead *lead = agent->lead;

	const struct timeval period = { TICK_MS / 1000, 0 };

	if (!agent->lead->is_lingering)
		evtimer_add(agent->lead->tick, &period);
	agent->lead->is_lingering = 1;
	for (uint32_t i = 1; i < agent->step->nr_nodes; i++)
		if (lead->peers[i].state == AGENT_PEER_PRESENT ||
		    (lead->peers[i].state == AGENT_PEER_ABSENT &&
		     agent_now_ms() - lead->peers[i].heard_ms <
			     agent->config->timeout * 1000LL))
			return 1;
	return 0;
}

int agent_lead_all_exited(const struct agent *agent)
{
	for (uint32_t i = 1; i < agent->step->nr_nodes; i++)
		if (agent->lead->peers[i].state != AGENT_PEER_LEFT ||
		    agent->lead->peers[i].leave != CR_PEER_LEAVE_EXITED)
			return 0;
	return 1;
}
