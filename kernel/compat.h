/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - kernel interfaces that differ from version to version
 *
 * From 5.14 on.  The only place with version numbers.
 */
#ifndef CR_COMPAT_H
#define CR_COMPAT_H

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/uio.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 14, 0)
#error "too old a kernel: 5.14 at least"
#endif

/* READ and WRITE said whose view it was; the names came with 6.2. */
#ifndef ITER_SOURCE
#define ITER_SOURCE 1
#define ITER_DEST 0
#endif

/* The array of VMAs went away with 6.5; nobody wants it here. */
static inline long cr_get_pages(struct mm_struct *mm, unsigned long address,
				unsigned long nr, unsigned int flags,
				struct page **pages, int *locked)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return get_user_pages_remote(mm, address, nr, flags, pages, NULL,
				     locked);
#else
	return get_user_pages_remote(mm, address, nr, flags, pages, locked);
#endif
}

static inline long cr_pin_pages(struct mm_struct *mm, unsigned long address,
				unsigned long nr, unsigned int flags,
				struct page **pages, int *locked)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return pin_user_pages_remote(mm, address, nr, flags, pages, NULL,
				     locked);
#else
	return pin_user_pages_remote(mm, address, nr, flags, pages, locked);
#endif
}

/* Since 6.8 vfs_iter_write() waits by itself while the filesystem is frozen. */
static inline ssize_t cr_iter_write(struct file *file, struct iov_iter *iter,
				    loff_t *offset)
{
	ssize_t done;

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	file_start_write(file);
	done = vfs_iter_write(file, iter, offset, 0);
	file_end_write(file);
#else
	done = vfs_iter_write(file, iter, offset, 0);
#endif
	return done;
}

static inline u64 cr_cap_bits(const kernel_cap_t *set)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	return (u64)set->cap[1] << 32 | set->cap[0];
#else
	return set->val;
#endif
}

/* What users see of a mapped file, where overlayfs has another below it. */
static inline const struct path *cr_path_of_mapped(struct file *file)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	return &file->f_path;
#else
	return file_user_path(file);
#endif
}

static inline const struct inode *cr_inode_of_mapped(struct file *file)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	return file_inode(file);
#else
	return file_user_inode(file);
#endif
}

/* Flags of mappings that not every kernel has. */
#ifdef VM_SHADOW_STACK
#define CR_VM_SHADOW_STACK VM_SHADOW_STACK
#else
#define CR_VM_SHADOW_STACK 0
#endif

#ifdef VM_SEALED
#define CR_VM_SEALED VM_SEALED
#else
#define CR_VM_SEALED 0
#endif

#endif /* CR_COMPAT_H */
