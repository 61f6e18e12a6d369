/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mpirun_node.c - one task of the step that an mpirun is run as
 *
 * Waits for orders of cr-launch, starts what they say, and tells how that
 * ended.  The first node runs the mpirun, too, and holds a connection to each
 * of the others: when that ends, the mpirun is over.  All that can be
 * checkpointed at any time: it is sockets, a signalfd and children.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mpirun.h"

#define GATHER_MS 60000 /* until all nodes are there */
#define END_MS 2000 /* for daemons to end by themselves, and by SIGTERM */
#define PARTING_MS 15000 /* for the other nodes to do that */

struct node {
	char step[MPIRUN_STEP_MAX];
	const char *name;
	int is_first;
	int listener, signals;
	sigset_t mask; /* of what we start */
	struct mpirun_connection *connections;
	struct mpirun_holds holds; /* if this is the first */
	pid_t program; /* the mpirun */
	int status; /* its, as of waitpid(2) */
	int is_held; /* the first node has come */
	int is_over;
};

static void say(const struct node *node, const char *what, const char *why)
{
	fprintf(stderr, "cr-mpirun: %s: %s: %s\n", node->name, what, why);
}

/* --- what is started --- */

static pid_t start(const struct node *node, char *const *argv, int is_program)
{
	pid_t pid = fork();
	int null;

	if (pid)
		return pid;
	sigprocmask(SIG_SETMASK, &node->mask, NULL);
	if (!is_program) {
		setpgid(0, 0);
		null = open("/dev/null", O_RDONLY);
		if (null > 0) {
			dup2(null, 0);
			close(null);
		}
	}
	execvp(argv[0], argv);
	say(node, argv[0], strerror(errno));
	_exit(127);
}

static int start_program(struct node *node, char *const *argv)
{
	node->program = start(node, argv, 1);
	if (node->program < 0)
		say(node, argv[0], strerror(errno));
	return node->program < 0 ? -1 : 0;
}

static void run(struct node *node, struct mpirun_connection *connection,
		const char *command)
{
	char *const argv[] = { "/bin/sh", "-c", (char *)command, NULL };

	connection->child = start(node, argv, 0);
	if (connection->child < 0) {
		say(node, "fork", strerror(errno));
		connection->child = 0;
		mpirun_connection_say(connection, 1 << 8);
	}
}

static void signal_children(const struct node *node, int signal)
{
	for (const struct mpirun_connection *i = node->connections; i;
	     i = i->next)
		if (i->child > 0)
			kill(-i->child, signal);
}

static void ended(struct node *node, pid_t pid, int status)
{
	if (pid == node->program) {
		node->program = 0;
		node->status = status;
		node->is_over = 1;
	}
	for (struct mpirun_connection *i = node->connections; i; i = i->next) {
		if (i->child != pid)
			continue;
		i->child = 0;
		mpirun_connection_say(i, (uint32_t)status);
	}
}

/* True while there are children. */
static int reap(struct node *node)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		ended(node, pid, status);
	return pid == 0;
}

static void handle_signals(struct node *node)
{
	struct signalfd_siginfo info;

	while (read(node->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD && node->program > 0)
			kill(node->program, (int)info.ssi_signo);
	reap(node);
}

/* --- orders --- */

static void obey(struct node *node, struct mpirun_connection *connection)
{
	struct mpirun_order order;
	struct cr_error err = { 0 };
	void *bytes;

	if (mpirun_order_open(connection->text, &order, &bytes, &err)) {
		say(node, "an order is not obeyed", err.text);
		shutdown(connection->fd, SHUT_RDWR);
		return;
	}
	if (strcmp(order.step, node->step) != 0) {
		say(node, "an order for another step", order.step);
		shutdown(connection->fd, SHUT_RDWR);
	} else {
		mpirun_connection_say(connection, MPIRUN_ACCEPTED);
		if (order.kind == MPIRUN_RUN)
			run(node, connection, order.command);
		else
			connection->is_hold = node->is_held = 1;
	}
	free(bytes);
}

static void accept_one(struct node *node)
{
	int fd = accept4(node->listener, NULL, NULL, SOCK_CLOEXEC);
	struct mpirun_connection *connection;

	if (fd < 0)
		return;
	connection = calloc(1, sizeof(*connection));
	if (!connection) {
		close(fd);
		return;
	}
	connection->fd = fd;
	connection->next = node->connections;
	node->connections = connection;
}

/* Who has given it has gone: what it has started goes on, but for the hold. */
static void lost(struct node *node, struct mpirun_connection *connection)
{
	if (connection->is_hold)
		node->is_over = 1;
	close(connection->fd);
	connection->fd = -1;
}

static void forget_those_over(struct node *node)
{
	struct mpirun_connection **link = &node->connections, *gone;

	while (*link) {
		gone = *link;
		if (gone->fd >= 0 || gone->child > 0) {
			link = &gone->next;
			continue;
		}
		*link = gone->next;
		mpirun_connection_close(gone);
	}
}

static void hear(struct node *node, const struct pollfd *pollfds)
{
	struct mpirun_connection *connection = node->connections;
	int rc;

	for (; connection; connection = connection->next) {
		if (connection->fd < 0 || !(pollfds++)->revents)
			continue;
		rc = mpirun_connection_read(connection);
		if (rc == 1)
			obey(node, connection);
		else if (rc < 0)
			lost(node, connection);
	}
	forget_those_over(node);
}

/* Wait for something to happen, and do what follows. */
static void step_once(struct node *node, int timeout_ms)
{
	struct pollfd *pollfds;
	size_t nr = 2;

	for (const struct mpirun_connection *i = node->connections; i;
	     i = i->next)
		nr += i->fd >= 0;
	pollfds = calloc(nr, sizeof(*pollfds));
	if (!pollfds)
		return;
	pollfds[0] = (struct pollfd){ .fd = node->signals, .events = POLLIN };
	pollfds[1] = (struct pollfd){ .fd = node->listener, .events = POLLIN };
	nr = 2;
	for (const struct mpirun_connection *i = node->connections; i;
	     i = i->next)
		if (i->fd >= 0)
			pollfds[nr++] = (struct pollfd){ .fd = i->fd,
							 .events = POLLIN };
	if (poll(pollfds, nr, timeout_ms) > 0) {
		hear(node, pollfds + 2); /* before there are new ones */
		if (pollfds[0].revents)
			handle_signals(node);
		if (pollfds[1].revents)
			accept_one(node);
	}
	free(pollfds);
}

/* --- the beginning --- */

static int listen_somewhere(struct node *node)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	const int one = 1;

	node->listener =
		socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (node->listener < 0)
		return -errno;
	setsockopt(node->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	for (unsigned int i = 0; i < MPIRUN_NR_PORTS; i++) {
		address.sin_port = htons(mpirun_port(node->step, i));
		if (!bind(node->listener, (struct sockaddr *)&address,
			  sizeof(address)))
			return listen(node->listener, SOMAXCONN) ? -errno : 0;
	}
	return -errno;
}

static int prepare(struct node *node)
{
	const char *job = getenv("SLURM_JOB_ID"),
		   *step = getenv("SLURM_STEP_ID");
	const char *id = getenv("SLURM_NODEID"),
		   *name = getenv("SLURMD_NODENAME");
	sigset_t all;
	int rc;

	node->name = name ? name : "?";
	if (!job || !step || !id) {
		say(node, "not in a step", "SLURM_STEP_ID is not set");
		return -EINVAL;
	}
	node->is_first = !strcmp(id, "0");
	snprintf(node->step, sizeof(node->step), "%s.%s", job, step);
	setenv(MPIRUN_STEP_VARIABLE, node->step, 1);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &node->mask);
	node->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (node->signals < 0) {
		say(node, "signalfd", strerror(errno));
		return -errno;
	}
	rc = listen_somewhere(node);
	if (rc)
		say(node, "no port to listen at", strerror(-rc));
	return rc;
}

/* --- the end --- */

/* What has been started ends by itself, or by SIGTERM, or for good. */
static void end_children(struct node *node)
{
	static const int signals[] = { 0, SIGTERM, SIGKILL };
	int64_t deadline;

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		if (signals[i])
			signal_children(node, signals[i]);
		deadline = mpirun_now_ms() + END_MS;
		while (reap(node) && mpirun_now_ms() < deadline)
			step_once(node, 50);
	}
}

static int run_first(struct node *node, char **argv)
{
	struct cr_error err = { 0 };

	/* from now on the others are there as long as we are */
	if (mpirun_holds_take(&node->holds, node->step, GATHER_MS, &err)) {
		say(node, "a node of the step is not there", err.text);
		return 1;
	}
	mpirun_environment_put_back();
	if (start_program(node, argv))
		return 1;
	while (!node->is_over)
		step_once(node, -1);
	end_children(node);
	/* so that nobody takes our exit for a failure */
	mpirun_holds_end(&node->holds, PARTING_MS);
	return WIFSIGNALED(node->status) ? 128 + WTERMSIG(node->status) :
					   WEXITSTATUS(node->status);
}

static int run_other(struct node *node)
{
	const int64_t deadline = mpirun_now_ms() + GATHER_MS;

	while (!node->is_held && mpirun_now_ms() < deadline)
		step_once(node, 1000);
	if (!node->is_held) {
		say(node, "nobody has come",
		    "the step's first node is missing");
		return 1;
	}
	while (!node->is_over)
		step_once(node, -1);
	end_children(node);
	return 0;
}

int mpirun_node(char **argv)
{
	struct node node = { .listener = -1, .signals = -1 };

	if (prepare(&node))
		return 1;
	return node.is_first ? run_first(&node, argv) : run_other(&node);
}
