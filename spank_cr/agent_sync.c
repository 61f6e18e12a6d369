/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_sync.c - both sides of agent_sync.h
 *
 * Each message is a packet.  The end of the socket says that the other side
 * has died.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent_hold.h"
#include "agent_peers.h"
#include "agent_sync.h"

enum what {
	ARRIVED = 1,
	PROGRESS,
	GO,
	ABORT,
	DECIDE,
};

struct packet {
	uint32_t what, barrier;
	uint64_t done; /* of ARRIVED: the count */
	uint64_t total;
};

/* --- in the agent --- */

static void progressed(struct agent *agent, const struct packet *packet)
{
	struct agent_member *member = agent->member;

	member->bytes_done = packet->done;
	member->bytes_total = packet->total;
}

static void arrived(struct agent *agent, const struct packet *packet)
{
	agent->member->arrived_count = packet->done;
	agent_member_event(agent, CR_MEMBER_EV_ARRIVED);
}

static void readable(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	struct packet packet;
	ssize_t n;

	(void)what;
	n = recv((int)fd, &packet, sizeof(packet), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(packet)) {
		/* how it ended comes with its result */
		event_del(agent->member->sync_event);
		return;
	}
	if (packet.what == PROGRESS)
		progressed(agent, &packet);
	else if (packet.what == ARRIVED &&
		 packet.barrier == cr_member_barrier(agent->member->phase))
		arrived(agent, &packet);
}

/* Returns the worker's end. */
static int open_socket(struct agent *agent)
{
	struct agent_member *member = agent->member;
	int fds[2];

	agent_sync_close(agent);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	member->sync_fd = fds[0];
	member->sync_event = event_new(agent->base, fds[0],
				       EV_READ | EV_PERSIST, readable, agent);
	event_add(member->sync_event, NULL);
	return fds[1];
}

int agent_sync_start(struct agent *agent,
		     int (*start)(struct agent *agent, int sync_fd,
				  struct cr_error *err),
		     struct cr_error *err)
{
	int fd = open_socket(agent), rc;

	if (fd < 0)
		return cr_error_set(err, fd, "no socket for a worker");
	agent->member->worker_fd = fd;
	rc = start(agent, fd, err);
	close(fd);
	return rc;
}

void agent_sync_close(struct agent *agent)
{
	struct agent_member *member = agent->member;

	if (!member || member->sync_fd < 0)
		return;
	event_free(member->sync_event);
	close(member->sync_fd);
	member->sync_event = NULL;
	member->sync_fd = -1;
}

static void tell(int fd, uint32_t what, uint32_t barrier, uint64_t done,
		 uint64_t total, int flags)
{
	const struct packet packet = { what, barrier, done, total };

	/* if it is gone we will hear of it */
	if (fd >= 0)
		(void)!send(fd, &packet, sizeof(packet), MSG_NOSIGNAL | flags);
}

void agent_sync_go(struct agent *agent)
{
	tell(agent->member->sync_fd, GO, 0, 0, 0, MSG_DONTWAIT);
}

void agent_sync_abort(struct agent *agent)
{
	tell(agent->member->sync_fd, ABORT, 0, 0, 0, MSG_DONTWAIT);
}

void agent_sync_decide(struct agent *agent)
{
	tell(agent->member->sync_fd, DECIDE, 0, 0, 0, MSG_DONTWAIT);
}

/* --- in the worker --- */

static int socket_fd = -1;

void agent_sync_use(int fd)
{
	socket_fd = fd;
}

enum agent_sync_answer agent_sync_reach(enum cr_barrier barrier, uint64_t count)
{
	struct packet packet;
	ssize_t n;

	if (socket_fd < 0)
		return AGENT_SYNC_GO;
	agent_hold(cr_barrier_name(barrier), NULL);
	tell(socket_fd, ARRIVED, barrier, count, 0, 0);
	do {
		n = recv(socket_fd, &packet, sizeof(packet), 0);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(packet) || packet.what == DECIDE)
		return AGENT_SYNC_LOST;
	return packet.what == GO ? AGENT_SYNC_GO : AGENT_SYNC_ABORT;
}

int agent_sync_pass(enum cr_barrier barrier, uint64_t count,
		    struct cr_error *err)
{
	if (agent_sync_reach(barrier, count) == AGENT_SYNC_GO)
		return 0;
	return cr_error_set(err, -ECANCELED,
			    "another node has failed before it was %s",
			    cr_barrier_name(barrier));
}

void agent_sync_progress(uint64_t done, uint64_t total)
{
	if (socket_fd >= 0)
		tell(socket_fd, PROGRESS, 0, done, total, MSG_DONTWAIT);
}

int agent_sync_is_aborted(void)
{
	struct packet packet;
	ssize_t n;

	if (socket_fd < 0)
		return 0;
	n = recv(socket_fd, &packet, sizeof(packet), MSG_DONTWAIT | MSG_PEEK);
	/* none yet, or the agent's end */
	return n == 0 || (n == sizeof(packet) && packet.what == ABORT);
}
