// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - the module: /dev/cr, open and release, which call is whose
 *
 * No privilege is needed but to open the device: what a call may touch is
 * checked in each.  docs/kernel.md has the whole.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "cr.h"
#include "restart_ctx.h"
#include "uapi/cr_ioctl.h"

/**
 * cr_copy_argument() - copy the argument of a call from user space
 * @to: where to
 * @from: the argument of ioctl(2), a pointer of user space
 * @size: bytes
 *
 * Return: 0 or -EFAULT.
 */
int cr_copy_argument(void *to, unsigned long from, size_t size)
{
	return copy_from_user(to, (const void __user *)from, size) ? -EFAULT :
								     0;
}

static long cr_ioctl(struct file *file, unsigned int call,
		     unsigned long argument)
{
	switch (call) {
	case CR_IOC_RESTART:
		return cr_restart_begin(file, argument);
	case CR_IOC_JOIN:
		return cr_restart_join(file, argument);
	case CR_IOC_TURN:
		return cr_restart_turn(file);
	case CR_IOC_RESTORED:
		return cr_restart_restored(file);
	case CR_IOC_SETTLE:
		return cr_restart_settle(file);
	case CR_IOC_GATE:
		return cr_restart_gate(file);
	case CR_IOC_ARRIVE:
		return cr_restart_arrive(file);
	case CR_IOC_RELEASE:
		return cr_restart_release(file);
	case CR_IOC_FAIL:
		return cr_restart_fail(file, argument);
	case CR_IOC_WAIT:
		return cr_restart_wait(file, argument);
	case CR_IOC_CHECKPOINT:
		return cr_checkpoint(argument);
	case CR_IOC_FILL:
		return cr_fill(argument);
	case CR_IOC_ASK:
		return cr_ask(argument);
	case CR_IOC_LOOK:
		return cr_look(argument);
	case CR_IOC_FILES:
		return cr_files(argument);
	case CR_IOC_MAPS:
		return cr_maps(argument);
	case CR_IOC_OPEN_MAPPED:
		return cr_open_mapped(argument);
	case CR_IOC_REGS:
		return cr_regs(argument);
	default:
		return -ENOTTY;
	}
}

static int cr_open(struct inode *inode, struct file *file)
{
	struct cr_open *open = kzalloc(sizeof(*open), GFP_KERNEL_ACCOUNT);

	if (!open)
		return -ENOMEM;
	mutex_init(&open->lock);
	file->private_data = open;
	return nonseekable_open(inode, file);
}

static int cr_flush(struct file *file, fl_owner_t owner)
{
	cr_restart_flush(file);
	return 0;
}

static int cr_release(struct inode *inode, struct file *file)
{
	struct cr_open *open = file->private_data;

	cr_restart_put(open->restart);
	kfree(open);
	return 0;
}

static const struct file_operations cr_operations = {
	.owner = THIS_MODULE,
	.open = cr_open,
	.flush = cr_flush,
	.release = cr_release,
	.unlocked_ioctl = cr_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = cr_restart_poll,
};

/* Root's alone, until a udev rule says otherwise. */
static struct miscdevice cr_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "cr",
	.fops = &cr_operations,
	.mode = 0600,
};

static int __init cr_init(void)
{
	int rc = cr_mem_file_init();

	cr_identity_init();
	return rc ? rc : misc_register(&cr_device);
}

static void __exit cr_exit(void)
{
	misc_deregister(&cr_device);
	cr_restart_check_left();
}

module_init(cr_init);
module_exit(cr_exit);
MODULE_LICENSE("GPL");
MODULE_VERSION(CR_VERSION);
MODULE_AUTHOR("spank_cr developers");
MODULE_DESCRIPTION("checkpoint and restart of process trees");
