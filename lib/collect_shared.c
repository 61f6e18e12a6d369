/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_shared.c - shared memory without a name, and SysV segments
 *
 * Both are files of a hidden tmpfs: device and inode tell them apart, and
 * /proc/PID/map_files opens them, so that their content is read once, however
 * many tasks map it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "array.h"
#include "collect.h"
#include "remote.h"

uint32_t cr_new_space(struct cr_checkpoint *checkpoint, enum cr_space_kind kind,
		      uint64_t length, uint32_t file)
{
	struct cr_save_space *space;

	if (cr_array_grow(&checkpoint->spaces, checkpoint->nr_spaces,
			  sizeof(checkpoint->spaces[0])) < 0)
		return 0;
	space = calloc(1, sizeof(*space));
	if (!space)
		return 0;
	checkpoint->spaces[checkpoint->nr_spaces++] = space;
	space->wire.id = (uint32_t)checkpoint->nr_spaces;
	space->mapped.fd = -1;
	space->wire.kind = kind;
	space->wire.length = length;
	space->wire.file = file;
	return space->wire.id;
}

static struct cr_save_space *find_space(struct cr_checkpoint *checkpoint,
					enum cr_space_kind kind,
					uint64_t device, uint64_t inode)
{
	for (size_t i = 0; i < checkpoint->nr_spaces; i++) {
		struct cr_save_space *space = checkpoint->spaces[i];

		if (space->wire.kind == kind && space->device == device &&
		    space->inode == inode)
			return space;
	}
	return NULL;
}

/* Key and owner of a segment, asked in the tree's IPC namespace. */
static int ask_segment(struct cr_save_task *task, struct cr_save_space *space,
		       struct cr_error *err)
{
	struct cr_remote_call call = { .nr = SYS_shmctl };
	struct shmid_ds segment;
	int rc;

	rc = cr_need_remote(task, err);
	if (rc < 0)
		return rc;
	call.args[0] = space->inode;
	call.args[1] = IPC_STAT;
	call.args[2] = cr_remote_scratch(task->remote);
	rc = cr_remote_run(task->remote, task->pid, &call, 1, err);
	if (rc < 0)
		return rc;
	if (call.result < 0)
		return cr_error_set(err, (int)call.result,
				    "process %u: shared memory segment %llu: "
				    "%s",
				    task->link.vpid,
				    (unsigned long long)space->inode,
				    strerror(-(int)call.result));
	rc = cr_remote_read(task->remote, call.args[2], &segment,
			    sizeof(segment), err);
	if (rc < 0)
		return rc;
	space->wire.length = segment.shm_segsz;
	space->wire.sysv_id = (int32_t)space->inode;
	space->wire.sysv_key = segment.shm_perm.__key;
	space->wire.sysv_mode = segment.shm_perm.mode;
	space->wire.sysv_uid = segment.shm_perm.uid;
	space->wire.sysv_gid = segment.shm_perm.gid;
	return 0;
}

/* Parts of the object that hold something. */
static int find_data(struct cr_save_space *space, int fd, uint64_t length)
{
	const uint64_t mask = CR_WIRE_PAGE - 1;
	off_t at = 0, hole;

	length = (length + mask) & ~mask;
	while ((uint64_t)at < length) {
		at = lseek(fd, at, SEEK_DATA);
		if (at < 0 && errno == ENXIO)
			return 0;
		if (at < 0) /* hugetlbfs cannot tell */
			return cr_runs_add(&space->runs, 0, length);
		hole = lseek(fd, at, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		at = (off_t)((uint64_t)at & ~mask);
		hole = (off_t)(((uint64_t)hole + mask) & ~mask);
		if ((uint64_t)hole > length)
			hole = (off_t)length;
		if (hole <= at)
			return 0;
		if (cr_runs_add(&space->runs, (uint64_t)at,
				(uint64_t)(hole - at)) < 0)
			return -ENOMEM;
		at = hole;
	}
	return 0;
}

/* The object is mapped at @map of process @pid. */
static int look_into(struct cr_kmod *kmod, pid_t pid,
		     const struct cr_proc_map *map, struct cr_save_space *space,
		     struct cr_error *err)
{
	struct stat st = { 0 };
	int fd = -1, rc;

	rc = cr_mapped_find(kmod, pid, map, &space->mapped);
	if (rc == 0)
		fd = open(space->mapped.path, O_RDONLY | O_CLOEXEC);
	if (rc == 0 && (fd < 0 || fstat(fd, &st) < 0))
		rc = -errno;
	if (rc == 0)
		rc = find_data(space, fd, (uint64_t)st.st_size);
	space->wire.length = (uint64_t)st.st_size;
	if (fd >= 0)
		close(fd);
	return rc == 0 ?
		       0 :
		       cr_error_set(err, rc,
				    "shared memory at %#llx of process %d: %s",
				    (unsigned long long)map->start, pid,
				    strerror(-rc));
}

int cr_space_set_content(struct cr_checkpoint *checkpoint,
			 struct cr_save_space *space, void *content,
			 struct cr_error *err)
{
	const uint64_t start = (uint64_t)content, length = space->wire.length;
	const struct cr_proc_map map = { .start = start,
					 .end = cr_page_up(start + length) };
	int rc;

	space->content = content;
	rc = look_into(checkpoint->kmod, getpid(), &map, space, err);
	space->wire.length = length;
	if (rc != -EPERM)
		return rc;
	/* where it has holes cannot be seen, then */
	space->mapped.path[0] = '\0';
	return cr_runs_add(&space->runs, 0, map.end - start) < 0 ?
		       cr_error_set(err, -ENOMEM, "out of memory") :
		       0;
}

int cr_collect_shared(struct cr_checkpoint *checkpoint,
		      struct cr_save_task *task, const struct cr_proc_map *map,
		      enum cr_space_kind kind, uint32_t *idp,
		      struct cr_error *err)
{
	const uint64_t device = (uint64_t)map->major << 32 | map->minor;
	struct cr_save_space *space;
	uint32_t shift = 0;
	int rc;

	space = find_space(checkpoint, kind, device, map->inode);
	if (space) {
		*idp = space->wire.id;
		return 0;
	}
	*idp = cr_new_space(checkpoint, kind, 0, 0);
	if (!*idp)
		return cr_error_set(err, -ENOMEM, "out of memory");
	space = checkpoint->spaces[*idp - 1];
	space->device = device;
	space->inode = map->inode;
	while (1ull << shift < map->page_size)
		shift++;
	space->wire.huge_shift = map->page_size > CR_WIRE_PAGE ? shift : 0;
	rc = look_into(checkpoint->kmod, task->pid, map, space, err);
	if (rc == 0 && kind == CR_SPACE_SYSV)
		rc = ask_segment(task, space, err);
	return rc;
}
