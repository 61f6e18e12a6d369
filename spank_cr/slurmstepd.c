/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slurmstepd.c - the plugin in slurmstepd and in the ranks' processes
 *
 * slurmstepd starts the agent before it forks any rank, and tells it when the
 * step is over.  Nothing here may make slurmstepd itself fail or hang: that
 * would drain the node.  What goes wrong is kept and fails the ranks.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "message.h"
#include "options.h"
#include "plugin.h"
#include "pmi_redirect.h"
#include "pmix_redirect.h"
#include "shepherd.h"
#include "slurm_step.h"

#define AGENT_NAME "spank_cr-agent"
#define AGENT_FD 3 /* the agent's end of the socket, in the agent */
#define SETUP_TIMEOUT_MS 30000
#define SETUP_NODES_TIMEOUT_MS 80000 /* of several nodes: for the lead, too */
#define KILLED_TIMEOUT_MS 10000
#define FINISH_TIMEOUT_MS 15000

static struct cr_setup setup;
static struct cr_error failure; /* why there is no agent, or no shepherd */
static struct cr_error warning; /* why the step runs without an agent */
/* Sockets, inherited by the ranks' processes: more than one where groups of
 * ranks that were apart when they were saved share a node now (layout.h). */
static int agents[CR_GROUPS_MAX];
static size_t nr_agents;
static struct cr_shepherd shepherd = { .agent = -1, .lifeline = -1 };

int spank_cr_stepd_init(spank_t spank, int argc, char **argv)
{
	cr_config_init(&setup.config);
	if (cr_config_parse_arguments(&setup.config, argc, argv, &failure) ||
	    cr_options_register(spank, &failure))
		spank_cr_fail(&failure);
	return ESPANK_SUCCESS;
}

static int get_variable(void *arg, const char *name, char *value, size_t size)
{
	spank_err_t rc = spank_getenv(arg, name, value, (int)size);

	if (rc == ESPANK_NOSPACE)
		return -E2BIG;
	return rc == ESPANK_SUCCESS;
}

/* Folder of this plugin, without a slash at its end. */
static int find_plugin(char *folder, size_t size)
{
	const char *slash;
	Dl_info info;

	if (!dladdr((void *)find_plugin, &info) || !info.dli_fname ||
	    !(slash = strrchr(info.dli_fname, '/')))
		return -ENOENT;
	return (size_t)snprintf(folder, size, "%.*s",
				(int)(slash - info.dli_fname),
				info.dli_fname) < size ?
		       0 :
		       -ENAMETOOLONG;
}

/* Where the agent is: said by the admin, beside this plugin (not installed
 * yet), or below the same prefix. */
static void find_agent(char *path, size_t size)
{
	char folder[CR_CONFIG_PATH_MAX];
	size_t length;

	snprintf(path, size, "%s", setup.config.agent);
	if (*path || find_plugin(folder, sizeof(folder)))
		return;
	snprintf(path, size, "%s/" AGENT_NAME, folder);
	if (access(path, X_OK) == 0)
		return;
	length = strlen(folder);
	if (length > strlen(SPANK_CR_PLUGIN_DIR))
		folder[length - strlen(SPANK_CR_PLUGIN_DIR)] = '\0';
	snprintf(path, size, "%s" SPANK_CR_AGENT_DIR "/" AGENT_NAME, folder);
}

/* In a fork of a threaded process: system calls only. */
static void __attribute__((noreturn))
execute_agent(const char *path, char *const argv[], char *const envp[],
	      int socket)
{
	sigset_t none;
	int null;

	if (fork() != 0)
		_exit(0); /* nobody's child: slurmstepd waits for its ranks */
	setsid();
	for (int signal = 1; signal < NSIG; signal++)
		sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL },
			  NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (socket == AGENT_FD)
		fcntl(socket, F_SETFD, 0);
	else
		dup2(socket, AGENT_FD);
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < AGENT_FD; fd++)
		dup2(null, fd);
	close_range(AGENT_FD + 1, ~0U, 0);
	if (chdir("/") == 0)
		execve(path, argv, envp);
	_exit(127);
}

static int spawn_agent(int socket, struct cr_error *err)
{
	char path[CR_CONFIG_PATH_MAX + 64], conf[CR_CONFIG_PATH_MAX];
	char *argv[] = { (char *)AGENT_NAME, setup.step.name, NULL };
	char *envp[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL,
			 NULL };
	const char *slurm_conf = getenv("SLURM_CONF");
	pid_t pid;

	find_agent(path, sizeof(path));
	if (access(path, X_OK) < 0)
		return cr_error_errno(err, "agent %s", path);
	if (slurm_conf) {
		snprintf(conf, sizeof(conf), "SLURM_CONF=%s", slurm_conf);
		envp[1] = conf;
	}
	pid = fork();
	if (pid < 0)
		return cr_error_errno(err, "fork the agent");
	if (pid == 0)
		execute_agent(path, argv, envp, socket);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

static void close_agents(void)
{
	while (nr_agents)
		close(agents[--nr_agents]);
}

/* It has its setup then, and is not asked yet what it makes of it. */
static int start_agent(struct cr_error *err)
{
	int pair[2], rc;

	rc = cr_message_pair(pair);
	if (rc)
		return cr_error_set(err, rc, "no socket: %s", strerror(-rc));
	setup.group = (uint32_t)nr_agents;
	agents[nr_agents++] = pair[0];
	rc = spawn_agent(pair[1], err);
	close(pair[1]);
	if (rc)
		return rc;
	rc = cr_setup_send(pair[0], &setup);
	return rc ? cr_error_set(err, rc, "the agent does not start: %s",
				 strerror(-rc)) :
		    0;
}

/* What agent number @i says of its setup. */
static int hear_agent(size_t i, struct cr_message *answer, struct cr_error *err)
{
	const int is_of_many = setup.step.nr_nodes > 1 || nr_agents > 1;
	int rc = cr_message_receive(agents[i], answer, NULL,
				    is_of_many ? SETUP_NODES_TIMEOUT_MS :
						 SETUP_TIMEOUT_MS);

	if (rc)
		return cr_error_set(err, rc, "the agent does not start: %s",
				    strerror(-rc));
	if (answer->type == CR_MSG_GROUPS && answer->value > 1 &&
	    answer->value <= CR_GROUPS_MAX)
		return 0;
	if (answer->type != CR_MSG_SETUP_DONE)
		return cr_error_set(err, -EPROTO, "the agent says %u",
				    answer->type);
	if (answer->value < 0)
		return cr_error_set(err, answer->value, "%s", answer->text);
	if (answer->value == CR_SETUP_WITHOUT)
		cr_error_set(&warning, -ENODEV, "no checkpoints: %s",
			     answer->text);
	return 0;
}

static int start_agents(struct cr_error *err)
{
	struct cr_message answer = { 0 };
	size_t next = 1;
	int rc;

	rc = start_agent(err);
	if (!rc)
		rc = hear_agent(0, &answer, err);
	if (!rc && answer.type == CR_MSG_GROUPS) {
		const size_t nr_wanted = (size_t)answer.value;

		while (!rc && nr_agents < nr_wanted)
			rc = start_agent(err);
		next = 0;
	}
	for (; !rc && next < nr_agents; next++)
		rc = hear_agent(next, &answer, err);
	if (rc || warning.code)
		close_agents();
	return rc;
}

/* A shell that somebody has opened from elsewhere, mostly in a job that is
 * running.  It does not come again with the job: its image would be left, be
 * in the way of the script's step with the same number, or greet the next
 * visitor with the old shell, which no longer has a controlling terminal. */
static int is_visit(spank_t spank, const struct cr_step *step)
{
	char text[4];

	return step->has_terminal &&
	       get_variable(spank, CR_STEP_OUTSIDE_VARIABLE, text,
			    sizeof(text)) == 1;
}

/* Steps that we can do something for. */
static int is_ours(spank_t spank, const struct cr_step *step)
{
	return step->step != CR_STEP_EXTERN &&
	       step->step != CR_STEP_INTERACTIVE && !is_visit(spank, step);
}

int spank_cr_stepd_init_post_opt(spank_t spank)
{
	if (failure.code)
		return ESPANK_SUCCESS;
	if (cr_config_parse_environment(&setup.config, get_variable, spank,
					&failure) ||
	    cr_options_apply(&setup.config, &failure) ||
	    !cr_config_is_active(&setup.config))
		return ESPANK_SUCCESS;
	if (cr_step_fill(spank, &setup.step, &failure) ||
	    !is_ours(spank, &setup.step))
		return ESPANK_SUCCESS;
	setup.size = sizeof(setup);
	start_agents(&failure);
	return ESPANK_SUCCESS;
}

/* In a rank's process.  Slurm runs the program whatever a hook returns here;
 * but somebody who asked for checkpoints would rather have it fail at once
 * than after a week. */
static void __attribute__((noreturn)) fail_rank(const struct cr_error *err)
{
	spank_cr_fail(err);
	_exit(1);
}

/*
 * Has Slurm put this process into a mount namespace that slurmstepd, and so the
 * agent, is not in?  job_container/tmpfs does, for a /tmp of the job's own.  In
 * the step's namespaces that would be the node's again.
 */
static int is_contained(void)
{
	char path[64];
	struct stat own, parent;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", getppid());
	return stat("/proc/self/ns/mnt", &own) == 0 &&
	       stat(path, &parent) == 0 && own.st_ino != parent.st_ino;
}

/* slurmstepd still has a word to say to this process: fail later. */
int spank_cr_stepd_task_init_privileged(spank_t spank)
{
	uint32_t rank, local;

	if (failure.code || !nr_agents)
		return ESPANK_SUCCESS;
	if (is_contained())
		cr_error_set(&warning, -EOPNOTSUPP,
			     "no checkpoints: the job has a mount namespace of "
			     "its own (JobContainerType)");
	else if (!cr_step_rank(spank, &rank, &local, &failure))
		cr_shepherd_enter(&shepherd, agents, nr_agents, rank, local,
				  &failure);
	close_agents();
	return ESPANK_SUCCESS;
}

static int is_script(spank_t spank)
{
	uint32_t step = 0;

	return spank_get_item(spank, S_JOB_STEPID, &step) == ESPANK_SUCCESS &&
	       step == CR_STEP_BATCH;
}

int spank_cr_stepd_task_init(spank_t spank)
{
	uint32_t rank, local;

	if (failure.code)
		fail_rank(&failure);
	if (warning.code && !cr_step_rank(spank, &rank, &local, NULL) &&
	    rank == 0)
		spank_cr_fail(&warning);
	if (shepherd.agent < 0)
		return ESPANK_SUCCESS;
	if (is_script(spank))
		cr_pmix_keep_out_of_tmp(spank);
	cr_pmix_redirect(spank, shepherd.agent);
	cr_pmi_redirect(spank, shepherd.agent);
	if (cr_shepherd_run(&shepherd, &failure))
		fail_rank(&failure);
	return ESPANK_SUCCESS;
}

/*
 * srun hears of it when we have returned.  If the agent has the job queued
 * again for it, the script is held by then, and does not see its srun fail.
 */
int spank_cr_stepd_task_exit(spank_t spank)
{
	static int is_told; /* once for the step */
	struct cr_message answer = { 0 };
	int status = 0;

	if (!nr_agents || is_told ||
	    spank_get_item(spank, S_TASK_EXIT_STATUS, &status) !=
		    ESPANK_SUCCESS ||
	    !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		return ESPANK_SUCCESS;
	is_told = 1;
	if (!cr_message_tell(agents[0], CR_MSG_KILLED, 0))
		cr_message_receive(agents[0], &answer, NULL, KILLED_TIMEOUT_MS);
	return ESPANK_SUCCESS;
}

int spank_cr_stepd_exit(void)
{
	struct cr_message answer = { 0 };
	int rc = 0;

	for (size_t i = 0; i < nr_agents; i++)
		rc |= cr_message_tell(agents[i], CR_MSG_FINISH, 0);
	for (size_t i = 0; i < nr_agents; i++)
		rc |= cr_message_receive(agents[i], &answer, NULL,
					 FINISH_TIMEOUT_MS) ||
		      answer.type != CR_MSG_BYE;
	if (rc)
		slurm_error("spank_cr: %s: the agent does not answer at the "
			    "end of the step",
			    setup.step.name);
	close_agents();
	return ESPANK_SUCCESS;
}
