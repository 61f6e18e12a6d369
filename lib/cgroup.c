/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup.c - put processes into the cgroups of another one; see cgroup.h
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"

/* One line of /proc/PID/cgroup, "ID:CONTROLLERS:PATH", in pieces. */
struct line {
	const char *controllers, *path;
};

static bool split(char *text, struct line *line)
{
	char *controllers = strchr(text, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!path)
		return false;
	*path++ = '\0';
	path[strcspn(path, "\n")] = '\0';
	*line = (struct line){ controllers + 1, path };
	return true;
}

/* Is this process in it, too?  Then nobody has to go there: in a container its
 * files may be elsewhere, or read-only. */
static bool is_own(const struct line *line)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	bool found = false;
	struct line own;
	char *text = NULL;
	size_t size = 0;

	while (file && !found && getline(&text, &size, file) >= 0)
		found = split(text, &own) &&
			!strcmp(own.controllers, line->controllers) &&
			!strcmp(own.path, line->path);
	free(text);
	if (file)
		fclose(file);
	return found;
}

/* Its cgroup.procs, at a descriptor of at least @fd_floor; or -errno. */
static int open_procs(const struct line *line, int fd_floor)
{
	const char *name = line->controllers;
	char path[2 * PATH_MAX];
	int fd, high;

	if (!strncmp(name, "name=", 5))
		name += 5;
	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s%s/cgroup.procs", name,
		 line->path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !*name) { /* v2 beside v1 */
		snprintf(path, sizeof(path),
			 "/sys/fs/cgroup/unified%s/cgroup.procs", line->path);
		fd = open(path, O_WRONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return -errno;
	high = fcntl(fd, F_DUPFD_CLOEXEC, fd_floor);
	if (high < 0)
		high = -errno;
	close(fd);
	return high;
}

/* True if the hierarchy of @controllers counts memory.  Version 2 comes last
 * in /proc/PID/cgroup, and counts if no hierarchy of version 1 does. */
static bool counts_memory(const char *controllers)
{
	const char *at = strstr(controllers, "memory");

	return !*controllers || (at && (at == controllers || at[-1] == ',') &&
				 (at[6] == '\0' || at[6] == ','));
}

/* @missing notes a cgroup that is not where we look. */
static int add_line(struct cr_cgroups *cgroups, char *text, int fd_floor,
		    struct cr_error *missing, struct cr_error *err)
{
	struct line line;
	int fd;

	if (!split(text, &line))
		return 0;
	fd = open_procs(&line, fd_floor);
	if (fd >= 0) {
		cgroups->fds[cgroups->nr++] = fd;
		if (!cgroups->memory && counts_memory(line.controllers))
			cgroups->memory = cgroups->nr;
		return 0;
	}
	if (is_own(&line) || (fd == -ENOENT && !strcmp(line.path, "/")))
		return 0;
	cr_error_set(fd == -ENOENT ? missing : err, fd,
		     "the rank's cgroup %s:%s: %s", line.controllers, line.path,
		     strerror(-fd));
	return fd == -ENOENT ? 0 : fd;
}

int cr_cgroups_open(struct cr_cgroups *cgroups, pid_t pid, int fd_floor,
		    struct cr_error *err)
{
	struct cr_error missing = { 0 };
	char name[64], *text = NULL;
	size_t size = 0;
	FILE *file;
	int rc = 0;

	cgroups->nr = 0;
	cgroups->memory = 0;
	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	file = fopen(name, "re");
	if (!file)
		return cr_error_errno(err, "%s", name);
	while (!rc && cgroups->nr < CR_CGROUPS_MAX &&
	       getline(&text, &size, file) >= 0)
		rc = add_line(cgroups, text, fd_floor, &missing, err);
	free(text);
	fclose(file);
	/* some may be of hierarchies that nobody has mounted, but not all */
	if (!rc && !cgroups->nr && missing.code)
		rc = cr_error_set(err, -EOPNOTSUPP, "%s", missing.text);
	if (rc < 0)
		cr_cgroups_close(cgroups);
	return rc;
}

int cr_cgroups_join(const struct cr_cgroups *cgroups, struct cr_error *err)
{
	for (int i = 0; i < cgroups->nr; i++)
		if (write(cgroups->fds[i], "0", 1) < 0)
			return cr_error_errno(err, "joining the rank's cgroup");
	return 0;
}

int cr_cgroups_join_memory(const struct cr_cgroups *cgroups,
			   struct cr_error *err)
{
	if (cgroups->memory &&
	    write(cgroups->fds[cgroups->memory - 1], "0", 1) < 0)
		return cr_error_errno(err, "joining a cgroup for its memory");
	return 0;
}

void cr_cgroups_close(struct cr_cgroups *cgroups)
{
	int saved_errno = errno;

	for (int i = 0; i < cgroups->nr; i++)
		close(cgroups->fds[i]);
	cgroups->nr = 0;
	cgroups->memory = 0;
	errno = saved_errno;
}
