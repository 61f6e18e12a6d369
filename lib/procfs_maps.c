/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procfs_maps.c - the mappings in /proc/PID/smaps, one at a time
 *
 * Read as a stream: a process may have tens of thousands.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "procfs.h"

#define LINE_MAX_LENGTH 4400

static int parse_head(const char *line, struct cr_proc_map *map)
{
	char perms[5];
	int used = 0;
	size_t length;

	memset(map, 0, offsetof(struct cr_proc_map, path));
	if (sscanf(line,
		   "%" SCNx64 "-%" SCNx64 " %4c %" SCNx64 " %" SCNx32
		   ":%" SCNx32 " %" SCNu64 "%n",
		   &map->start, &map->end, perms, &map->offset, &map->major,
		   &map->minor, &map->inode, &used) != 7)
		return -EINVAL;
	map->prot = (perms[0] == 'r' ? (unsigned)PROT_READ : 0) |
		    (perms[1] == 'w' ? (unsigned)PROT_WRITE : 0) |
		    (perms[2] == 'x' ? (unsigned)PROT_EXEC : 0);
	map->is_shared = perms[3] == 's';
	line += used;
	line += strspn(line, " ");
	length = strcspn(line, "\n");
	if (length >= sizeof(map->path))
		return -EINVAL;
	memcpy(map->path, line, length);
	map->path[length] = '\0';
	return 0;
}

static void parse_size(const char *line, const char *name, uint64_t *bytes)
{
	size_t length = strlen(name);
	unsigned long long kilobytes;

	if (!strncmp(line, name, length) &&
	    sscanf(line + length, "%llu", &kilobytes) == 1)
		*bytes += kilobytes << 10;
}

int cr_proc_next_map(FILE *file, struct cr_proc_map *map)
{
	char line[LINE_MAX_LENGTH];
	int rc;

	if (!fgets(line, sizeof(line), file))
		return 0;
	rc = parse_head(line, map);
	if (rc < 0)
		return rc;
	while (fgets(line, sizeof(line), file)) {
		parse_size(line, "KernelPageSize:", &map->page_size);
		parse_size(line, "Rss:", &map->resident);
		parse_size(line, "Swap:", &map->swapped);
		parse_size(line, "Shared_Clean:", &map->shared);
		parse_size(line, "Shared_Dirty:", &map->shared);
		parse_size(line, "Anonymous:", &map->anonymous);
		if (!strncmp(line, "VmFlags:", 8)) { /* always the last */
			snprintf(map->flags, sizeof(map->flags), "%.150s ",
				 line + 8);
			map->flags[strcspn(map->flags, "\n")] = ' ';
			return 1;
		}
	}
	return -EINVAL;
}

int cr_proc_map_has(const struct cr_proc_map *map, const char *flag)
{
	char word[] = { ' ', flag[0], flag[1], ' ', '\0' };

	return strstr(map->flags, word) != NULL;
}
