// SPDX-License-Identifier: GPL-2.0-only
/*
 * mapped.c - the file behind a mapping, if it has no name
 *
 * /proc/PID/map_files is for who may checkpoint everybody, since whoever gets a
 * file there need not be able to reach its name.  What has no name, as shared
 * memory, could not be saved by an ordinary user at all.  Who may read it in
 * the process's memory may read all of it, by mremap(2) in the process.
 */
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/path.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "cr.h"
#include "uapi/cr_ioctl.h"

/* The file mapped at @address, with a reference. */
static int find(struct mm_struct *mm, u64 address, struct path *path)
{
	struct vm_area_struct *vma;
	const struct inode *inode;
	int rc = 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = find_vma(mm, address);
	inode = vma && vma->vm_start <= address && vma->vm_file ?
			file_inode(vma->vm_file) :
			NULL;
	if (!inode)
		rc = -ENOENT;
	else if (!S_ISREG(inode->i_mode) || inode->i_nlink ||
		 !(vma->vm_flags & VM_MAYREAD))
		rc = -EACCES;
	if (!rc) {
		*path = *cr_path_of_mapped(vma->vm_file);
		path_get(path);
	}
	mmap_read_unlock(mm);
	return rc;
}

static struct file *open_mapped(const struct cr_ioc_open_mapped *call)
{
	struct mm_struct *mm = cr_mem_file_get(call->mem_fd, FMODE_READ);
	struct file *file;
	struct path path;
	int rc;

	if (IS_ERR(mm))
		return ERR_CAST(mm);
	rc = find(mm, call->address, &path);
	mmput(mm);
	if (rc)
		return ERR_PTR(rc);
	file = dentry_open(&path, O_RDONLY | O_LARGEFILE, current_cred());
	path_put(&path);
	return file;
}

/**
 * cr_open_mapped() - CR_IOC_OPEN_MAPPED
 * @argument: struct cr_ioc_open_mapped
 *
 * Return: 0 or a negative errno as in cr_ioctl.h.
 */
long cr_open_mapped(unsigned long argument)
{
	struct cr_ioc_open_mapped call;
	struct file *file;
	int rc = cr_copy_argument(&call, argument, sizeof(call));

	if (rc)
		return rc;
	if (call.flags || call.reserved)
		return -EINVAL;
	call.fd = get_unused_fd_flags(O_CLOEXEC);
	if (call.fd < 0)
		return call.fd;
	file = open_mapped(&call);
	rc = PTR_ERR_OR_ZERO(file);
	if (!rc && copy_to_user((void __user *)argument, &call, sizeof(call))) {
		fput(file);
		rc = -EFAULT;
	}
	if (rc)
		put_unused_fd(call.fd);
	else
		fd_install(call.fd, file);
	return rc;
}
