/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapped.c - the file behind a mapping; see mapped.h
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmod.h"
#include "mapped.h"
#include "procfs.h"

/* Our own mapping that begins at @start: 1, or 0 if there is none. */
static int find_own(uint64_t start, struct cr_proc_map *map)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	int rc;

	if (!file)
		return 0;
	do {
		rc = cr_proc_next_map(file, map);
	} while (rc > 0 && map->start < start);
	fclose(file);
	return rc > 0 && map->start == start;
}

/* Some file systems (overlayfs, btrfs) show other numbers to stat(2) than to
 * maps: so it is mapped, too. */
static int is_same_file(int fd, const struct cr_proc_map *map)
{
	struct cr_proc_map ours;
	void *page = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE, fd, 0);
	int is_same;

	if (page == MAP_FAILED)
		return 0;
	is_same = find_own((uint64_t)(uintptr_t)page, &ours) &&
		  ours.inode == map->inode && ours.major == map->major &&
		  ours.minor == map->minor;
	munmap(page, 1);
	return is_same;
}

static int open_by_name(pid_t pid, const struct cr_proc_map *map)
{
	char path[PATH_MAX + 64];
	int fd;

	if (map->path[0] != '/')
		return -EPERM;
	snprintf(path, sizeof(path), "/proc/%d/root%s", pid, map->path);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0 && is_same_file(fd, map))
		return fd;
	if (fd >= 0)
		close(fd);
	return -EPERM;
}

int cr_mapped_find(struct cr_kmod *kmod, pid_t pid,
		   const struct cr_proc_map *map, struct cr_mapped *mapped)
{
	struct stat st;

	mapped->fd = -1;
	snprintf(mapped->path, sizeof(mapped->path),
		 "/proc/%d/map_files/%llx-%llx", pid,
		 (unsigned long long)map->start, (unsigned long long)map->end);
	if (stat(mapped->path, &st) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	mapped->fd = open_by_name(pid, map);
	if (mapped->fd < 0 && kmod)
		mapped->fd = cr_kmod_open_mapped(kmod, pid, map->start);
	if (mapped->fd < 0)
		return mapped->fd;
	snprintf(mapped->path, sizeof(mapped->path), "/proc/self/fd/%d",
		 mapped->fd);
	return 0;
}

void cr_mapped_forget(struct cr_mapped *mapped)
{
	int saved_errno = errno;

	if (mapped->fd >= 0)
		close(mapped->fd);
	mapped->fd = -1;
	errno = saved_errno;
}
