// SPDX-License-Identifier: GPL-2.0-only
/*
 * mem_file.c - an open /proc/PID/mem as the proof that its holder may
 *
 * Opening it takes the right to trace the process, which no exported function
 * can ask for.  The file holds the address space as it was then: neither a
 * recycled pid nor a program with more rights executed since can be meant.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/magic.h>
#include <linux/printk.h>
#include <linux/sched/mm.h>

#include "cr.h"

/* Of every /proc/PID/mem and of nothing else; the kernel does not say where
 * they are, so one is opened and looked at. */
static const struct file_operations *mem_operations __ro_after_init;

static bool is_mem_file(const struct file *file,
			const struct file_operations *operations)
{
	return file->f_op == operations &&
	       file_inode(file)->i_sb->s_magic == PROC_SUPER_MAGIC;
}

/**
 * cr_mem_file_init() - learn what a /proc/PID/mem looks like
 *
 * By a process with memory of its own, whose /proc is mounted: that which
 * loads the module.
 *
 * Return: 0; -ENODEV where this kernel keeps it in a way that is not known; or
 * what opening it returned.
 */
int __init cr_mem_file_init(void)
{
	struct file *file = filp_open("/proc/self/mem", O_RDONLY, 0);

	if (IS_ERR(file)) {
		pr_err("cr: cannot open /proc/self/mem: %ld\n", PTR_ERR(file));
		return PTR_ERR(file);
	}
	if (current->mm && file->private_data == current->mm &&
	    is_mem_file(file, file->f_op))
		mem_operations = file->f_op;
	fput(file);
	if (mem_operations)
		return 0;
	pr_err("cr: this kernel's /proc/PID/mem is of an unknown kind\n");
	return -ENODEV;
}

/**
 * cr_mem_file_get() - the memory that an open /proc/PID/mem is of
 * @fd: descriptor of the calling process
 * @mode: FMODE_READ or FMODE_WRITE, what the file must be open for
 *
 * Return: the address space, to be given back with mmput(); an ERR_PTR():
 * -EBADF no file or not open for that, -EPERM no /proc/PID/mem, -ESRCH the
 * process has no memory any more.
 */
struct mm_struct *cr_mem_file_get(int fd, fmode_t mode)
{
	struct file *file = fget(fd);
	struct mm_struct *mm;

	if (!file)
		return ERR_PTR(-EBADF);
	mm = file->private_data;
	if (!is_mem_file(file, mem_operations))
		mm = ERR_PTR(-EPERM);
	else if (!(file->f_mode & mode))
		mm = ERR_PTR(-EBADF);
	else if (!mm || !mmget_not_zero(mm))
		mm = ERR_PTR(-ESRCH);
	fput(file);
	return mm;
}
