/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_mm.c - a task's memory: staged, and put in its place by the restorer
 *
 * Whatever has contents or a file is mapped and filled while libc still works:
 * in its place if nothing of ours is near, as is usual with random addresses;
 * else in the zone, and the restorer moves its page tables with mremap(2),
 * which costs as much as making them.  Anonymous memory without contents
 * (reservations of terabytes too) costs one mmap(2) in the restorer.
 * restart_shm.c stages what several tasks share.
 */
#include <errno.h>
#include <linux/prctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cr_image.h"
#include "restart_mm.h"

#define TASK_END 0x7ffffffff000ull

static uint64_t vma_length(const struct cr_wire_vma *vma)
{
	return vma->end - vma->start;
}

static int is_private(const struct cr_wire_vma *vma)
{
	return vma->kind == CR_VMA_ANON || vma->kind == CR_VMA_FILE_PRIVATE;
}

/* Mark the VMAs that have pages in the MM space; both lists are sorted. */
static int find_contents(struct cr_restarter *restarter,
			 const struct cr_saved_task *task,
			 struct cr_staged *staged, struct cr_error *err)
{
	struct cr_wire_run *runs;
	size_t nr_runs, v = 0;
	int rc;

	rc = cr_image_space_runs(restarter->image, task->mm->space, &runs,
				 &nr_runs, err);
	if (rc < 0)
		return rc;
	for (size_t r = 0; r < nr_runs; r++) {
		uint64_t end = runs[r].address + runs[r].length;

		while (v < task->nr_vmas &&
		       task->vmas[v].end <= runs[r].address)
			v++;
		for (size_t i = v;
		     i < task->nr_vmas && task->vmas[i].start < end; i++)
			staged->vma[i].has_contents = 1;
	}
	free(runs);
	return 0;
}

static void *map_at(const struct cr_wire_vma *vma, uint64_t at, int prot,
		    int fd)
{
	return mmap((void *)at, vma_length(vma), prot,
		    (int)vma->map_flags | MAP_FIXED_NOREPLACE, fd,
		    fd < 0 ? 0 : (off_t)vma->offset);
}

int cr_mm_map(struct cr_restarter *restarter, const struct cr_wire_vma *vma,
	      int prot, int fd, uint64_t *addressp, struct cr_error *err)
{
	struct cr_zone *zone = &restarter->zone;
	void *mapped = MAP_FAILED;
	uint64_t at;

	if (cr_zone_is_clear_of_us(zone, vma->start, vma->end))
		mapped = map_at(vma, vma->start, prot, fd);
	if (mapped == MAP_FAILED) {
		at = cr_zone_take(zone, vma_length(vma), vma->start);
		if (!at)
			return cr_error_set(err, -ENOMEM,
					    "no free addresses to stage "
					    "memory");
		mapped = map_at(vma, at, prot, fd);
	}
	if (mapped == MAP_FAILED)
		return cr_error_errno(err, "mapping %#llx-%#llx",
				      (unsigned long long)vma->start,
				      (unsigned long long)vma->end);
	/* before it is filled: see huge_page.h */
	if (vma->advice & CR_VMA_NOHUGEPAGE)
		madvise(mapped, vma_length(vma), MADV_NOHUGEPAGE);
	*addressp = (uint64_t)mapped;
	return 0;
}

int cr_mm_stage_file(struct cr_restarter *restarter,
		     const struct cr_wire_vma *vma,
		     struct cr_file_restore *files, int is_shared_object,
		     uint64_t *addressp, struct cr_error *err)
{
	const struct cr_wire_file *file =
		files->saved->files[vma->file - 1].file;
	int is_shared = (vma->map_flags & MAP_SHARED) != 0;
	int prot = is_shared ? (int)vma->prot : PROT_READ | PROT_WRITE;
	/* what was mapped for reading only must not become writable */
	int may_write = is_shared && (vma->prot & PROT_WRITE ||
				      file->flags & CR_FILE_F_WRITABLE);
	int fd, rc;

	fd = cr_files_open(files, vma->file, is_shared_object, may_write, err);
	if (fd == -EACCES || fd == -EROFS || fd == -ETXTBSY)
		fd = cr_files_open(files, vma->file, is_shared_object, 0, err);
	if (fd < 0)
		return fd;
	rc = cr_mm_map(restarter, vma, prot, fd, addressp, err);
	close(fd);
	return rc;
}

/* Files that exist only in the image belong to all who map them: in turn. */
int cr_mm_file_in_turn(const struct cr_restarter *restarter,
		       const struct cr_wire_vma *vma)
{
	const struct cr_wire_file *file;

	if (!vma->file)
		return 0;
	file = restarter->saved->files[vma->file - 1].file;
	return file->kind != CR_FILE_REGULAR ||
	       (file->flags & (CR_FILE_F_UNLINKED | CR_FILE_F_CONTENT)) != 0;
}

static int stage_vma(struct cr_restarter *restarter,
		     const struct cr_wire_vma *vma,
		     struct cr_file_restore *files, struct cr_staged *staged,
		     struct cr_staged_vma *out, struct cr_error *err)
{
	if (!is_private(vma))
		return 0;
	if (vma->space) { /* a family: our copy of the coordinator's mapping */
		out->from = restarter->family[vma->space - 1];
		return 0;
	}
	if (vma->kind == CR_VMA_ANON)
		return out->has_contents ?
			       cr_mm_map(restarter, vma, PROT_READ | PROT_WRITE,
					 -1, &out->from, err) :
			       0;
	if (cr_mm_file_in_turn(restarter, vma)) {
		staged->fill_in_turn = 1;
		return 0;
	}
	return cr_mm_stage_file(restarter, vma, files, 0, &out->from, err);
}

struct locate {
	const struct cr_saved_task *task;
	const struct cr_staged *staged;
};

static void *locate(void *arg, uint64_t address, uint64_t *length)
{
	const struct locate *l = arg;
	size_t low = 0, high = l->task->nr_vmas;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->task->vmas[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == l->task->nr_vmas || l->task->vmas[low].start > address ||
	    !is_private(&l->task->vmas[low]) || !l->staged->vma[low].from)
		return NULL;
	if (*length > l->task->vmas[low].end - address)
		*length = l->task->vmas[low].end - address;
	return (void *)(l->staged->vma[low].from + address -
			l->task->vmas[low].start);
}

int cr_mm_fill(struct cr_restarter *restarter, const struct cr_saved_task *task,
	       const struct cr_staged *staged, struct cr_error *err)
{
	struct locate l = { task, staged };
	unsigned int workers = restarter->options->nr_workers;

	if (!workers && restarter->saved->nr_tasks > 2)
		workers = 1;
	return cr_image_fill(restarter->image, task->mm->space, locate, &l,
			     workers, err);
}

/*
 * Where huge pages come by themselves (Debian's default), filling a few pages
 * here and there would take 2 MiB for each: more than the job may have.
 * What was saved of this setting is set in the end.
 */
static void forbid_huge_pages(const struct cr_restarter *restarter,
			      const struct cr_saved_task *task,
			      const struct cr_staged *staged)
{
	uint64_t mapped = 0;

	for (size_t i = 0; i < task->nr_vmas; i++)
		if (staged->vma[i].has_contents)
			mapped += vma_length(&task->vmas[i]);
	if (2 * cr_image_space_bytes(restarter->image, task->mm->space) <
	    mapped)
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

int cr_mm_stage_private(struct cr_restarter *restarter,
			const struct cr_saved_task *task,
			struct cr_file_restore *files,
			struct cr_staged **stagedp, struct cr_error *err)
{
	struct cr_staged *staged;
	int rc;

	staged = calloc(1, sizeof(*staged) +
				   task->nr_vmas * sizeof(staged->vma[0]));
	if (!staged)
		return cr_error_set(err, -ENOMEM, "out of memory");
	rc = find_contents(restarter, task, staged, err);
	if (!rc)
		forbid_huge_pages(restarter, task, staged);
	for (size_t i = 0; i < task->nr_vmas && !rc; i++)
		rc = stage_vma(restarter, &task->vmas[i], files, staged,
			       &staged->vma[i], err);
	if (!rc && !staged->fill_in_turn)
		rc = cr_mm_fill(restarter, task, staged, err);
	if (rc < 0) {
		free(staged);
		return rc;
	}
	*stagedp = staged;
	return 0;
}

static void add_advice(const struct cr_wire_vma *vma, struct cr_list *list)
{
	static const int advice[] = { MADV_DONTDUMP,   MADV_DONTFORK,
				      MADV_WIPEONFORK, MADV_HUGEPAGE,
				      MADV_NOHUGEPAGE, MADV_MERGEABLE,
				      MADV_SEQUENTIAL, MADV_RANDOM };
	uint32_t bits = vma->advice;

	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
		if (bits >> i & 1)
			cr_list_add(list, CR_OP_CALL, CR_STEP_ADVISE,
				    SYS_madvise, vma->start, vma_length(vma),
				    (uint64_t)advice[i], 0);
	if (bits & CR_VMA_LOCKED)
		cr_list_add(list, CR_OP_CALL, CR_STEP_LOCK_MEMORY, SYS_mlock2,
			    vma->start, vma_length(vma),
			    bits & CR_VMA_LOCKONFAULT ? MLOCK_ONFAULT : 0, 0);
}

static void add_map(const struct cr_wire_vma *vma, struct cr_list *list)
{
	struct cr_op *op;

	op = cr_list_add(list, CR_OP_CALL_IS, CR_STEP_MAP, SYS_mmap, vma->start,
			 vma_length(vma), vma->prot,
			 vma->map_flags | MAP_FIXED_NOREPLACE);
	op->args[4] = (uint64_t)-1;
	op->expected = (int64_t)vma->start;
}

static void add_protect(const struct cr_wire_vma *vma, struct cr_list *list)
{
	if (is_private(vma) && vma->prot != (PROT_READ | PROT_WRITE))
		cr_list_add(list, CR_OP_CALL, CR_STEP_PROTECT, SYS_mprotect,
			    vma->start, vma_length(vma), vma->prot, 0);
}

static void add_move(const struct cr_wire_vma *vma, uint64_t from,
		     struct cr_list *list)
{
	struct cr_op *op;

	if (from == vma->start)
		return;
	op = cr_list_add(list, CR_OP_CALL_IS, CR_STEP_MOVE, SYS_mremap, from,
			 vma_length(vma), vma_length(vma),
			 MREMAP_MAYMOVE | MREMAP_FIXED);
	op->args[4] = vma->start;
	op->expected = (int64_t)vma->start;
}

static void add_unmap(struct cr_list *list, uint64_t start, uint64_t end)
{
	if (start < end)
		cr_list_add(list, CR_OP_CALL, CR_STEP_UNMAP, SYS_munmap, start,
			    end - start, 0, 0);
}

/* All but the zone, and what waits in its place already. */
static void add_unmap_ours(const struct cr_restarter *restarter,
			   const struct cr_saved_task *task,
			   const struct cr_staged *staged, struct cr_list *list)
{
	const uint64_t zone_end =
		restarter->zone.end + restarter->vdso.kept_length;
	int is_past_zone = 0;
	uint64_t from = 0;

	for (size_t i = 0; i <= task->nr_vmas; i++) {
		const struct cr_wire_vma *vma = &task->vmas[i];
		uint64_t to = TASK_END;

		if (i < task->nr_vmas && staged->vma[i].from != vma->start)
			continue;
		if (i < task->nr_vmas)
			to = vma->start;
		if (!is_past_zone && to >= zone_end) {
			add_unmap(list, from, restarter->zone.start);
			from = zone_end;
			is_past_zone = 1;
		}
		add_unmap(list, from, to);
		from = i < task->nr_vmas ? vma->end : to;
	}
}

static void add_mm_map(const struct cr_saved_task *task, struct cr_arena *arena,
		       struct cr_list *list, int exe_fd)
{
	const struct cr_wire_mm *mm = task->mm;
	const struct prctl_mm_map map = {
		.start_code = mm->start_code,
		.end_code = mm->end_code,
		.start_data = mm->start_data,
		.end_data = mm->end_data,
		.start_brk = mm->start_brk,
		.brk = mm->brk,
		.start_stack = mm->start_stack,
		.arg_start = mm->arg_start,
		.arg_end = mm->arg_end,
		.env_start = mm->env_start,
		.env_end = mm->env_end,
		.auxv = cr_arena_copy(arena, task->auxv, mm->auxv_length),
		.auxv_size = mm->auxv_length,
		.exe_fd = (uint32_t)exe_fd,
	};
	struct cr_op *op;

	op = cr_list_add(list, CR_OP_CALL, CR_STEP_MM, SYS_prctl, PR_SET_MM,
			 PR_SET_MM_MAP,
			 (uint64_t)cr_arena_copy(arena, &map, sizeof(map)),
			 sizeof(map));
	op->args[4] = 0;
	/* mm->exe_file stays ours as long as one of its mappings exists; all
	 * are gone by now */
	if (mm->locked & MCL_FUTURE)
		cr_list_add(list, CR_OP_CALL, CR_STEP_LOCK_MEMORY, SYS_mlockall,
			    mm->locked & ~(uint32_t)MCL_CURRENT, 0, 0, 0);
}

int cr_mm_add(struct cr_restarter *restarter, const struct cr_saved_task *task,
	      const struct cr_staged *staged, struct cr_arena *arena,
	      struct cr_list *list, int exe_fd, struct cr_error *err)
{
	uint64_t kept_end = restarter->arena_start + restarter->arena_length;
	const struct cr_wire_vma *vma;
	size_t vdso_part = 0;
	int rc = 0;

	cr_vdso_add_rescue(restarter, list);
	add_unmap_ours(restarter, task, staged, list);
	for (size_t i = 0; i < task->nr_vmas && !rc; i++) {
		vma = &task->vmas[i];
		if (vma->kind == CR_VMA_VDSO || vma->kind == CR_VMA_VVAR)
			rc = cr_vdso_add_place(restarter, vma, &vdso_part, list,
					       err);
		else if (!staged->vma[i].from)
			add_map(vma, list);
		else {
			add_move(vma, staged->vma[i].from, list);
			add_protect(vma, list);
		}
	}
	if (rc < 0)
		return rc;
	add_unmap(list, kept_end, restarter->zone.end);
	add_mm_map(task, arena, list, exe_fd);
	for (size_t i = 0; i < task->nr_vmas; i++)
		add_advice(&task->vmas[i], list);
	return 0;
}
