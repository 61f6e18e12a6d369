/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_member.c - one node's part in what the step's nodes do together
 *
 * What follows from what is in the table of step_fsm.c; here is how it is
 * done, and what the lead is told.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "agent_hold.h"
#include "agent_peers.h"
#include "agent_sync.h"
#include "manifest.h"

#define TICK_MS 1000
#define LEAVE_MS 2000
#define THAW_MS 20000 /* for a worker to stop */

static int is_remote(const struct agent *agent)
{
	return !agent->lead;
}

static void arm(struct agent *agent)
{
	const struct timeval period = { TICK_MS / 1000, 0 };

	if (!evtimer_pending(agent->member->tick, NULL))
		evtimer_add(agent->member->tick, &period);
}

/* --- telling --- */

/* Before the lead's welcome only that we leave, once it knows who we are. */
static int may_send(const struct agent_member *member, uint32_t type)
{
	return member->is_met ||
	       (type == CR_PEER_LEAVE && member->link && member->link->sent);
}

static void send_lead(struct agent *agent, struct cr_peer_message *message)
{
	struct agent_member *member = agent->member;

	message->round = member->round;
	if (!is_remote(agent))
		agent_local_to_lead(agent, message);
	else if (may_send(member, message->type))
		agent_link_send(member->link, message);
}

static void tell(struct agent *agent, struct cr_peer_message *message,
		 const char *text)
{
	strncpy(message->text, text, sizeof(message->text) - 1);
	send_lead(agent, message);
}

void agent_member_tell(struct agent *agent, uint32_t type, int value,
		       const char *text)
{
	struct cr_peer_message message = { .type = type, .value = value };

	tell(agent, &message, text);
}

void agent_member_tell_of(struct agent *agent, uint32_t type, uint64_t count,
			  const char *text)
{
	struct cr_peer_message message = { .type = type, .count = count };

	tell(agent, &message, text);
}

static void tell_arrived(struct agent *agent, enum cr_barrier barrier)
{
	struct agent_member *member = agent->member;
	struct cr_peer_message message = { .type = CR_PEER_ARRIVED,
					   .barrier = barrier,
					   .count = member->arrived_count };

	member->arrived_count = 0;
	send_lead(agent, &message);
}

static void tell_progress(struct agent *agent)
{
	const struct agent_member *member = agent->member;
	struct cr_peer_message message = {
		.type = CR_PEER_PROGRESS,
		.bytes_done = member->bytes_done,
		.bytes_total = member->bytes_total,
	};

	if (message.bytes_done > message.bytes_total)
		message.bytes_total = message.bytes_done;
	send_lead(agent, &message);
}

/* --- restart --- */

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

	if (is_remote(agent) &&
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
	if (is_remote(agent))
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

static void get_ready(struct agent *agent)
{
	struct agent_member *member = agent->member;

	if (member->phase != CR_MEMBER_JOINING || !agent_ranks_all_ready(agent))
		return;
	memset(&member->why, 0, sizeof(member->why));
	agent_member_event(agent, make_ready(agent, &member->why) ?
					  CR_MEMBER_EV_FAILED :
					  CR_MEMBER_EV_ARRIVED);
}

static void give_up(struct agent *agent)
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
		get_ready(agent);
}

static void start_restart(struct agent *agent)
{
	struct agent_member *member = agent->member;

	if (!agent->image)
		agent_member_event(agent, CR_MEMBER_EV_ARRIVED);
	else if (agent_restart_start(agent, &member->why))
		agent_member_event(agent, CR_MEMBER_EV_FAILED);
}

/* --- checkpoint --- */

static void order(struct agent *agent, const struct cr_peer_message *message);

static void thaw(struct agent *agent)
{
	agent->member->thaw_ms = agent_now_ms();
	agent_sync_abort(agent);
}

static void finish(struct agent *agent, enum cr_member_phase before)
{
	struct agent_member *member = agent->member;

	agent_sync_close(agent);
	/* we had no part in it, or no more */
	if (before == CR_MEMBER_IDLE && !member->is_speaker &&
	    !(agent->phase == AGENT_SAVING && agent->save_is_final))
		return;
	if (before == CR_MEMBER_THAWING || before == CR_MEMBER_IDLE)
		agent_save_finish(agent, &member->why, !member->is_speaker);
	else
		agent_save_finish(agent, NULL, 0);
}

/* The one that has waited. */
static void next_order(struct agent *agent)
{
	struct agent_member *member = agent->member;

	if (!member->has_order || member->phase != CR_MEMBER_IDLE)
		return;
	member->has_order = 0;
	order(agent, &member->order);
}

/* The generation is complete, but our tree has run on since: it must not. */
static void kill_tree(struct agent *agent)
{
	if (agent->phase != AGENT_SAVING || !agent->save_is_final)
		return;
	agent_log(agent, LOG_WARNING, "saved, but not held: ended now");
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		if (agent->ranks[i].program > 0)
			kill(agent->ranks[i].program, SIGKILL);
	agent_save_for_good(agent);
}

static void save(struct agent *agent)
{
	struct agent_member *member = agent->member;

	memset(&member->why, 0, sizeof(member->why));
	member->bytes_done = member->bytes_total = 0;
	member->is_speaker = 0;
	if (agent_save_start(agent, &member->why))
		agent_member_event(agent, CR_MEMBER_EV_FAILED);
}

/* --- what happens --- */

static void go(struct agent *agent, enum cr_member_phase before)
{
	agent_sync_go(agent);
	if (before == CR_MEMBER_AT_GATE && !agent->image)
		agent_restart_ended(agent);
}

static void act(struct agent *agent, int action, enum cr_member_phase before)
{
	struct agent_member *member = agent->member;

	switch (action) {
	case CR_MEMBER_DO_SAVE:
		save(agent);
		break;
	case CR_MEMBER_DO_TELL:
		tell_arrived(agent, cr_member_barrier(before));
		break;
	case CR_MEMBER_DO_GO:
		go(agent, before);
		break;
	case CR_MEMBER_DO_THAW:
		thaw(agent);
		break;
	case CR_MEMBER_DO_FAIL:
		agent_member_tell(agent, CR_PEER_FAILED, member->why.code,
				  member->why.text);
		break;
	case CR_MEMBER_DO_DECIDE:
		agent_log(agent, LOG_WARNING,
			  "the manifest will tell whether checkpoint %u is "
			  "complete",
			  member->generation);
		agent_sync_decide(agent);
		break;
	case CR_MEMBER_DO_FINISH:
		finish(agent, before);
		break;
	case CR_MEMBER_DO_KILL:
		kill_tree(agent);
		break;
	case CR_MEMBER_DO_OPEN:
		agent_worker_cancel(agent->restarter);
		agent->restarter = NULL;
		get_ready(agent);
		break;
	case CR_MEMBER_DO_RESTORE:
		start_restart(agent);
		break;
	case CR_MEMBER_DO_CANCEL:
		agent_worker_cancel(agent->restarter);
		agent->restarter = NULL;
		break;
	case CR_MEMBER_DO_GIVE_UP:
		give_up(agent);
		break;
	default:
		break;
	}
}

void agent_member_event(struct agent *agent, enum cr_member_event event)
{
	struct agent_member *member = agent->member;
	const enum cr_member_phase before = member->phase;
	int action = cr_member_step(&member->phase, event);

	if (action < 0)
		return; /* too late to matter */
	if (member->phase != CR_MEMBER_IDLE)
		arm(agent);
	act(agent, action, before);
	agent_status_write(agent);
	next_order(agent);
}

/* --- hearing --- */

static void order(struct agent *agent, const struct cr_peer_message *message)
{
	struct agent_member *member = agent->member;

	if (member->phase != CR_MEMBER_IDLE) {
		member->has_order = 1;
		member->order = *message;
		cr_error_set(&member->why, -ECANCELED,
			     "another checkpoint takes its place");
		agent_member_event(agent, CR_MEMBER_EV_CHECKPOINT);
		return;
	}
	member->round = message->round;
	member->generation = message->generation;
	if (agent->phase == AGENT_GATHERING || agent->phase == AGENT_SAVED) {
		agent_member_tell(agent, CR_PEER_FAILED, -EAGAIN,
				  "its ranks have not all begun");
		return;
	}
	agent->save_generation = message->generation;
	agent->save_is_final = (message->flags & CR_PEER_FINAL) != 0;
	agent->cause = (enum cr_cause)message->value;
	if (agent->save_is_final)
		agent->phase = AGENT_SAVING;
	agent_member_event(agent, CR_MEMBER_EV_CHECKPOINT);
}

static void forward(struct agent *agent)
{
	if (agent->phase != AGENT_SAVING ||
	    agent->member->phase != CR_MEMBER_IDLE)
		return;
	agent->phase = AGENT_RUNNING;
	agent_forward_term(agent);
}

static void restart(struct agent *agent, const struct cr_peer_message *message)
{
	struct agent_member *member = agent->member;
	int is_waiting = member->phase >= CR_MEMBER_JOINING;

	if (message->type == CR_PEER_WELCOME && !message->generation &&
	    !is_waiting)
		return;
	member->round = message->round;
	member->generation = message->generation;
	member->on_failure = message->value;
	member->is_speaker = message->type == CR_PEER_WELCOME ||
			     (message->flags & CR_PEER_SAY);
	agent_moves_clear(&member->moves);
	if (message->generation && (is_waiting || !member->is_begun)) {
		agent->is_restart = 1;
		agent_member_event(agent, CR_MEMBER_EV_RESTART);
	} else if (message->generation) {
		agent_member_tell(agent, CR_PEER_FAILED, -EPROTO,
				  "its ranks have begun already");
	} else {
		cr_error_set(&member->why, -ECANCELED, "%s",
			     message->text[0] ? message->text :
						"the other nodes run already");
		if (message->type == CR_PEER_WELCOME)
			member->on_failure = CR_ON_FAILURE_FAIL;
		agent_member_event(agent, CR_MEMBER_EV_GIVE_UP);
	}
}

static void abort_round(struct agent *agent,
			const struct cr_peer_message *message)
{
	struct agent_member *member = agent->member;

	if (member->has_order && message->round == member->order.round)
		member->has_order = 0;
	if (message->round != member->round)
		return;
	cr_error_set(&member->why, message->value, "%s", message->text);
	member->is_speaker = (message->flags & CR_PEER_SAY) != 0;
	agent_member_event(agent, CR_MEMBER_EV_ABORT);
}

void agent_member_hear(struct agent *agent,
		       const struct cr_peer_message *message)
{
	struct agent_member *member = agent->member;

	member->heard_ms = agent_now_ms();
	switch (message->type) {
	case CR_PEER_WELCOME:
	case CR_PEER_RESTART:
		restart(agent, message);
		break;
	case CR_PEER_MOVES:
		agent_tcp_member_hears(agent, message);
		break;
	case CR_PEER_FORWARD:
		forward(agent);
		break;
	case CR_PEER_CHECKPOINT:
		order(agent, message);
		break;
	case CR_PEER_PASS:
		if (message->round == member->round &&
		    (message->barrier == CR_BARRIER_COMMITTED ||
		     message->barrier == cr_member_barrier(member->phase)))
			agent_member_event(agent, CR_MEMBER_EV_PASS);
		break;
	case CR_PEER_ABORT:
		abort_round(agent, message);
		break;
	default:
		break;
	}
}

void agent_member_lead_lost(struct agent *agent)
{
	struct agent_member *member = agent->member;

	cr_error_set(&member->why, -ECONNRESET,
		     "the agent of node 0 has died or cannot be reached");
	member->is_speaker = 1;
	agent_member_event(agent, CR_MEMBER_EV_LEAD_LOST);
}

/* --- time --- */

static void check_silence(struct agent *agent)
{
	const int64_t limit = agent->config->timeout * 1000LL;
	struct agent_member *member = agent->member;
	const int64_t now = agent_now_ms();
	int64_t since = member->heard_ms;

	if (member->term_ms > since)
		since = member->term_ms;
	if (agent->phase == AGENT_SAVING && member->phase == CR_MEMBER_IDLE) {
		if (now - since <= limit)
			return;
		agent_say(agent, "checkpoint failed: the agent of node 0 does "
				 "not answer");
		agent_tell_ranks(agent, CR_MSG_NOT_SAVED, 0);
		forward(agent);
	} else if (member->phase >= CR_MEMBER_JOINING && !member->is_met) {
		if (now - since <= AGENT_JOIN_MS)
			return;
		cr_error_set(&member->why, -ETIMEDOUT,
			     "the agent of node 0 does not come back");
		member->on_failure = CR_ON_FAILURE_FAIL;
		member->is_speaker = 1;
		agent_member_event(agent, CR_MEMBER_EV_GIVE_UP);
	} else if (member->phase != CR_MEMBER_IDLE && member->is_met &&
		   now - since > limit) {
		agent_log(agent, LOG_WARNING,
			  "the lead agent has been silent for %lld s",
			  (long long)(now - since) / 1000);
		agent_meet_again(agent);
	}
}

/* It was to stop, and does not. */
static void check_worker(struct agent *agent)
{
	struct agent_worker *saver = agent->saver;

	if (agent->member->phase != CR_MEMBER_THAWING ||
	    agent_now_ms() - agent->member->thaw_ms < THAW_MS)
		return;
	agent_log(agent, LOG_ERR, "the worker does not stop: killed");
	agent->saver = NULL;
	agent_worker_cancel(saver);
	agent_member_event(agent, CR_MEMBER_EV_FAILED);
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	struct agent_member *member = agent->member;

	(void)fd;
	(void)what;
	if (is_remote(agent))
		check_silence(agent);
	check_worker(agent);
	if (member->phase == CR_MEMBER_IDLE && agent->phase != AGENT_SAVING)
		return;
	tell_progress(agent);
	agent_status_write(agent);
	arm(agent);
}

void agent_member_term(struct agent *agent)
{
	struct agent_member *member = agent->member;

	if (is_remote(agent)) {
		agent->phase = AGENT_SAVING;
		member->term_ms = agent_now_ms();
		arm(agent);
		agent_member_tell(agent, CR_PEER_TERM, 0, "");
	} else {
		agent_lead_term(agent, 0);
	}
}

/* --- beginning and end --- */

static void ring(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* Let something happen, for @ms at most. */
static void wait_event(struct agent *agent, int ms)
{
	const struct timeval time = { ms / 1000, ms % 1000 * 1000L };
	struct event *bell = evtimer_new(agent->base, ring, NULL);

	if (!bell)
		return;
	evtimer_add(bell, &time);
	event_base_loop(agent->base, EVLOOP_ONCE);
	event_free(bell);
}

int agent_member_start(struct agent *agent, struct cr_error *err)
{
	struct agent_member *member = calloc(1, sizeof(*member));

	agent->member = member;
	agent->seal = cr_seal_create(NULL, CR_SEAL_TTL);
	if (!member || !agent->seal)
		return cr_error_set(err, -ENOMEM, "no memory");
	member->sync_fd = -1;
	member->heard_ms = agent_now_ms();
	member->tick = evtimer_new(agent->base, tick, agent);
	if (!member->tick)
		return cr_error_set(err, -ENOMEM, "no event");
	return 0;
}

int agent_member_await_lead(struct agent *agent, struct cr_error *err)
{
	struct agent_member *member = agent->member;
	const int64_t until = agent_now_ms() + AGENT_JOIN_MS;
	int rc;

	while (!member->is_met && agent_now_ms() < until)
		wait_event(agent, 1000);
	if (!member->is_met)
		return cr_error_set(err, -ETIMEDOUT,
				    "the agent of node 0 does not come within "
				    "%d s",
				    AGENT_JOIN_MS / 1000);
	if (!agent->is_restart)
		return 0;
	/* for the clocks; if it fails the lead hears of it in its time */
	rc = agent_image_open(agent, member->generation, &member->why);
	if (rc)
		agent_log(agent, LOG_ERR, "checkpoint %u: %s",
			  member->generation, member->why.text);
	agent->keeper_generation = member->generation;
	return 0;
}

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
	struct cr_manifest part = {
		.job = step->job,
		.step = step->step,
		.uid = step->uid,
		.nr_nodes = step->nr_nodes,
		.nr_ranks = step->nr_ranks,
		.images = &image,
		.nr_images = 1,
	};
	struct cr_error err = { .text = "no memory" };
	char name[CR_MANIFEST_NAME_MAX];

	cr_manifest_name_left(name, step->node);
	if (!image.ranks || count_ended(agent, &part) ||
	    agent_tcp_note_addresses(agent, &part, &err) ||
	    cr_manifest_write_as(agent->step_dirfd, name, &part, &err))
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
	if (is_remote(agent) && may_send(member, CR_PEER_LEAVE))
		agent_link_flush(member->link, LEAVE_MS);
}
