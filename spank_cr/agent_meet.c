/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_meet.c - a member finds the lead, and finds it again
 *
 * lead.json in the step's folder says where it listens.  The addresses are
 * tried one after the other until one answers as only the lead can.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>
#include <unistd.h>

#include "agent_peers.h"
#include "generation.h"

#define TRY_MS                                                        \
	2000 /* for one address, and one more for each node: the lead \
	      * answers one after the other */
#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 2000
#define LINGER_MS 5000
#define LINGER_LOOK_MS 50

static void arm(struct agent *agent, int ms)
{
	const struct timeval time = { ms / 1000, ms % 1000 * 1000L };

	evtimer_add(agent->member->meet, &time);
}

static void arm_later(struct agent *agent)
{
	struct agent_member *member = agent->member;

	member->meet_ms *= 2;
	if (member->meet_ms > PAUSE_MAX_MS)
		member->meet_ms = PAUSE_MAX_MS;
	if (member->meet_ms < PAUSE_MIN_MS)
		member->meet_ms = PAUSE_MIN_MS;
	arm(agent, member->meet_ms);
}

static void lost(struct agent_link *link)
{
	struct agent *agent = link->agent;
	struct agent_member *member = agent->member;
	int was_met = member->is_met;

	agent_link_destroy(link);
	member->link = NULL;
	member->is_met = 0;
	/* read lead.json again: a lead that comes again listens elsewhere */
	if (was_met)
		member->next_address = CR_RENDEZVOUS_ADDRESSES_MAX;
	if (was_met || member->next_address < member->rendezvous.nr_addresses)
		arm(agent, 0);
	else
		arm_later(agent);
	if (!was_met)
		return;
	agent_log(agent, LOG_WARNING, "the lead agent is lost");
	member->meet_ms = 0;
	agent_member_lead_lost(agent);
}

static void heard(struct agent_link *link,
		  const struct cr_peer_message *message)
{
	struct agent_member *member = link->agent->member;

	if (!member->is_met && message->type == CR_PEER_WELCOME) {
		agent_log(link->agent, LOG_INFO, "met the lead agent of run %s",
			  member->rendezvous.run);
		member->is_met = 1;
		member->meet_ms = 0;
	}
	agent_member_hear(link->agent, message);
}

static void connected(struct agent_link *link)
{
	struct cr_peer_message hello = { .type = CR_PEER_HELLO };

	gethostname(hello.text, sizeof(hello.text) - 1);
	agent_link_send(link, &hello);
}

static struct agent_link *make_link(struct agent *agent)
{
	struct agent_link *link = agent_link_create(agent, -1);

	if (!link)
		return NULL;
	link->heard = heard;
	link->lost = lost;
	link->connected = connected;
	link->expect = (struct cr_peer_expect){
		.job = agent->step->job,
		.step = agent->step->step,
		.from = 0,
		.to = agent->step->node,
		.nr_nodes = agent->step->nr_nodes,
	};
	memcpy(link->expect.nonce, agent->member->rendezvous.nonce,
	       CR_PEER_NONCE);
	while (!link->expect.session)
		(void)!getrandom(&link->expect.session,
				 sizeof(link->expect.session), 0);
	return link;
}

/* The folder may have changed its name since: see claim.h. */
static int read_lead(struct agent *agent)
{
	struct agent_member *member = agent->member;
	struct cr_error err = { 0 };
	int fd, rc;

	fd = cr_generation_open_step(agent->dirfd, agent->step, 0, NULL);
	if (fd < 0)
		return fd;
	rc = cr_rendezvous_read(fd, agent->step, &member->rendezvous, &err);
	if (rc == -EPERM || rc == -EBADMSG)
		agent_log(agent, LOG_WARNING, "%s", err.text);
	if (rc) {
		close(fd);
		return rc;
	}
	cr_rendezvous_sort(&member->rendezvous);
	member->next_address = 0;
	if (agent->step_dirfd >= 0)
		close(agent->step_dirfd);
	agent->step_dirfd = fd;
	return 0;
}

static int try_ms(const struct agent *agent)
{
	return TRY_MS + (int)agent->step->nr_nodes;
}

static void try_next(struct agent *agent)
{
	struct agent_member *member = agent->member;
	const struct cr_rendezvous *r = &member->rendezvous;

	if (member->next_address >= r->nr_addresses && read_lead(agent)) {
		arm_later(agent);
		return;
	}
	member->link = make_link(agent);
	if (!member->link) {
		arm_later(agent);
		return;
	}
	member->try_until_ms = agent_now_ms() + try_ms(agent);
	arm(agent, try_ms(agent));
	agent_link_connect(member->link, &r->addresses[member->next_address++]);
}

static void meet(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	struct agent_member *member = agent->member;

	(void)fd;
	(void)what;
	if (member->is_met)
		return;
	if (member->link && agent_now_ms() < member->try_until_ms) {
		arm(agent, try_ms(agent));
		return;
	}
	agent_link_destroy(member->link);
	member->link = NULL;
	try_next(agent);
}

void agent_meet_start(struct agent *agent)
{
	agent->member->meet = evtimer_new(agent->base, meet, agent);
	if (agent->member->meet)
		arm(agent, 0);
}

void agent_meet_again(struct agent *agent)
{
	if (agent->member->link)
		lost(agent->member->link);
}

static void linger_on(struct agent *agent)
{
	const struct timeval look = { 0, LINGER_LOOK_MS * 1000L };

	evtimer_add(agent->member->linger, &look);
}

static void linger(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	struct agent_member *member = agent->member;

	(void)fd;
	(void)what;
	if (!member->is_met && agent_now_ms() < member->linger_until_ms) {
		linger_on(agent);
		return;
	}
	agent_member_leave(agent, member->leave);
	event_base_loopbreak(agent->base);
}

int agent_meet_linger(struct agent *agent, int leave)
{
	struct agent_member *member = agent->member;

	if (agent->lead || member->is_met)
		return 0;
	member->linger = evtimer_new(agent->base, linger, agent);
	if (!member->linger)
		return 0;
	member->leave = leave;
	member->linger_until_ms = agent_now_ms() + LINGER_MS;
	linger_on(agent);
	return 1;
}
