/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup.c - put processes into the cgroups of another one; see cgroup.h
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"

/* cgroup.procs of one line of /proc/PID/cgroup, "ID:CONTROLLERS:PATH". */
static int open_procs(const char *controllers, const char *path)
{
	char name[PATH_MAX];
	int fd;

	if (!strncmp(controllers, "name=", 5))
		controllers += 5;
	snprintf(name, sizeof(name), "/sys/fs/cgroup/%s%s/cgroup.procs",
		 controllers, path);
	fd = open(name, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && !*controllers) { /* v2 beside v1 */
		snprintf(name, sizeof(name),
			 "/sys/fs/cgroup/unified%s/cgroup.procs", path);
		fd = open(name, O_WRONLY | O_CLOEXEC);
	}
	return fd;
}

/* True if the hierarchy of @controllers counts memory.  Version 2 comes last
 * in /proc/PID/cgroup, and counts if no hierarchy of version 1 does. */
static int counts_memory(const char *controllers)
{
	const char *at = strstr(controllers, "memory");

	return !*controllers || (at && (at == controllers || at[-1] == ',') &&
				 (at[6] == '\0' || at[6] == ','));
}

static int add_line(struct cr_cgroups *cgroups, char *line, int fd_floor)
{
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;
	int fd, high;

	if (!path)
		return 0;
	*path++ = '\0';
	path[strcspn(path, "\n")] = '\0';
	fd = open_procs(controllers + 1, path);
	if (fd < 0)
		return 0;
	high = fcntl(fd, F_DUPFD_CLOEXEC, fd_floor);
	close(fd);
	if (high < 0)
		return -errno;
	cgroups->fds[cgroups->nr++] = high;
	if (!cgroups->memory && counts_memory(controllers + 1))
		cgroups->memory = cgroups->nr;
	return 0;
}

int cr_cgroups_open(struct cr_cgroups *cgroups, pid_t pid, int fd_floor,
		    struct cr_error *err)
{
	char name[64], line[PATH_MAX];
	FILE *file;
	int rc = 0;

	cgroups->nr = 0;
	cgroups->memory = 0;
	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	file = fopen(name, "re");
	if (!file)
		return cr_error_errno(err, "%s", name);
	while (!rc && cgroups->nr < CR_CGROUPS_MAX &&
	       fgets(line, sizeof(line), file))
		rc = add_line(cgroups, line, fd_floor);
	fclose(file);
	if (rc < 0) {
		cr_cgroups_close(cgroups);
		return cr_error_set(err, rc, "cgroups of %d: %s", pid,
				    strerror(-rc));
	}
	return 0;
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
