// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcp_nodes.c - two trees on two nodes that talk by TCP are saved together and
 * go on on two other nodes with other addresses
 *
 *	tcp_nodes WORK-FOLDER PROGRAM [ROUNDS]
 *
 * A node is a network namespace and a process that calls libcr there; old and
 * new ones are joined by a veth pair each, so slow that much is under way.  We
 *are what brings nodes together: barriers over pipes, and ends of connections
 *matched across images.  PROGRAM is tcp_node.py, in the middle of sending both
 *ways by IPv4 and IPv6.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cr_checkpoint.h"
#include "cr_image.h"
#include "cr_namespace.h"
#include "cr_restart.h"
#include "cr_tcp.h"
#include "image_wire.h"
#include "target.h"

#define NODES 2
#define ARRIVAL_US 100000

struct node {
	pid_t holder; /* of the network namespace */
	pid_t pid; /* who calls libcr there; 0: nobody */
	int to, from; /* our ends of its pipes */
	char dir[256], image[256];
};

static struct node old_nodes[NODES], new_nodes[NODES];
static const char *const roles[NODES] = { "server", "client" };
static struct cr_tcp_peer *peers[NODES];
static size_t nr_peers[NODES];
static const char *program;

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

static void __attribute__((format(printf, 1, 2))) shell(const char *fmt, ...)
{
	char command[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	if (system(command) != 0)
		die("failed: %s", command);
}

/* ---- in a node */

static int up = -1, down = -1; /* our ends of the pipes to the others */

/* Wait until all nodes are here. */
static int barrier(void *arg, struct cr_error *err)
{
	char byte = 'b';

	(void)arg;
	if (write(up, &byte, 1) != 1 || read(down, &byte, 1) != 1)
		return cr_error_set(err, -ECANCELED, "the others are gone");
	return 0;
}

static void need(int rc, const struct cr_error *err, const char *role)
{
	if (rc < 0)
		die("%s: %s (%d)", role, err->text, rc);
}

static void enter_network(const struct node *node)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", node->holder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

static pid_t start_tree(const struct node *node, int which,
			struct cr_namespace *ns)
{
	struct cr_error err = { 0 };
	pid_t pid;

	need(cr_namespace_create(CR_NAMESPACE_DIES_WITH_CALLER, 0, 0, ns, &err),
	     &err, roles[which]);
	need(cr_namespace_enter(ns->init_fd, &err), &err, roles[which]);
	pid = fork();
	if (pid == 0) {
		close_range(3, ~0u, 0);
		setsid();
		execlp("python3", "python3", program, node->dir, roles[which],
		       NULL);
		_exit(127);
	}
	return pid;
}

static void await_file(const char *dir, const char *name)
{
	char path[512];
	int i;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	for (i = 0; access(path, F_OK) < 0; i++) {
		if (i > 3000)
			die("%s does not come", path);
		usleep(10000);
	}
}

static void save_tree(struct node *node, int which, pid_t root, pid_t init)
{
	struct cr_root roots = { .pid = root };
	struct cr_checkpoint_options options = {
		.roots = &roots,
		.nr_roots = 1,
		.init = init,
		.guess_streams = 1,
		.dirfd = AT_FDCWD,
		.name = node->image,
		.image_fd = -1,
		.peers_elsewhere = 1,
		.between_queues = barrier,
	};
	struct cr_checkpoint *checkpoint = NULL;
	struct cr_error err = { 0 };
	struct cr_tcp_end *ends;
	size_t nr_ends;

	need(cr_checkpoint_open(&options, &checkpoint, &err), &err, "open");
	need(cr_checkpoint_freeze(checkpoint, &err), &err, "freeze");
	need(barrier(NULL, &err), &err, "frozen");
	need(cr_checkpoint_save(checkpoint, &err), &err, roles[which]);
	need(cr_checkpoint_connections(checkpoint, &ends, &nr_ends, &err), &err,
	     "connections");
	if (nr_ends < 3)
		die("%s: %zu connections", roles[which], nr_ends);
	free(ends);
	need(cr_checkpoint_commit(checkpoint, &err), &err, "commit");
	need(barrier(NULL, &err), &err, "saved");
	need(cr_checkpoint_end(checkpoint, &err), &err, "end");
	cr_checkpoint_close(checkpoint);
}

/* /proc of the new mount namespace is the tree's: outside we see both. */
static void run_old(struct node *node, int which)
{
	struct cr_namespace ns = CR_NAMESPACE_NONE;
	struct cr_error err = { 0 };
	pid_t holder, root = 0;
	int pids[2];

	enter_network(node);
	if (pipe(pids) < 0)
		die("pipe");
	holder = fork();
	if (holder == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pids[0]);
		root = start_tree(node, which, &ns);
		(void)!write(pids[1], &ns.init, sizeof(ns.init));
		close(pids[1]);
		while (waitpid(root, NULL, 0) < 0 && errno == EINTR)
			;
		pause();
		_exit(0);
	}
	await_file(node->dir, "ready");
	{
		struct cr_checkpoint_options options = { 0 };
		struct cr_root found;

		need(cr_target(holder, &found, &options, &err), &err, "target");
		need(barrier(NULL, &err), &err, "ready");
		save_tree(node, which, found.pid, options.init);
	}
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
}

static void take_head(const char *name, struct cr_wire_head *head)
{
	struct cr_image *image = NULL;
	struct cr_record record;
	struct cr_error err = { 0 };

	need(cr_image_open(AT_FDCWD, name, &image, &err), &err, name);
	need(cr_image_next(image, &record, 0, &err), &err, name);
	memcpy(head, record.payload, sizeof(*head));
	cr_image_close(image);
}

static void set_address(struct cr_tcp_address *address, const char *text)
{
	memset(address, 0, sizeof(*address));
	if (strchr(text, ':')) {
		inet_pton(AF_INET6, text, address->ip);
		return;
	}
	memset(address->ip + 10, 0xff, 2);
	inet_pton(AF_INET, text, address->ip + 12);
}

static void run_new(struct node *node, int which)
{
	static const char *const addresses[][2] = {
		{ "10.9.0.1", "10.8.0.5" },
		{ "10.9.0.2", "10.8.0.6" },
		{ "fd09::1", "fd08::5" },
		{ "fd09::2", "fd08::6" },
	};
	struct cr_restart_root root = { .stream = { -1, 1, 2 } };
	struct cr_namespace ns = CR_NAMESPACE_NONE;
	struct cr_restart_result result = { 0 };
	struct cr_image *image = NULL;
	struct cr_error err = { 0 };
	struct cr_tcp_move moves[4];
	struct cr_wire_head head;
	struct cr_restart_options options = {
		.roots = &root,
		.nr_roots = 1,
		.tcp = { .moves = moves,
			 .nr_moves = 4,
			 .peers = peers[which],
			 .nr_peers = nr_peers[which] },
		.at_gate = barrier,
	};
	int i, status = -1;

	for (i = 0; i < 4; i++) {
		set_address(&moves[i].from, addresses[i][0]);
		set_address(&moves[i].to, addresses[i][1]);
	}
	enter_network(node);
	take_head(node->image, &head);
	need(cr_namespace_create(CR_NAMESPACE_DIES_WITH_CALLER,
				 head.monotonic_ns, head.boottime_ns, &ns,
				 &err),
	     &err, "namespace");
	options.namespace_fd = ns.init_fd;
	need(cr_image_open(AT_FDCWD, node->image, &image, &err), &err, "image");
	need(cr_restart(image, &options, &result, &err), &err, roles[which]);
	cr_image_close(image);
	need(barrier(NULL, &err), &err, "restarted");
	waitpid(result.roots[0].pid, &status, 0);
	if (status)
		die("%s ended with status %#x", roles[which], status);
	cr_namespace_destroy(&ns);
}

/* ---- who brings them together */

static void start_node(struct node *node, int which,
		       void (*run)(struct node *node, int which))
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		die("pipe");
	node->pid = fork();
	if (node->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		down = to[0];
		up = from[1];
		close(to[1]);
		close(from[0]);
		run(node, which);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	node->to = to[1];
	node->from = from[0];
}

/* All have come: all go on. */
static void meet(struct node *nodes, const char *what)
{
	char byte = 0;
	int i;

	for (i = 0; i < NODES; i++)
		if (read(nodes[i].from, &byte, 1) != 1)
			die("the %s did not come to: %s", roles[i], what);
	for (i = 0; i < NODES; i++)
		if (write(nodes[i].to, &byte, 1) != 1)
			die("the %s is gone: %s", roles[i], what);
}

static void end_nodes(struct node *nodes, const char *what)
{
	int i, status;

	for (i = 0; i < NODES; i++) {
		if (waitpid(nodes[i].pid, &status, 0) < 0 || status)
			die("%s: the %s has status %#x", what, roles[i],
			    status);
		nodes[i].pid = 0;
		close(nodes[i].to);
		close(nodes[i].from);
	}
}

static void make_namespace(struct node *node)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		die("pipe");
	node->holder = fork();
	if (node->holder == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) == 0)
			(void)!write(ready[1], "r", 1);
		close(ready[0]);
		close(ready[1]);
		pause();
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		die("no network namespace: %s", strerror(errno));
	close(ready[0]);
}

static void make_network(struct node *nodes, int net, const int hosts[NODES])
{
	int i;

	for (i = 0; i < NODES; i++)
		make_namespace(&nodes[i]);
	shell("ip link add crt0 netns %d type veth peer name crt0 netns %d",
	      nodes[0].holder, nodes[1].holder);
	for (i = 0; i < NODES; i++) {
		shell("nsenter -n -t %d sh -c 'ip link set lo up && "
		      "ip addr add 10.%d.0.%d/24 dev crt0 && "
		      "ip addr add fd%02d::%d/64 dev crt0 nodad && "
		      "ip link set crt0 up && "
		      "tc qdisc add dev crt0 root tbf rate 40mbit "
		      "burst 32k limit 4m'",
		      nodes[i].holder, net, hosts[i], net, hosts[i]);
	}
}

/* For every end in image @which the one in the other image. */
static void match(int which, const struct cr_tcp_end *own, size_t nr_own,
		  const struct cr_tcp_end *others, size_t nr_others)
{
	size_t i, j;

	peers[which] = calloc(nr_own + 1, sizeof(*peers[which]));
	nr_peers[which] = 0;
	for (i = 0; i < nr_own; i++) {
		struct cr_tcp_peer *peer = &peers[which][nr_peers[which]];

		if (own[i].has_peer || cr_tcp_end_waits(&own[i]))
			continue;
		for (j = 0; j < nr_others; j++)
			if (cr_tcp_is_match(&own[i], &others[j]))
				break;
		if (j == nr_others)
			die("vpid %u fd %u has no other end", own[i].vpid,
			    own[i].fd);
		*peer = (struct cr_tcp_peer){
			.local = own[i].local,
			.remote = own[i].remote,
			.kind = cr_tcp_end_waits(&others[j]) ?
					CR_TCP_PEER_WAITING :
					CR_TCP_PEER_END,
			.received = others[j].received,
			.window_end = others[j].window_end,
		};
		nr_peers[which]++;
	}
}

static void match_all(void)
{
	struct cr_tcp_end *ends[NODES];
	struct cr_error err = { 0 };
	size_t nr[NODES];
	int i;

	for (i = 0; i < NODES; i++) {
		struct cr_image *image = NULL;

		need(cr_image_open(AT_FDCWD, old_nodes[i].image, &image, &err),
		     &err, "image");
		need(cr_image_connections(image, &ends[i], &nr[i], &err), &err,
		     "connections");
		cr_image_close(image);
	}
	match(0, ends[0], nr[0], ends[1], nr[1]);
	match(1, ends[1], nr[1], ends[0], nr[0]);
	for (i = 0; i < NODES; i++) {
		if (nr_peers[i] < 3 - (size_t)!i)
			die("the %s has %zu peers", roles[i], nr_peers[i]);
		free(ends[i]);
	}
}

static void end_holders(struct node *nodes)
{
	int i;

	for (i = 0; i < NODES; i++) {
		kill(nodes[i].holder, SIGKILL);
		waitpid(nodes[i].holder, NULL, 0);
	}
}

static void run_round(const char *work, int number)
{
	const int old_hosts[NODES] = { 1, 2 }, new_hosts[NODES] = { 5, 6 };
	char path[512];
	int i;

	for (i = 0; i < NODES; i++) {
		snprintf(old_nodes[i].dir, sizeof(old_nodes[i].dir),
			 "%.200s/%d.%s", work, number, roles[i]);
		snprintf(old_nodes[i].image, sizeof(old_nodes[i].image),
			 "%.200s/%d.%s.image", work, number, roles[i]);
		if (mkdir(old_nodes[i].dir, 0777) < 0)
			die("%s: %s", old_nodes[i].dir, strerror(errno));
		new_nodes[i] = old_nodes[i];
	}
	make_network(old_nodes, 9, old_hosts);
	make_network(new_nodes, 8, new_hosts);
	for (i = 0; i < NODES; i++)
		start_node(&old_nodes[i], i, run_old);
	meet(old_nodes, "ready");
	usleep((useconds_t)(rand() % 300) * 1000);
	meet(old_nodes, "frozen");
	/* what is under way between the nodes arrives now */
	usleep(ARRIVAL_US);
	meet(old_nodes, "between queues");
	meet(old_nodes, "saved");
	end_nodes(old_nodes, "saving");
	match_all();
	for (i = 0; i < NODES; i++)
		start_node(&new_nodes[i], i, run_new);
	meet(new_nodes, "gate");
	meet(new_nodes, "restarted");
	usleep(200000);
	for (i = 0; i < NODES; i++) {
		snprintf(path, sizeof(path), "%.255s/check", new_nodes[i].dir);
		close(open(path, O_CREAT | O_WRONLY, 0666));
	}
	end_nodes(new_nodes, "going on");
	end_holders(old_nodes);
	end_holders(new_nodes);
	for (i = 0; i < NODES; i++)
		free(peers[i]);
}

int main(int argc, char **argv)
{
	char work[256];
	int round, rounds = argc > 3 ? atoi(argv[3]) : 1;

	if (argc < 3)
		die("usage: %s WORK-FOLDER PROGRAM [ROUNDS]", argv[0]);
	program = argv[2];
	srand((unsigned int)time(NULL));
	mkdir(argv[1], 0777);
	snprintf(work, sizeof(work), "%.200s/tcp_nodes.XXXXXX", argv[1]);
	if (!mkdtemp(work))
		die("%s: %s", work, strerror(errno));
	/* a node that ends early is told by its status */
	signal(SIGPIPE, SIG_IGN);
	for (round = 0; round < rounds; round++)
		run_round(work, round);
	shell("rm -rf %s", work);
	return 0;
}
