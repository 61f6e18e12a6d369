/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_restart_trees.c - random trees, restarted for real
 *
 * test_plan executes plans on a model; here the kernel is the judge: images
 * of the trees that random histories leave are restarted in fresh namespaces,
 * and /proc must show the saved parents, sessions, groups and zombies.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "cr_image.h"
#include "cr_namespace.h"
#include "cr_restart.h"
#include "made_image.h"
#include "random_history.h"

#define NR_TREES 60
#define MAX_EVENTS 150
#define TASKS_MAX 400
#define TEXT_MAX 1024

/* A process as /proc shows it; numbers as in its own namespace. */
struct seen {
	pid_t pid; /* as we see it */
	uint32_t vpid, pgid, sid;
	bool is_zombie;
};

struct outcome {
	int rc;
	char text[TEXT_MAX]; /* "" if the tree is right */
};

/* The last number of a line such as "NSpid:	812	7". */
static uint32_t last_number(const char *line)
{
	const char *tab = strrchr(line, '\t');

	return tab ? (uint32_t)strtoul(tab, NULL, 10) : 0;
}

static bool see(pid_t pid, struct seen *seen)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	memset(seen, 0, sizeof(*seen));
	seen->pid = pid;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "State:\tZ", 8) == 0)
			seen->is_zombie = true;
		else if (strncmp(line, "NStgid:", 7) == 0)
			seen->vpid = last_number(line);
		else if (strncmp(line, "NSpgid:", 7) == 0)
			seen->pgid = last_number(line);
		else if (strncmp(line, "NSsid:", 6) == 0)
			seen->sid = last_number(line);
	}
	fclose(file);
	return true;
}

/* What is the tree of @vpid below @parent (as a saved link has it)? */
struct look {
	const struct cr_wire_link *links;
	size_t nr, nr_found;
	char *text;
};

static void compare(struct look *look, const struct seen *seen, uint32_t parent)
{
	size_t i = 0;
	uint32_t sid, pgid;

	while (i < look->nr && look->links[i].vpid != seen->vpid)
		i++;
	if (i == look->nr) {
		snprintf(look->text, TEXT_MAX, "%u is none of the tree",
			 seen->vpid);
		return;
	}
	sid = look->links[i].flags & CR_LINK_F_SESSION_OUTSIDE ?
		      0 :
		      look->links[i].sid;
	pgid = look->links[i].flags & CR_LINK_F_PGRP_OUTSIDE ?
		       0 :
		       look->links[i].pgid;
	if (look->links[i].parent != parent || sid != seen->sid ||
	    pgid != seen->pgid ||
	    !(look->links[i].flags & CR_LINK_F_ZOMBIE) == seen->is_zombie)
		snprintf(look->text, TEXT_MAX,
			 "%u: parent %u, group %u, session %u, %s; was %u, %u, "
			 "%u, %s",
			 seen->vpid, parent, seen->pgid, seen->sid,
			 seen->is_zombie ? "dead" : "alive",
			 look->links[i].parent, pgid, sid,
			 look->links[i].flags & CR_LINK_F_ZOMBIE ? "dead" :
								   "alive");
	look->nr_found++;
}

/* Compare all below @pid, which the tree calls @vpid. */
static void look_below(struct look *look, pid_t pid, uint32_t vpid)
{
	char path[64];
	FILE *file;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &child) == 1) {
		struct seen seen;

		if (!see(child, &seen))
			continue;
		if (seen.vpid != 1) /* init is a child of ours, too */
			compare(look, &seen, vpid);
		look_below(look, child, seen.vpid);
	}
	if (file)
		fclose(file);
}

static void restart_and_look(const char *path, struct look *look,
			     struct outcome *outcome)
{
	struct cr_restart_options options = { .timeout_ms = 60000 };
	struct cr_namespace ns = CR_NAMESPACE_NONE;
	struct cr_restart_result result = { 0 };
	struct cr_image *image = NULL;
	struct cr_error err = { 0 };

	outcome->rc = cr_image_open(AT_FDCWD, path, &image, &err);
	if (!outcome->rc)
		outcome->rc = cr_namespace_create(CR_NAMESPACE_DIES_WITH_CALLER,
						  0, 0, &ns, &err);
	options.namespace_fd = ns.init_fd;
	if (!outcome->rc)
		outcome->rc = cr_restart(image, &options, &result, &err);
	snprintf(outcome->text, sizeof(outcome->text), "%s", err.text);
	if (!outcome->rc) {
		outcome->text[0] = '\0';
		look->text = outcome->text;
		look_below(look, getpid(), 0);
		if (!outcome->text[0] && look->nr_found != look->nr)
			snprintf(outcome->text, sizeof(outcome->text),
				 "%zu of %zu tasks", look->nr_found, look->nr);
	}
	/* init cannot end before they are reaped, which is for their parent */
	for (size_t i = 0; i < result.nr_roots; i++) {
		kill(result.roots[i].pid, SIGKILL);
		waitpid(result.roots[i].pid, NULL, 0);
	}
	free(result.roots);
	cr_namespace_destroy(&ns);
	cr_image_close(image);
}

static struct outcome try_links(const struct cr_wire_link *links, size_t nr)
{
	struct look look = { .links = links, .nr = nr };
	static struct made_task tasks[TASKS_MAX];
	struct outcome outcome = { 0 };
	struct cr_error err = { 0 };
	char path[64];
	int fds[2];
	pid_t pid;

	for (size_t i = 0; i < nr; i++)
		tasks[i] = (struct made_task){ .vpid = links[i].vpid,
					       .parent = links[i].parent,
					       .pgid = links[i].pgid,
					       .sid = links[i].sid,
					       .flags = links[i].flags,
					       .sleeps = 1 };
	snprintf(path, sizeof(path), "/tmp/test_restart_trees.%d.img",
		 getpid());
	if (made_image(path, tasks, (uint32_t)nr, &err) < 0)
		fail_msg("%s", err.text);
	assert_return_code(pipe(fds), errno);
	pid = fork();
	if (pid == 0) {
		restart_and_look(path, &look, &outcome);
		_exit(write(fds[1], &outcome, sizeof(outcome)) < 0);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &outcome, sizeof(outcome)),
			 sizeof(outcome));
	close(fds[0]);
	waitpid(pid, NULL, 0);
	unlink(path);
	return outcome;
}

/* Returns how many were refused. */
static unsigned int try_trees(uint32_t first_seed, uint32_t subreapers)
{
	struct cr_wire_link links[HISTORY_MAX];
	unsigned int nr_refused = 0;
	bool has_subreaper;

	for (uint32_t seed = first_seed; seed < first_seed + NR_TREES; seed++) {
		size_t nr = random_links(seed, subreapers, MAX_EVENTS, links,
					 &has_subreaper);
		struct outcome outcome;

		if (!nr)
			continue;
		outcome = try_links(links, nr);
		if (outcome.rc == -EOPNOTSUPP && has_subreaper) {
			nr_refused++;
			continue;
		}
		if (outcome.rc || outcome.text[0])
			fail_msg("seed %u: %d, %s", seed, outcome.rc,
				 outcome.text);
	}
	return nr_refused;
}

static void random_trees_come_out_as_saved(void **state)
{
	(void)state;
	assert_int_equal(try_trees(1, 0), 0);
}

static void trees_with_subreapers_come_out_as_saved(void **state)
{
	(void)state;
	assert_true(try_trees(1001, 30) < NR_TREES / 4);
}

/* More messages than a socket holds while the TEMP is making them. */
static void hundreds_of_orphans_are_made_by_one_helper(void **state)
{
	static struct cr_wire_link links[TASKS_MAX];
	struct outcome outcome;

	(void)state;
	for (uint32_t i = 0; i < TASKS_MAX; i++)
		links[i] = (struct cr_wire_link){ .vpid = 10 + i,
						  .parent = i ? 1 : 0,
						  .pgid = i ? 9 : 10,
						  .sid = i ? 9 : 10 };
	outcome = try_links(links, TASKS_MAX);
	if (outcome.rc || outcome.text[0])
		fail_msg("%d, %s", outcome.rc, outcome.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_trees_come_out_as_saved),
		cmocka_unit_test(trees_with_subreapers_come_out_as_saved),
		cmocka_unit_test(hundreds_of_orphans_are_made_by_one_helper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
