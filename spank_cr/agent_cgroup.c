/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_cgroup.c - leave the job's cgroups
 *
 * There the agent would be frozen and killed together with the step, count
 * against the job's memory, and keep the cgroups from being removed.
 * Slurm names them .../uid_U/job_J/... (v1) or .../job_J/... (v2); we go to
 * what is above.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "agent.h"

static int write_pid(const char *folder)
{
	char path[PATH_MAX], text[16];
	int fd, length, n;

	if ((size_t)snprintf(path, sizeof(path), "%s/cgroup.procs", folder) >=
	    sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = snprintf(text, sizeof(text), "%d", getpid());
	n = (int)write(fd, text, (size_t)length);
	n = n == length ? 0 : -errno;
	close(fd);
	return n;
}

/* True if @options, of a line in mountinfo after " - ", has @controllers
 * (v1: the same comma separated list; v2: none). */
static int is_hierarchy(const char *rest, const char *controllers)
{
	char type[32], source[256], options[1024], *word, *save = NULL;
	char first[64];

	if (sscanf(rest, "%31s %255s %1023s", type, source, options) != 3)
		return 0;
	if (!*controllers)
		return !strcmp(type, "cgroup2");
	if (strcmp(type, "cgroup") != 0)
		return 0;
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(controllers, ","),
		 controllers);
	for (word = strtok_r(options, ",", &save); word;
	     word = strtok_r(NULL, ",", &save))
		if (!strcmp(word, first) || !strcmp(word, controllers))
			return 1;
	return 0;
}

/* Where the hierarchy with @controllers is mounted. */
static int find_mount(const char *controllers, char mount[PATH_MAX])
{
	char line[PATH_MAX + 2048], point[PATH_MAX];
	int found = 0;
	FILE *file = fopen("/proc/self/mountinfo", "re");

	if (!file)
		return -errno;
	while (!found && fgets(line, sizeof(line), file)) {
		const char *rest = strstr(line, " - ");

		if (rest && sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1)
			found = is_hierarchy(rest + 3, controllers);
	}
	fclose(file);
	if (!found)
		return -ENOENT;
	memcpy(mount, point, strlen(point) + 1);
	return 0;
}

/* Cut @path to what is above the job, false if it is not in one. */
static int cut_above_job(char *path)
{
	char *cut = strstr(path, "/uid_");

	if (!cut)
		cut = strstr(path, "/job_");
	if (!cut)
		return 0;
	*cut = '\0';
	return 1;
}

static void leave(const struct agent *agent, const char *controllers,
		  char *path)
{
	char mount[PATH_MAX], folder[2 * PATH_MAX];
	int rc;

	if (!cut_above_job(path))
		return;
	rc = find_mount(controllers, mount);
	/* v2 has no processes in inner cgroups; slurmd's leaf is "system" */
	if (!rc && !*controllers) {
		snprintf(folder, sizeof(folder), "%s%s/system", mount, path);
		rc = write_pid(folder);
	} else if (!rc) {
		snprintf(folder, sizeof(folder), "%s%s", mount, path);
		rc = write_pid(folder);
		if (rc)
			rc = write_pid(mount);
	}
	if (rc)
		agent_log(agent, LOG_WARNING,
			  "agent stays in the job's cgroup %s%s: %s",
			  controllers, path, strerror(-rc));
}

void agent_leave_cgroups(const struct agent *agent)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX + 256], *controllers, *path;

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		controllers = strchr(line, ':');
		path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*path = '\0';
		leave(agent, controllers + 1, path + 1);
	}
	fclose(file);
}
