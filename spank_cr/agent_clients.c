/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_clients.c - an srun in a batch script's tree
 *
 * It holds connections that lead out of the tree, so such a tree is not
 * saved before it has parked (park.h).  Until then the script must be held, or
 * it would see the srun end and go on with its next line, while the srun still
 * has output to deliver.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "advice.h"
#include "agent.h"
#include "agent_park.h"
#include "park.h"

#define DEPTH_MAX 64

/* Put the name of process @pid into @name; its state, '?' if it is gone. */
static char read_stat(pid_t pid, char name[32])
{
	char path[64], line[256] = "", state = '?';
	const char *begin, *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return '?';
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	begin = strchr(line, '(');
	end = strrchr(line, ')');
	if (!begin || !end || sscanf(end + 1, " %c", &state) != 1)
		return '?';
	snprintf(name, 32, "%.*s", (int)(end - begin - 1), begin + 1);
	return state;
}

/* A zombie has no name: its parent, which we hold, does not reap it. */
static int has_name(pid_t pid, const char *wanted)
{
	char name[32], state = read_stat(pid, name);

	return state != '?' && state != 'Z' && !strcmp(name, wanted);
}

int agent_clients_is_stopped(pid_t pid)
{
	char name[32];

	return read_stat(pid, name) == 'T';
}

static int is_srun(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(slash ? slash + 1 : path, "srun");
}

/* A script around srun that has its name is not one: then its shell is the
 * program, and the first word. */
static int is_program(pid_t pid)
{
	char path[64], word[4096] = "";
	ssize_t length;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	length = readlink(path, word, sizeof(word) - 1);
	word[length > 0 ? length : 0] = '\0';
	if (is_srun(word))
		return 1;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	length = (ssize_t)fread(word, 1, sizeof(word) - 1, file);
	word[length] = '\0';
	fclose(file);
	return is_srun(word);
}

static int is_client(pid_t pid)
{
	return has_name(pid, "srun") && is_program(pid);
}

int agent_clients_is_running(pid_t pid)
{
	return is_client(pid);
}

int agent_clients_is_parked(pid_t pid)
{
	return has_name(pid, CR_PARK_NAME);
}

typedef int (*visitor)(pid_t pid, int signal);

static int walk(pid_t pid, pid_t without, int depth, visitor visit, int signal);

static int walk_children(pid_t pid, pid_t without, int depth, visitor visit,
			 int signal)
{
	char path[64];
	FILE *file;
	pid_t child;
	int rc = 0;

	/* of the main thread: shells have no others */
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (!rc && fscanf(file, "%d", &child) == 1)
		if (child != without)
			rc = walk(child, without, depth + 1, visit, signal);
	fclose(file);
	return rc;
}

/* What stops goes from the top down: nobody starts a child behind our back.
 * What goes on, from below: a parent that waits for stopped children, a shell
 * with job control, finds none. */
static int walk(pid_t pid, pid_t without, int depth, visitor visit, int signal)
{
	int rc = signal == SIGCONT ? 0 : visit(pid, signal);

	if (!rc && depth < DEPTH_MAX)
		rc = walk_children(pid, without, depth, visit, signal);
	return !rc && signal == SIGCONT ? visit(pid, signal) : rc;
}

/* Call @visit for all of the script, also what its parent has left to init;
 * stops at the first that returns other than 0, and returns that. */
static int walk_script(const struct agent *agent, visitor visit, int signal)
{
	const pid_t root = agent->ranks[0].program;
	int rc;

	if (root <= 0)
		return 0;
	rc = walk(root, 0, 0, visit, signal);
	if (!rc && agent->keeper.init > 0)
		rc = walk_children(agent->keeper.init, root, 0, visit, signal);
	return rc;
}

static int visit_client(pid_t pid, int signal)
{
	(void)signal;
	return is_client(pid);
}

static int visit_other(pid_t pid, int signal)
{
	if (!is_client(pid) && !agent_clients_is_parked(pid))
		kill(pid, signal);
	return 0;
}

static int visit_stopped(pid_t pid, int signal)
{
	if (agent_clients_is_stopped(pid))
		kill(pid, signal);
	return 0;
}

static int (*visit_each)(pid_t client);

static int visit_if_client(pid_t pid, int signal)
{
	(void)signal;
	return is_client(pid) ? visit_each(pid) : 0;
}

int agent_clients_each(const struct agent *agent, int (*visit)(pid_t client))
{
	visit_each = visit;
	return walk_script(agent, visit_if_client, 0);
}

static int signal_parked(pid_t pid, int signal)
{
	if (agent_clients_is_parked(pid))
		kill(pid, signal);
	return 0;
}

void agent_clients_signal_parked(const struct agent *agent, int signal)
{
	walk_script(agent, signal_parked, signal);
}

int agent_clients_any(const struct agent *agent)
{
	return walk_script(agent, visit_client, 0);
}

/* Does this srun start an mpirun's daemons?  Then one of its words is their
 * name. */
static int starts_daemons(pid_t client)
{
	char path[64], words[4096], *word = words;
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", client);
	file = fopen(path, "re");
	if (!file)
		return 0;
	length = fread(words, 1, sizeof(words) - 1, file);
	words[length] = '\0';
	fclose(file);
	for (; word < words + length; word += strlen(word) + 1)
		if (cr_advice_is_daemon(word))
			return 1;
	return 0;
}

static int visit_starter(pid_t pid, int signal)
{
	(void)signal;
	return is_client(pid) && starts_daemons(pid);
}

int agent_clients_any_starter(const struct agent *agent)
{
	return walk_script(agent, visit_starter, 0);
}

void agent_clients_explain(struct agent *agent)
{
	if (agent->has_explained || !agent_clients_any_starter(agent))
		return;
	agent->has_explained = 1;
	agent_say(agent, CR_ADVICE_MPIRUN);
}

void agent_clients_signal_others(const struct agent *agent, int signal)
{
	walk_script(agent, visit_other, signal);
}

void agent_clients_continue_stopped(const struct agent *agent)
{
	walk_script(agent, visit_stopped, SIGCONT);
}
