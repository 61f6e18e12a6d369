/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_vdso.c - put the kernel's vdso where the image wants it
 *
 * A program holds addresses within the vdso, so it must be where it was.  The
 * mappings of this kernel are moved there if they are of the same sizes, in the
 * same order, as the saved ones.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "restart_mm.h"

void cr_vdso_find_own(struct cr_vdso_own *own)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4096];

	own->nr = 0;
	while (maps && own->nr < CR_VDSO_PARTS &&
	       fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "[vvar") && !strstr(line, "[vdso]"))
			continue;
		if (sscanf(line, "%" SCNx64 "-%" SCNx64,
			   &own->part[own->nr].start,
			   &own->part[own->nr].end) == 2)
			own->nr++;
	}
	if (maps)
		fclose(maps);
}

static int refuse(struct cr_error *err)
{
	return cr_error_set(err, -EOPNOTSUPP,
			    "the image is of a kernel with another vdso");
}

int cr_vdso_stage(struct cr_restarter *restarter,
		  const struct cr_saved_task *task, struct cr_list *list,
		  struct cr_vdso *vdso, struct cr_error *err)
{
	const struct cr_vdso_own *own = &restarter->vdso;
	struct cr_op *op;

	memset(vdso, 0, sizeof(*vdso));
	for (size_t i = 0; i < task->nr_vmas; i++) {
		const struct cr_wire_vma *vma = &task->vmas[i];
		uint64_t length = vma->end - vma->start;
		uint64_t to;

		if (vma->kind != CR_VMA_VDSO && vma->kind != CR_VMA_VVAR)
			continue;
		if (vdso->nr == own->nr ||
		    own->part[vdso->nr].end - own->part[vdso->nr].start !=
			    length)
			return refuse(err);
		to = cr_zone_take(&restarter->zone, length, vma->start);
		if (!to)
			return cr_error_set(err, -ENOMEM,
					    "no free addresses for the vdso");
		op = cr_list_add(list, CR_OP_CALL, CR_STEP_MOVE, SYS_mremap,
				 own->part[vdso->nr].start, length, length,
				 MREMAP_MAYMOVE | MREMAP_FIXED);
		op->args[4] = to;
		vdso->at[vdso->nr++] = to;
	}
	if (vdso->nr && vdso->nr != own->nr)
		return refuse(err);
	return 0;
}

uint64_t cr_vdso_next(struct cr_vdso *vdso)
{
	return vdso->at[vdso->next++];
}
