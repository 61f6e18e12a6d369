/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_shm.c - memory that several tasks share, staged at a task's turn
 *
 * The first task in saved order that maps a shared anonymous object makes and
 * fills it, and keeps a descriptor of it until the gate; later ones fetch
 * that.  SysV segments have ids of their own to be found by.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cr_image.h"
#include "kmod.h"
#include "mapped.h"
#include "procfs.h"
#include "restart_mm.h"

int cr_mm_fill_object(struct cr_restarter *restarter,
		      const struct cr_wire_space *space, void *base,
		      struct cr_error *err)
{
	return cr_image_fill_whole(restarter->image, space->id, base,
				   cr_page_up(space->length),
				   restarter->options->nr_workers, err);
}

/* A descriptor of the shared anonymous mapping at @base, above the floor. */
static int open_mapping(struct cr_restarter *restarter, void *base,
			uint64_t length)
{
	const uint64_t start = (uint64_t)(uintptr_t)base;
	const struct cr_proc_map map = { .start = start,
					 .end = start + length };
	struct cr_kmod *kmod = NULL;
	struct cr_mapped mapped;
	int fd, high, rc;

	cr_kmod_open(CR_ENGINE_AUTO, &kmod, NULL);
	rc = cr_mapped_find(kmod, getpid(), &map, &mapped);
	cr_kmod_close(kmod);
	errno = -rc;
	fd = rc < 0 ? -1 : open(mapped.path, O_RDWR | O_CLOEXEC);
	cr_mapped_forget(&mapped);
	if (fd < 0)
		return -1;
	high = fcntl(fd, F_DUPFD_CLOEXEC, restarter->fd_floor);
	close(fd);
	return high;
}

static int make_shmem(struct cr_restarter *restarter,
		      const struct cr_wire_space *space, struct cr_error *err)
{
	int flags = MAP_SHARED | MAP_ANONYMOUS;
	void *base;
	int fd, rc;

	if (space->huge_shift)
		flags |= MAP_HUGETLB |
			 (int)(space->huge_shift << MAP_HUGE_SHIFT);
	base = mmap(NULL, space->length, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (base == MAP_FAILED)
		return cr_error_errno(err, "making shared memory");
	rc = cr_mm_fill_object(restarter, space, base, err);
	fd = rc < 0 ? -1 : open_mapping(restarter, base, space->length);
	if (!rc && fd < 0)
		rc = cr_error_errno(err, "opening shared memory");
	munmap(base, space->length);
	return rc < 0 ? rc : fd;
}

/* Our descriptor of the object, made or fetched. */
static int get_shmem(struct cr_restarter *restarter, uint32_t vpid,
		     const struct cr_wire_space *space, struct cr_error *err)
{
	struct cr_file_place *place = &restarter->space_places[space->id - 1];
	int pidfd, fd, high;

	if (place->vpid == vpid)
		return place->fd;
	if (!place->vpid) {
		fd = make_shmem(restarter, space, err);
		if (fd >= 0) {
			place->fd = fd;
			place->vpid = vpid;
		}
		return fd;
	}
	pidfd = (int)syscall(SYS_pidfd_open, place->vpid, 0);
	fd = pidfd < 0 ? -1 :
			 (int)syscall(SYS_pidfd_getfd, pidfd, place->fd, 0);
	high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, restarter->fd_floor);
	if (high < 0)
		high = cr_error_errno(err, "fetching shared memory of %u",
				      place->vpid);
	if (fd >= 0)
		close(fd);
	if (pidfd >= 0)
		close(pidfd);
	return high;
}

static int stage_shmem(struct cr_restarter *restarter, uint32_t vpid,
		       const struct cr_wire_vma *vma, uint64_t *fromp,
		       struct cr_error *err)
{
	const struct cr_wire_space *space =
		restarter->saved->spaces[vma->space - 1];
	struct cr_wire_vma as_file = *vma;
	int fd;

	fd = get_shmem(restarter, vpid, space, err);
	if (fd < 0)
		return fd;
	as_file.map_flags &= ~(uint32_t)MAP_ANONYMOUS;
	/* the descriptor stays: others fetch it, the gate closes it */
	return cr_mm_map(restarter, &as_file, (int)vma->prot, fd, fromp, err);
}

static int set_sysv_owner(const struct cr_wire_space *space,
			  struct cr_error *err)
{
	struct shmid_ds ds = { 0 };

	ds.shm_perm.uid = space->sysv_uid;
	ds.shm_perm.gid = space->sysv_gid;
	ds.shm_perm.mode = (unsigned short)(space->sysv_mode & 0777);
	if (shmctl(space->sysv_id, IPC_SET, &ds) < 0)
		return cr_error_errno(err, "owner of SysV segment %d",
				      space->sysv_id);
	return 0;
}

int cr_mm_make_segment(struct cr_restarter *restarter,
		       const struct cr_wire_space *space, struct cr_error *err)
{
	void *base;
	int id, rc;

	rc = cr_ipc_set_next_id("shm", space->sysv_id, err);
	if (rc < 0)
		return rc;
	id = shmget(space->sysv_key, space->length,
		    IPC_CREAT | IPC_EXCL | (int)(space->sysv_mode & 0777));
	if (id < 0)
		return cr_error_errno(err, "SysV segment %d, key %#x",
				      space->sysv_id, space->sysv_key);
	if (id != space->sysv_id) {
		shmctl(id, IPC_RMID, NULL);
		return cr_error_set(err, -EEXIST,
				    "SysV segment id %d is taken here",
				    space->sysv_id);
	}
	base = shmat(id, NULL, 0);
	if (base == (void *)-1)
		return cr_error_errno(err, "SysV segment %d", id);
	rc = cr_mm_fill_object(restarter, space, base, err);
	shmdt(base);
	return rc < 0 ? rc : set_sysv_owner(space, err);
}

static int stage_sysv(struct cr_restarter *restarter, uint32_t vpid,
		      const struct cr_wire_vma *vma, uint64_t *fromp,
		      struct cr_error *err)
{
	const struct cr_wire_space *space =
		restarter->saved->spaces[vma->space - 1];
	struct cr_file_place *place = &restarter->space_places[space->id - 1];
	int is_first = !place->vpid;
	uint64_t at;
	int rc;

	if (is_first) {
		rc = cr_mm_make_segment(restarter, space, err);
		if (rc < 0)
			return rc;
		place->vpid = vpid;
	}
	at = cr_zone_take(&restarter->zone, cr_page_up(space->length),
			  vma->start);
	if (!at)
		return cr_error_set(err, -ENOMEM, "no free addresses");
	if (shmat(space->sysv_id, (void *)at,
		  vma->prot & PROT_WRITE ? 0 : SHM_RDONLY) == (void *)-1)
		return cr_error_errno(err, "SysV segment %d", space->sysv_id);
	/* removed already: it goes with the last who has it attached */
	if (is_first && (space->sysv_mode & SHM_DEST) &&
	    shmctl(space->sysv_id, IPC_RMID, NULL) < 0)
		return cr_error_errno(err, "removing SysV segment %d",
				      space->sysv_id);
	*fromp = at + vma->offset;
	return 0;
}

static int stage_vma(struct cr_restarter *restarter,
		     const struct cr_saved_task *task, size_t i,
		     struct cr_file_restore *files, struct cr_staged *staged,
		     struct cr_error *err)
{
	const struct cr_wire_vma *vma = &task->vmas[i];
	uint64_t *from = &staged->vma[i].from;
	int in_turn;

	switch (vma->kind) {
	case CR_VMA_SHMEM:
		return stage_shmem(restarter, task->link->vpid, vma, from, err);
	case CR_VMA_SYSV:
		return stage_sysv(restarter, task->link->vpid, vma, from, err);
	case CR_VMA_FILE_PRIVATE:
	case CR_VMA_FILE_SHARED:
		if (*from)
			return 0;
		in_turn = cr_mm_file_in_turn(restarter, vma);
		return cr_mm_stage_file(restarter, vma, files, in_turn, from,
					err);
	default:
		return 0;
	}
}

int cr_mm_stage_shared(struct cr_restarter *restarter,
		       const struct cr_saved_task *task,
		       struct cr_file_restore *files, struct cr_staged *staged,
		       struct cr_error *err)
{
	int rc = cr_restart_ipc(restarter, task->link->vpid, err);

	for (size_t i = 0; i < task->nr_vmas && !rc; i++)
		rc = stage_vma(restarter, task, i, files, staged, err);
	if (!rc && staged->fill_in_turn)
		rc = cr_mm_fill(restarter, task, staged, err);
	return rc;
}
