// SPDX-License-Identifier: GPL-2.0-only
/*
 * maps.c - the mappings of a process
 *
 * As /proc/PID/smaps has them, without its text and without going through their
 * pages: whether a mapping may have pages of its own is all that is asked for.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/kdev_t.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "cr.h"
#include "uapi/cr_ioctl.h"

#define PATH_ROOM PATH_MAX /* behind the records: what paths are made in */

struct maps {
	char *buffer; /* of @length bytes and PATH_ROOM */
	u32 length, used;
};

/* In the order of CR_MAP_ADVICE; 0: this kernel has none. */
static const u64 advice_flags[] = {
	VM_GROWSDOWN,  VM_NORESERVE,   VM_HUGETLB,  VM_LOCKED,
	VM_DONTDUMP,   VM_WIPEONFORK,  VM_DONTCOPY, VM_HUGEPAGE,
	VM_NOHUGEPAGE, VM_MERGEABLE,   VM_SEQ_READ, VM_RAND_READ,
	VM_IO,	       VM_PFNMAP,      VM_MIXEDMAP, VM_UFFD_MISSING,
	VM_UFFD_WP,    VM_UFFD_MINOR,  VM_SYNC,	    CR_VM_SHADOW_STACK,
	CR_VM_SEALED,  VM_LOCKONFAULT,
};

static u64 advice_of(const struct vm_area_struct *vma)
{
	u64 advice = 0;
	u32 i;

	BUILD_BUG_ON(ARRAY_SIZE(advice_flags) * 2 != sizeof(CR_MAP_ADVICE) - 1);
	for (i = 0; i < ARRAY_SIZE(advice_flags); i++)
		if (vma->vm_flags & advice_flags[i])
			advice |= 1ull << i;
	return advice;
}

static u32 prot_of(const struct vm_area_struct *vma)
{
	return (vma->vm_flags & VM_READ ? PROT_READ : 0) |
	       (vma->vm_flags & VM_WRITE ? PROT_WRITE : 0) |
	       (vma->vm_flags & VM_EXEC ? PROT_EXEC : 0);
}

/* As smaps names it, as far as somebody relies on the name. */
static const char *name_of(struct vm_area_struct *vma, char *room)
{
	const char *name = NULL;

	if (vma->vm_file)
		return d_path(cr_path_of_mapped(vma->vm_file), room, PATH_ROOM);
	if (vma->vm_ops && vma->vm_ops->name)
		name = vma->vm_ops->name(vma);
	return name ? name : "";
}

static void fill(struct cr_ioc_map *map, struct vm_area_struct *vma)
{
	map->start = vma->vm_start;
	map->end = vma->vm_end;
	map->prot = prot_of(vma);
	map->advice = advice_of(vma);
	map->page_size = vma_kernel_pagesize(vma);
	if (vma->vm_flags & VM_MAYSHARE)
		map->flags |= CR_MAP_F_SHARED;
	/* private pages of huge ones may be known to their reserve only */
	if (vma->anon_vma || is_vm_hugetlb_page(vma))
		map->flags |= CR_MAP_F_OWN;
	if (vma->vm_file) {
		const struct inode *inode = cr_inode_of_mapped(vma->vm_file);

		map->offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
		map->inode = inode->i_ino;
		map->major = MAJOR(inode->i_sb->s_dev);
		map->minor = MINOR(inode->i_sb->s_dev);
	}
}

/* Append @vma.  Returns 1 if it is there, 0 if there is no room. */
static int add(struct maps *maps, struct vm_area_struct *vma)
{
	struct cr_ioc_map *map = (void *)(maps->buffer + maps->used);
	const char *name = name_of(vma, maps->buffer + maps->length);
	size_t length;

	if (IS_ERR(name))
		return PTR_ERR(name);
	length = ALIGN(sizeof(*map) + strlen(name) + 1, 8);
	if (length > maps->length - maps->used)
		return 0;
	memset(map, 0, length);
	fill(map, vma);
	map->length = length;
	strcpy(map->path, name);
	maps->used += length;
	return 1;
}

/* Mappings from @address on; returns where to go on, 0 at the end. */
static long list(struct maps *maps, struct mm_struct *mm, u64 address,
		 u64 *nextp)
{
	struct vm_area_struct *vma;
	int rc = 1;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	while (rc > 0 && (vma = find_vma(mm, address))) {
		rc = add(maps, vma);
		if (rc > 0)
			address = vma->vm_end;
	}
	mmap_read_unlock(mm);
	*nextp = rc > 0 ? 0 : address;
	return rc < 0 ? rc : 0;
}

static int tell(struct maps *maps, struct cr_ioc_maps *call)
{
	struct mm_struct *mm = cr_mem_file_get(call->mem_fd, FMODE_READ);
	int rc;

	if (IS_ERR(mm))
		return PTR_ERR(mm);
	rc = list(maps, mm, call->first, &call->next);
	mmput(mm);
	call->length = maps->used;
	if (!rc && copy_to_user(u64_to_user_ptr(call->buffer), maps->buffer,
				maps->used))
		rc = -EFAULT;
	return rc;
}

/**
 * cr_maps() - CR_IOC_MAPS
 * @argument: struct cr_ioc_maps
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_maps(unsigned long argument)
{
	struct cr_ioc_maps call;
	struct maps maps = { 0 };
	int rc = cr_copy_argument(&call, argument, sizeof(call));

	if (rc)
		return rc;
	if (call.flags || call.reserved || call.first > TASK_SIZE_MAX ||
	    call.length < CR_MAPS_LENGTH_MIN ||
	    call.length > CR_MAPS_LENGTH_MAX || call.length % 8)
		return -EINVAL;
	maps.length = call.length;
	maps.buffer = kvmalloc(maps.length + PATH_ROOM, GFP_KERNEL);
	if (!maps.buffer)
		return -ENOMEM;
	rc = tell(&maps, &call);
	if (!rc && copy_to_user((void __user *)argument, &call, sizeof(call)))
		rc = -EFAULT;
	kvfree(maps.buffer);
	return rc;
}
