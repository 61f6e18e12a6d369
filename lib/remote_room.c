/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote_room.c - room for our code in a process that has no scratch memory yet
 *
 * The vdso ends in zeros that nobody uses, up to the end of its page.  What is
 * written there through /proc/PID/mem is the process's own copy.  It is zeros
 * again once the call is made; if a checkpoint is killed before, the next finds
 * its code there.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "remote.h"
#include "remote_code.h"

#define LENGTH_MAX 32768u /* of a vdso */

/* Our own, to compare with. */
struct vdso {
	const unsigned char *bytes;
	size_t length, used; /* used: without the zeros */
};

static const struct vdso *own_vdso(void)
{
	static struct vdso vdso;
	unsigned long start, end, own = getauxval(AT_SYSINFO_EHDR);
	char line[4096];
	FILE *maps;

	if (vdso.bytes || !own)
		return &vdso;
	maps = fopen("/proc/self/maps", "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &start, &end) != 2 || start != own)
			continue;
		vdso.bytes = (const unsigned char *)own;
		vdso.length = end - start;
		vdso.used = vdso.length;
		while (vdso.used && !vdso.bytes[vdso.used - 1])
			vdso.used--;
		break;
	}
	if (maps)
		fclose(maps);
	return &vdso;
}

/* Where it is mapped now, if not where it was at first; 0: nowhere. */
static uint64_t find_moved(pid_t pid)
{
	char path[64], line[4096];
	unsigned long start = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, " [vdso]\n")) {
			start = strtoul(line, NULL, 16);
			break;
		}
	if (maps)
		fclose(maps);
	return start;
}

/* Does a thread of @pid still go back through code that was left at @room? */
static int is_in_use(pid_t pid, uint64_t room)
{
	struct cr_wire_regs regs;
	struct dirent *entry;
	char path[64];
	int is_used = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return 1;
	while (!is_used && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			is_used = cr_trace_get_regs(atoi(entry->d_name), &regs,
						    NULL) < 0 ||
				  regs.ip - room < CR_REMOTE_CODE_SIZE;
	closedir(dir);
	return is_used;
}

static int is_zero(const unsigned char *bytes)
{
	for (size_t i = 0; i < CR_REMOTE_CODE_SIZE; i++)
		if (bytes[i])
			return 0;
	return 1;
}

/* In the vdso at @start: -ENOENT if it is not like ours. */
static int find_in(pid_t pid, int mem_fd, uint64_t start, uint64_t *roomp)
{
	const struct vdso *own = own_vdso();
	unsigned char bytes[LENGTH_MAX];

	if (!start || !own->length || own->length > sizeof(bytes) ||
	    pread(mem_fd, bytes, own->length, (off_t)start) !=
		    (ssize_t)own->length ||
	    memcmp(bytes, own->bytes, own->used) != 0)
		return -ENOENT;
	*roomp = 0;
	for (size_t at = own->length; at - own->used >= CR_REMOTE_CODE_SIZE;) {
		at -= CR_REMOTE_CODE_SIZE;
		if (!memcmp(bytes + at, cr_remote_code,
			    CR_REMOTE_CODE_LENGTH)) {
			if (is_in_use(pid, start + at))
				return -EAGAIN;
		} else if (!is_zero(bytes + at)) {
			continue;
		}
		if (!*roomp)
			*roomp = start + at;
	}
	return *roomp ? 0 : -ENOENT;
}

int cr_remote_room_find(pid_t pid, int mem_fd, uint64_t *roomp,
			struct cr_error *err)
{
	int rc = find_in(pid, mem_fd, cr_trace_find_vdso(pid), roomp);

	if (rc == -ENOENT)
		rc = find_in(pid, mem_fd, find_moved(pid), roomp);
	if (rc == -EAGAIN)
		return cr_error_set(err, rc,
				    "process %d is on its way back from a "
				    "checkpoint that was killed",
				    pid);
	return rc;
}

int cr_remote_room_has(uint64_t vdso_end, uint64_t address)
{
	const struct vdso *own = own_vdso();

	return address < vdso_end &&
	       vdso_end - address <= own->length - own->used;
}
