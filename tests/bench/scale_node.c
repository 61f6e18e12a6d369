/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scale_node.c - one node of a step, without Slurm: we are slurmstepd
 *
 *	scale_node AGENT WORK-FOLDER NODES NODE NETWORK RUN RESTARTS INTERVAL
 *		PROGRAM ARGUMENT...
 *
 * Enters network namespace NETWORK, starts the agent as slurmstepd does, and
 * one rank through the plugin's own shepherd, whose output is added to
 *rank.NODE in WORK-FOLDER; the images are in cr below it.  Says "begun PID" (of
 *the agent) when the agent has said that it is ready.  At the first line of its
 *input the step is over: it waits for the rank to end, tells the agent and
 *ends. At the end of its input it is killed by whoever started it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "message.h"
#include "shepherd.h"

#define AGENT_FD 3
#define SETUP_TIMEOUT_MS 80000
#define FINISH_TIMEOUT_MS 60000
#define TIMEOUT_S 60 /* of agents: the machine is busy */

static struct cr_setup setup;

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "node %u: ", setup.step.node);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

static void enter_network(const char *name)
{
	char path[128], host[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) || unshare(CLONE_NEWUTS))
		die("%s: %s", path, strerror(errno));
	close(fd);
	snprintf(host, sizeof(host), "host-%s", name);
	if (sethostname(host, strlen(host)))
		die("sethostname: %s", strerror(errno));
}

static void fill_setup(char **argv)
{
	struct cr_config *config = &setup.config;
	struct cr_step *step = &setup.step;

	setup.size = sizeof(setup);
	cr_config_init(config);
	config->interval = (unsigned int)atoi(argv[7]);
	config->timeout = TIMEOUT_S;
	config->on_failure = CR_ON_FAILURE_FAIL;
	snprintf(config->dir, sizeof(config->dir), "%s/cr", argv[1]);
	snprintf(config->log, sizeof(config->log), "%s/log", argv[1]);
	step->job = 1;
	step->nr_nodes = step->nr_ranks = (uint32_t)atoi(argv[2]);
	step->node = (uint32_t)atoi(argv[3]);
	step->nr_local_ranks = 1;
	step->restart_count = (uint32_t)atoi(argv[6]);
	snprintf(step->name, sizeof(step->name), "1.0");
	snprintf(step->run, sizeof(step->run), "%s", argv[5]);
	snprintf(step->command, sizeof(step->command), "%s", argv[8]);
}

static pid_t start_agent(const char *path, int socket)
{
	char *const argv[] = { (char *)"spank_cr-agent", setup.step.name,
			       NULL };
	/* there is no slurmctld: whoever asks shall know at once */
	char *const envp[] = { (char *)"SLURM_CONF=/nowhere", NULL };
	pid_t pid = fork();

	if (pid == 0) {
		if (socket != AGENT_FD)
			dup2(socket, AGENT_FD);
		else
			fcntl(socket, F_SETFD, 0);
		close_range(AGENT_FD + 1, ~0U, 0);
		setsid();
		execve(path, argv, envp);
		_exit(127);
	}
	if (pid < 0)
		die("fork: %s", strerror(errno));
	return pid;
}

static void await_agent(int agent)
{
	struct cr_message answer;
	int rc = cr_setup_send(agent, &setup);

	if (!rc)
		rc = cr_message_receive(agent, &answer, NULL, SETUP_TIMEOUT_MS);
	if (rc)
		die("the agent does not start: %s", strerror(-rc));
	if (answer.type != CR_MSG_SETUP_DONE || answer.value < 0)
		die("the agent: %s", answer.text);
}

static void run_rank(int agent, const char *folder, char **program)
{
	static struct cr_shepherd shepherd = { .agent = -1, .lifeline = -1 };
	const uint32_t rank = setup.step.node;
	struct cr_error err = { 0 };
	char path[CR_CONFIG_PATH_MAX];
	int output, null;

	snprintf(path, sizeof(path), "%s/rank.%u", folder, rank);
	output = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	null = open("/dev/null", O_RDWR);
	if (output < 0 || null < 0)
		die("%s: %s", path, strerror(errno));
	dup2(null, 0);
	dup2(output, 1);
	dup2(output, 2);
	close_range(output, ~0U, 0);
	if (output != agent)
		close_range(3, (unsigned int)agent - 1, 0);
	if (cr_shepherd_enter(&shepherd, &agent, 1, rank, 0, &err))
		die("%s", err.text);
	close(agent);
	if (cr_shepherd_run(&shepherd, &err))
		die("%s", err.text);
	execv(program[0], program);
	die("%s: %s", program[0], strerror(errno));
}

static int finish(int agent, pid_t rank)
{
	struct cr_message answer = { 0 };
	int status;

	if (waitpid(rank, &status, 0) < 0)
		die("waitpid: %s", strerror(errno));
	if (status)
		die("its rank has ended with status %#x", status);
	if (cr_message_tell(agent, CR_MSG_FINISH, 0) ||
	    cr_message_receive(agent, &answer, NULL, FINISH_TIMEOUT_MS) ||
	    answer.type != CR_MSG_BYE)
		die("the agent does not answer at the end of the step");
	return 0;
}

int main(int argc, char **argv)
{
	int pair[2];
	pid_t agent, rank;

	if (argc < 10) {
		fprintf(stderr, "usage: see the head of scale_node.c\n");
		return 2;
	}
	fill_setup(argv + 1);
	enter_network(argv[5]);
	if (cr_message_pair(pair))
		die("no socket");
	agent = start_agent(argv[1], pair[1]);
	close(pair[1]);
	await_agent(pair[0]);
	rank = fork();
	if (rank == 0)
		run_rank(pair[0], argv[2], argv + 9);
	printf("begun %d\n", agent);
	fflush(stdout);
	if (getchar() == EOF)
		pause();
	finish(pair[0], rank);
	waitpid(agent, NULL, 0);
	return 0;
}
