/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_restart_deaths.c - tasks and coordinators that are killed at any moment
 *
 * While a random tree is restarted, one of its processes gets SIGKILL after a
 * random time.  Either it had been let go, and the restart has succeeded, or
 * the restart fails with ECANCELED: soon, not at its deadline, and nobody is
 * left.  The same with the coordinator: then all must go.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "cr_image.h"
#include "cr_namespace.h"
#include "cr_restart.h"
#include "made_image.h"
#include "random_history.h"

#define NR_ROUNDS 60
#define MAX_EVENTS 150
#define MAX_DELAY_US 60000
#define SOON_MS 20000 /* a loaded machine; the deadline is far beyond */
#define DEADLINE_MS 60000
#define PIDS_MAX 256

struct outcome {
	int rc;
	char text[CR_ERROR_TEXT_MAX];
};

/* Pid 1 of a namespace, from its birth on: its name comes later. */
static bool is_init(int pid)
{
	char path[64], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = !strncmp(line, "NSpid:", 6) &&
			!strcmp(strrchr(line, '\t'), "\t1\n");
	if (file)
		fclose(file);
	return found;
}

/* All below @pid but the namespace's init; init's children count. */
static size_t list_below(pid_t pid, pid_t *pids, size_t nr)
{
	char path[64];
	FILE *file;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	file = fopen(path, "re");
	while (file && nr < PIDS_MAX && fscanf(file, "%d", &child) == 1) {
		if (!is_init(child))
			pids[nr++] = child;
		nr = list_below(child, pids, nr);
	}
	if (file)
		fclose(file);
	return nr;
}

/* What happens when all wait at the gate. */
static enum {
	GATE_NONE,
	GATE_REFUSES,
	GATE_DIES,
} gate;

static int at_gate(void *arg, struct cr_error *err)
{
	(void)arg;
	if (gate == GATE_DIES)
		raise(SIGKILL);
	return cr_error_set(err, -ETIME, "another node has failed");
}

static void __attribute__((noreturn))
restart_and_tell(const char *path, int result_fd)
{
	struct cr_restart_options options = { .timeout_ms = DEADLINE_MS };
	struct cr_namespace ns = CR_NAMESPACE_NONE;
	struct cr_restart_result result = { 0 };
	struct cr_image *image = NULL;
	struct outcome outcome = { 0 };
	struct cr_error err = { 0 };

	outcome.rc = cr_image_open(AT_FDCWD, path, &image, &err);
	if (!outcome.rc)
		outcome.rc = cr_namespace_create(
			/* or all would die with it anyway */
			gate == GATE_DIES ? 0 : CR_NAMESPACE_DIES_WITH_CALLER,
			0, 0, &ns, &err);
	options.namespace_fd = ns.init_fd;
	options.at_gate = gate ? at_gate : NULL;
	if (!outcome.rc)
		outcome.rc = cr_restart(image, &options, &result, &err);
	memcpy(outcome.text, err.text, sizeof(outcome.text));
	for (size_t i = 0; i < result.nr_roots; i++) {
		kill(result.roots[i].pid, SIGKILL);
		waitpid(result.roots[i].pid, NULL, 0);
	}
	cr_namespace_destroy(&ns);
	_exit(write(result_fd, &outcome, sizeof(outcome)) < 0);
}

/* A restarter of a random tree; its outcome comes on *@fdp. */
static pid_t start(uint32_t seed, const char *path, int *fdp)
{
	struct made_task tasks[HISTORY_MAX] = { { 0 } };
	struct cr_wire_link links[HISTORY_MAX];
	struct cr_error err = { 0 };
	bool has_subreaper;
	int fds[2];
	size_t nr;
	pid_t pid;

	nr = random_links(seed, 0, MAX_EVENTS, links, &has_subreaper);
	for (size_t i = 0; i < nr; i++)
		tasks[i] = (struct made_task){ .vpid = links[i].vpid,
					       .parent = links[i].parent,
					       .pgid = links[i].pgid,
					       .sid = links[i].sid,
					       .flags = links[i].flags,
					       .sleeps = 1 };
	if (made_image(path, tasks, (uint32_t)nr, &err) < 0)
		fail_msg("%s", err.text);
	assert_return_code(pipe(fds), errno);
	pid = fork();
	if (pid == 0)
		restart_and_tell(path, fds[1]);
	close(fds[1]);
	*fdp = fds[0];
	return pid;
}

/* Wait until @restarter has tasks, and then a random time; who they are. */
static size_t wait_for_tasks(pid_t restarter, pid_t *pids)
{
	struct pollfd none = { .fd = -1 };

	for (int ms = 0; ms < 5000 && !list_below(restarter, pids, 0); ms++)
		poll(&none, 1, 1);
	usleep(random_below(MAX_DELAY_US));
	return list_below(restarter, pids, 0);
}

static void read_outcome(uint32_t seed, int fd, struct outcome *outcome)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	if (poll(&poll_fd, 1, SOON_MS) != 1)
		fail_msg("seed %u: the restart does not end", seed);
	assert_int_equal(read(fd, outcome, sizeof(*outcome)), sizeof(*outcome));
	close(fd);
}

static void a_task_killed_at_any_moment_ends_the_restart(void **state)
{
	const char *path = *state;
	unsigned int nr_failed = 0;

	for (uint32_t seed = 1; seed <= NR_ROUNDS; seed++) {
		struct outcome outcome;
		pid_t pids[PIDS_MAX], restarter;
		size_t nr;
		int fd;

		restarter = start(seed, path, &fd);
		random_state = seed;
		nr = wait_for_tasks(restarter, pids);
		if (nr)
			kill(pids[random_below((uint32_t)nr)], SIGKILL);
		read_outcome(seed, fd, &outcome);
		if (outcome.rc && outcome.rc != -ECANCELED)
			fail_msg("seed %u: %d, %s", seed, outcome.rc,
				 outcome.text);
		nr_failed += outcome.rc != 0;
		assert_int_equal(waitpid(restarter, NULL, 0), restarter);
	}
	print_message("%u of %u restarts failed\n", nr_failed, NR_ROUNDS);
	assert_true(nr_failed > 0); /* or the moments were all too late */
}

/* We are the subreaper of whom the coordinator leaves: nobody may be. */
static void a_killed_coordinator_takes_all_tasks_along(void **state)
{
	const char *path = *state;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (uint32_t seed = 1; seed <= NR_ROUNDS; seed++) {
		pid_t pids[PIDS_MAX], restarter;
		int fd, left = 0;

		restarter = start(seed, path, &fd);
		random_state = seed;
		wait_for_tasks(restarter, pids);
		kill(restarter, SIGKILL);
		for (int ms = 0; ms < SOON_MS; ms++) {
			while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
				;
			left = (int)list_below(getpid(), pids, 0);
			if (!left)
				break;
			usleep(1000);
		}
		if (left)
			fail_msg("seed %u: %d processes are left", seed, left);
		close(fd);
	}
}

static int count_left(void)
{
	pid_t pids[PIDS_MAX];
	int left = 1;

	for (int ms = 0; ms < SOON_MS && left; ms++) {
		while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
			;
		left = (int)list_below(getpid(), pids, 0);
		usleep(1000);
	}
	return left;
}

static void a_gate_that_refuses_ends_all_tasks(void **state)
{
	struct outcome outcome;
	int fd;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	gate = GATE_REFUSES;
	start(1, *state, &fd);
	read_outcome(1, fd, &outcome);
	gate = GATE_NONE;
	assert_int_equal(outcome.rc, -ETIME);
	assert_string_equal(outcome.text, "another node has failed");
	assert_int_equal(count_left(), 0);
}

/* All that is left of a killed restarter's namespaces. */
static void end_inits(void)
{
	char path[64];
	FILE *file;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", getpid(),
		 getpid());
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &child) == 1)
		kill(child, SIGKILL);
	if (file)
		fclose(file);
	while (waitpid(-1, NULL, __WALL) > 0)
		;
}

/* They have their own death signals by then. */
static void a_coordinator_killed_at_the_gate_lets_none_run(void **state)
{
	char end;
	int fd;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	gate = GATE_DIES;
	for (uint32_t seed = 1; seed <= 5; seed++) {
		start(seed, *state, &fd);
		assert_int_equal(read(fd, &end, 1), 0);
		close(fd);
		assert_int_equal(count_left(), 0);
		end_inits();
	}
	gate = GATE_NONE;
}

static int setup(void **state)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/test_restart_deaths.%d.img",
		 getpid());
	*state = path;
	return 0;
}

static int teardown(void **state)
{
	unlink(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_task_killed_at_any_moment_ends_the_restart, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_killed_coordinator_takes_all_tasks_along, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_gate_that_refuses_ends_all_tasks, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_coordinator_killed_at_the_gate_lets_none_run, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
