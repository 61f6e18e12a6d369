// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flaws.c - a module that makes faults by name, which a debug kernel is to
 * report: write to /sys/module/flaws/parameters/make.  See tests/vm/flaws.sh
 */
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#define SIZE 100

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static int numbers[4];
static int too_large = ARRAY_SIZE(numbers); /* unknown to the compiler */
static int __rcu *published;

static void make_rcu(void)
{
	rcu_dereference(published);
}

static void make_sleep(void)
{
	preempt_disable();
	might_sleep();
	preempt_enable();
}

/* Several: registers and the stack may still know the last. */
static void make_leak(void)
{
	int i;

	for (i = 0; i < 16; i++)
		kzalloc(SIZE, GFP_KERNEL);
}

static void make_index(void)
{
	numbers[READ_ONCE(too_large)] = 0;
}

static void no_work(struct work_struct *work)
{
}

/* Freed while its timer runs. */
static void make_work(void)
{
	struct delayed_work *work = kzalloc(sizeof(*work), GFP_KERNEL);

	INIT_DELAYED_WORK(work, no_work);
	schedule_delayed_work(work, 3600 * HZ);
	kfree(work);
}

static void make_list(void)
{
	LIST_HEAD(head);
	LIST_HEAD(entry);

	list_add(&entry, &head);
	list_add(&entry, &head);
}

static void make_order(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static void make_outside(void)
{
	char *bytes = kmalloc(SIZE, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(bytes);
	bytes[SIZE] = 0;
	kfree(bytes);
}

static void make_freed(void)
{
	char *bytes = kmalloc(SIZE, GFP_KERNEL);

	kfree(bytes);
	OPTIMIZER_HIDE_VAR(bytes);
	WRITE_ONCE(bytes[0], 0);
}

static const struct {
	const char *name;
	void (*make)(void);
} flaws[] = {
	{ "rcu", make_rcu },	 { "sleep", make_sleep },
	{ "leak", make_leak },	 { "index", make_index },
	{ "work", make_work },	 { "list", make_list },
	{ "order", make_order }, { "outside", make_outside },
	{ "freed", make_freed },
};

static int set_make(const char *name, const struct kernel_param *param)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flaws); i++) {
		if (!sysfs_streq(flaws[i].name, name))
			continue;
		flaws[i].make();
		return 0;
	}
	return -EINVAL;
}

static const struct kernel_param_ops make_operations = { .set = set_make };

module_param_cb(make, &make_operations, NULL, 0200);
MODULE_PARM_DESC(make, "the fault to make");
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("faults, to see whether they are reported");
