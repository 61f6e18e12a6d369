/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_vmas.c - the mappings of a process
 *
 * Read while our scratch memory is mapped: it is left out, but its flags show
 * what mlockall(2) has asked for of mappings to come.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <linux/mman.h>

#include "array.h"
#include "collect.h"
#include "files.h"
#include "maps.h"
#include "remote.h"

struct flag {
	const char *name; /* in VmFlags */
	uint32_t value;
};

static const struct flag advice_flags[] = {
	{ "dd", CR_VMA_DONTDUMP },   { "dc", CR_VMA_DONTFORK },
	{ "wf", CR_VMA_WIPEONFORK }, { "hg", CR_VMA_HUGEPAGE },
	{ "nh", CR_VMA_NOHUGEPAGE }, { "mg", CR_VMA_MERGEABLE },
	{ "sr", CR_VMA_SEQUENTIAL }, { "rr", CR_VMA_RANDOM },
	{ "lo", CR_VMA_LOCKED },
};

static const struct {
	const char *name;
	const char *what;
} refused_flags[] = {
	{ "io", "memory of a device" },
	{ "pf", "memory of a device" },
	{ "mm", "memory of a device" },
	{ "um", "memory watched by userfaultfd(2)" },
	{ "uw", "memory watched by userfaultfd(2)" },
	{ "ui", "memory watched by userfaultfd(2)" },
	{ "sf", "a synchronous DAX mapping" },
	{ "ss", "a shadow stack" },
	{ "gu", "memory with guard pages of madvise(2)" },
	{ "sl", "sealed memory" },
};

static int is_special(const struct cr_proc_map *map)
{
	return !strcmp(map->path, "[vdso]") || !strcmp(map->path, "[vvar]") ||
	       !strcmp(map->path, "[vvar_vclock]") ||
	       !strcmp(map->path, "[vsyscall]");
}

static int is_ours(const struct cr_save_task *task,
		   const struct cr_proc_map *map)
{
	uint64_t start, end;

	if (!task->remote)
		return 0;
	cr_remote_range(task->remote, &start, &end);
	return map->start >= start && map->end <= end;
}

static enum cr_vma_kind kind_of(const struct cr_proc_map *map)
{
	int is_huge = cr_proc_map_has(map, "ht");

	if (!strcmp(map->path, "[vdso]"))
		return CR_VMA_VDSO;
	if (!strncmp(map->path, "[vvar", 5))
		return CR_VMA_VVAR;
	/* the inode is the segment's id, and ids begin at 0 */
	if (map->is_shared && !map->major && !strncmp(map->path, "/SYSV", 5))
		return CR_VMA_SYSV;
	if (!map->inode || (!map->is_shared && is_huge &&
			    !strcmp(map->path, "/anon_hugepage (deleted)")))
		return CR_VMA_ANON;
	if (!map->is_shared)
		return CR_VMA_FILE_PRIVATE;
	if (!map->major && (!strcmp(map->path, "/dev/zero (deleted)") ||
			    !strncmp(map->path, "[anon_shmem:", 12) ||
			    !strcmp(map->path, "/anon_hugepage (deleted)")))
		return CR_VMA_SHMEM;
	return CR_VMA_FILE_SHARED;
}

static uint32_t map_flags_of(const struct cr_proc_map *map,
			     enum cr_vma_kind kind)
{
	uint32_t flags = map->is_shared ? MAP_SHARED : MAP_PRIVATE;
	uint32_t shift = 0;

	if (kind == CR_VMA_ANON || kind == CR_VMA_SHMEM)
		flags |= MAP_ANONYMOUS;
	if (cr_proc_map_has(map, "gd"))
		flags |= MAP_GROWSDOWN;
	if (cr_proc_map_has(map, "nr"))
		flags |= MAP_NORESERVE;
	if (cr_proc_map_has(map, "ht")) {
		while (1ull << shift < map->page_size)
			shift++;
		flags |= MAP_HUGETLB | shift << MAP_HUGE_SHIFT;
	}
	return flags;
}

/* Linux 6.1 has a name for every flag of a mapping that can be saved but for
 * this one. */
static int is_locked_on_fault(const struct cr_proc_map *map)
{
	return cr_proc_map_has(map, "lo") &&
	       (cr_proc_map_has(map, "lf") || cr_proc_map_has(map, "??"));
}

static uint32_t advice_of(const struct cr_proc_map *map)
{
	uint32_t advice = 0;

	for (size_t i = 0; i < sizeof(advice_flags) / sizeof(advice_flags[0]);
	     i++)
		if (cr_proc_map_has(map, advice_flags[i].name))
			advice |= advice_flags[i].value;
	if (is_locked_on_fault(map))
		advice |= CR_VMA_LOCKONFAULT;
	return advice;
}

static void check_flags(struct cr_checkpoint *checkpoint,
			const struct cr_save_task *task,
			const struct cr_proc_map *map)
{
	for (size_t i = 0; i < sizeof(refused_flags) / sizeof(refused_flags[0]);
	     i++)
		if (cr_proc_map_has(map, refused_flags[i].name)) {
			cr_refuse(checkpoint, "process %u, %#llx-%#llx: %s%s%s",
				  task->link.vpid,
				  (unsigned long long)map->start,
				  (unsigned long long)map->end,
				  refused_flags[i].what,
				  map->path[0] ? " " : "", map->path);
			return;
		}
}

/*
 * The object of a private mapping: most tasks of a tree map the same programs
 * and libraries, and looking at each in /proc is slow.
 */
static int find_file(struct cr_checkpoint *checkpoint,
		     struct cr_save_task *task, const struct cr_proc_map *map,
		     uint32_t *idp, struct cr_error *err)
{
	struct cr_known_file *known = checkpoint->known_files;
	int rc;

	for (size_t i = 0; i < checkpoint->nr_known_files; i++, known++)
		if (!map->is_shared && known->inode == map->inode &&
		    known->major == map->major && known->minor == map->minor &&
		    !strcmp(known->path, map->path)) {
			*idp = known->id;
			return 0;
		}
	rc = cr_file_table_add_mapped(checkpoint->files, task->pid,
				      task->link.vpid, map, idp, err);
	if (rc < 0 || map->is_shared ||
	    cr_array_grow(&checkpoint->known_files, checkpoint->nr_known_files,
			  sizeof(*known)) < 0)
		return rc;
	known = &checkpoint->known_files[checkpoint->nr_known_files];
	known->major = map->major;
	known->minor = map->minor;
	known->inode = map->inode;
	known->id = *idp;
	known->path = strdup(map->path);
	if (known->path)
		checkpoint->nr_known_files++;
	return 0;
}

/* The object behind a mapping: a file, or a space. */
static int find_any(struct cr_checkpoint *checkpoint, struct cr_save_task *task,
		    const struct cr_proc_map *map, struct cr_wire_vma *vma,
		    struct cr_error *err)
{
	switch (vma->kind) {
	case CR_VMA_FILE_PRIVATE:
	case CR_VMA_FILE_SHARED:
		return find_file(checkpoint, task, map, &vma->file, err);
	case CR_VMA_SHMEM:
		return cr_collect_shared(checkpoint, task, map, CR_SPACE_SHMEM,
					 &vma->space, err);
	case CR_VMA_SYSV:
		return cr_collect_shared(checkpoint, task, map, CR_SPACE_SYSV,
					 &vma->space, err);
	default:
		return 0;
	}
}

/* The same; one that we have no right to open is refused by name. */
static int find_object(struct cr_checkpoint *checkpoint,
		       struct cr_save_task *task, const struct cr_proc_map *map,
		       struct cr_wire_vma *vma, struct cr_error *err)
{
	int rc = find_any(checkpoint, task, map, vma, err);

	if (rc != -EPERM)
		return rc;
	cr_refuse(checkpoint,
		  "process %u, %#llx-%#llx: %s is a file without a name: only "
		  "root, or the kernel's module (/dev/cr), can open it",
		  task->link.vpid, (unsigned long long)map->start,
		  (unsigned long long)map->end,
		  map->path[0] ? map->path : "shared memory");
	return 0;
}

static int add_vma(struct cr_checkpoint *checkpoint, struct cr_save_task *task,
		   const struct cr_proc_map *map, struct cr_vma_writer *writer,
		   struct cr_error *err)
{
	struct cr_save_vma vma = { 0 };
	struct cr_wire_vma *wire = &vma.wire;
	int rc;

	wire->start = map->start;
	wire->end = map->end;
	wire->prot = map->prot;
	wire->kind = kind_of(map);
	wire->map_flags = map_flags_of(map, wire->kind);
	wire->advice = advice_of(map);
	if (wire->kind != CR_VMA_ANON && wire->kind != CR_VMA_VDSO &&
	    wire->kind != CR_VMA_VVAR)
		wire->offset = map->offset;
	if (wire->kind == CR_VMA_ANON)
		vma.has_pages = map->resident || map->swapped ||
				map->page_size > CR_WIRE_PAGE;
	else if (wire->kind == CR_VMA_FILE_PRIVATE)
		vma.has_pages = map->anonymous || map->swapped;
	vma.may_share = vma.has_pages && map->anonymous && map->shared;
	if (!is_special(map))
		check_flags(checkpoint, task, map);
	rc = find_object(checkpoint, task, map, wire, err);
	if (rc == 0 && cr_vma_writer_add(writer, &vma) < 0)
		rc = cr_error_set(err, -ENOMEM, "out of memory");
	return rc;
}

/* mlockall(MCL_FUTURE) shows in memory that was mapped after it. */
static void note_locked(struct cr_save_task *task,
			const struct cr_proc_map *map)
{
	if (!cr_proc_map_has(map, "lo"))
		return;
	task->state->mm.locked = MCL_FUTURE;
	if (is_locked_on_fault(map))
		task->state->mm.locked |= MCL_ONFAULT;
}

int cr_collect_vmas(struct cr_checkpoint *checkpoint, struct cr_save_task *task,
		    struct cr_error *err)
{
	struct cr_vma_writer writer = { .list = &task->vmas };
	struct cr_proc_map *map;
	struct cr_maps *maps;
	int rc;

	rc = cr_maps_open(checkpoint->kmod, checkpoint->options.engine,
			  task->pid, &maps, err);
	if (rc < 0)
		return rc;
	while ((rc = cr_maps_next(maps, &map, err)) > 0) {
		if (!strcmp(map->path, "[vsyscall]"))
			continue;
		if (is_ours(task, map)) {
			note_locked(task, map);
			continue;
		}
		rc = add_vma(checkpoint, task, map, &writer, err);
		if (rc < 0)
			break;
	}
	cr_vma_list_trim(&task->vmas);
	cr_maps_close(maps);
	return rc;
}
