/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_status.c - cr status: what the agents of a job's steps are doing
 *
 * Each agent keeps a small file beside its step's images; here they are read.
 * No agent is asked: one that was killed is still in its file.
 */
#include <argp.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"

#define PLUGSTACK "/etc/slurm/plugstack.conf"
#define BATCH "batch"
#define SLURM_BATCH_STEP 0xfffffffbLL
#define FILE_MAX_BYTES 65536
#define MIB (1024.0 * 1024)

struct arguments {
	char dir[4096];
	const char *job; /* as given: JOB or JOB.STEP */
	int is_json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'd':
		snprintf(arguments->dir, sizeof(arguments->dir), "%s", arg);
		return 0;
	case 'j':
		arguments->is_json = 1;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0 || !isdigit((unsigned char)*arg))
			argp_error(state, "%s is no job or step", arg);
		arguments->job = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "dir", 'd', "DIR", 0, "the checkpoint directory", 0 },
	{ "json", 'j', NULL, 0, "print an array of objects", 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "JOB[.STEP]",
	.doc = "Say what the checkpoint agents of a job's steps are doing, "
	       "node by node."
	       "\vWithout --dir the directory is that of the environment "
	       "variable SPANK_CR_DIR, or the one in " PLUGSTACK ".",
};

/* dir= in the line that loads the plugin. */
static int read_plugstack(char *dir, size_t size)
{
	FILE *file = fopen(PLUGSTACK, "re");
	char line[4096], *at = NULL;

	if (!file)
		return -ENOENT;
	while (!at && fgets(line, sizeof(line), file))
		if (line[0] != '#' && strstr(line, "spank_cr"))
			at = strstr(line, " dir=");
	fclose(file);
	if (!at)
		return -ENOENT;
	snprintf(dir, size, "%.*s", (int)strcspn(at + 5, " \t\n"), at + 5);
	return 0;
}

static int choose_dir(struct arguments *arguments, struct cr_error *err)
{
	const char *value = getenv("SPANK_CR_DIR");

	if (arguments->dir[0])
		return 0;
	if (value && *value) {
		snprintf(arguments->dir, sizeof(arguments->dir), "%s", value);
		return 0;
	}
	if (!read_plugstack(arguments->dir, sizeof(arguments->dir)))
		return 0;
	return cr_error_set(err, -ENOENT,
			    "no checkpoint directory is known: --dir");
}

static json_t *read_status(int dirfd, const char *name)
{
	char text[FILE_MAX_BYTES];
	int fd = openat(dirfd, name,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return NULL;
	n = read(fd, text, sizeof(text));
	close(fd);
	return n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
}

/* Those of one step; @fd is consumed. */
static void add_step(int fd, json_t *all)
{
	struct dirent *entry;
	unsigned int node;
	json_t *status;
	char name[32];
	DIR *dir = fdopendir(fd);

	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (sscanf(entry->d_name, "status_%9u", &node) != 1)
			continue;
		snprintf(name, sizeof(name), "status_%u.json", node);
		if (strcmp(name, entry->d_name) != 0)
			continue;
		status = read_status(dirfd(dir), entry->d_name);
		if (json_is_object(status))
			json_array_append_new(all, status);
		else
			json_decref(status);
	}
	closedir(dir);
}

static int is_wanted(const char *folder, const char *step)
{
	return !strncmp(folder, "step_", 5) &&
	       (!step || !strcmp(folder + 5, step));
}

static int collect(const struct arguments *arguments, json_t *all,
		   struct cr_error *err)
{
	const char *dot = strchr(arguments->job, '.');
	char path[sizeof(arguments->dir) + 64];
	struct dirent *entry;
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "%s/job_%.*s", arguments->dir,
		 dot ? (int)(dot - arguments->job) : 32, arguments->job);
	dir = opendir(path);
	if (!dir && errno == ENOENT)
		return cr_error_set(err, -ENOENT,
				    "job %s has no agents and no images in %s",
				    arguments->job, arguments->dir);
	if (!dir)
		return cr_error_errno(err, "%s", path);
	while ((entry = readdir(dir))) {
		if (!is_wanted(entry->d_name, dot ? dot + 1 : NULL))
			continue;
		fd = openat(dirfd(dir), entry->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			add_step(fd, all);
	}
	closedir(dir);
	return 0;
}

static json_int_t number(const json_t *status, const char *key)
{
	return json_integer_value(json_object_get(status, key));
}

static const char *text(const json_t *status, const char *key)
{
	const char *value = json_string_value(json_object_get(status, key));

	return value ? value : "?";
}

static int compare(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	json_int_t p = number(x, "step"), q = number(y, "step");

	if (p == q) {
		p = number(x, "node");
		q = number(y, "node");
	}
	return (p > q) - (p < q);
}

/* The lead's file names the nodes that it has lost. */
static int is_lost(const json_t *all, const json_t *status)
{
	const json_t *other, *lost, *node;
	size_t i, j;

	json_array_foreach(all, i, other)
	{
		if (number(other, "step") != number(status, "step"))
			continue;
		lost = json_object_get(other, "lost");
		json_array_foreach(lost, j, node)
		{
			if (json_integer_value(node) == number(status, "node"))
				return 1;
		}
	}
	return 0;
}

static void print_one(const json_t *all, const json_t *status)
{
	const json_int_t done = number(status, "bytes_done");
	const json_int_t total = number(status, "bytes_total");
	char step[32];

	if (number(status, "step") == SLURM_BATCH_STEP)
		snprintf(step, sizeof(step), "%lld." BATCH,
			 number(status, "job"));
	else
		snprintf(step, sizeof(step), "%lld.%lld", number(status, "job"),
			 number(status, "step"));
	printf("%-12s %4lld  %-16s %-10s %10lld %10.1f %10.1f %3lld%% %8.1f "
	       "%5lld s%s\n",
	       step, number(status, "node"), text(status, "host"),
	       text(status, "phase"), number(status, "generation"),
	       (double)done / MIB, (double)total / MIB,
	       total ? done * 100 / total : 0,
	       (double)number(status, "bytes_per_second") / MIB,
	       (long long)time(NULL) - number(status, "time"),
	       is_lost(all, status) ? "  lost" : "");
}

static int print_all(json_t *all)
{
	const size_t nr = json_array_size(all);
	json_t **sorted = calloc(nr + 1, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++)
		sorted[i] = json_array_get(all, i);
	qsort(sorted, nr, sizeof(*sorted), compare);
	printf("%-12s %4s  %-16s %-10s %10s %10s %10s %4s %8s %7s\n", "STEP",
	       "NODE", "HOST", "PHASE", "CHECKPOINT", "MIB", "OF", "DONE",
	       "MIB/S", "SINCE");
	for (size_t i = 0; i < nr; i++)
		print_one(all, sorted[i]);
	free(sorted);
	return 0;
}

int cmd_status(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	json_t *all = json_array();
	struct cr_error err = { 0 };
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	rc = choose_dir(&arguments, &err);
	if (!rc)
		rc = collect(&arguments, all, &err);
	if (!rc && arguments.is_json) {
		json_dumpf(all, stdout, JSON_INDENT(1));
		putchar('\n');
	} else if (!rc) {
		rc = print_all(all);
	}
	json_decref(all);
	return rc ? cr_command_fail(&err) : CR_EXIT_OK;
}
