// SPDX-License-Identifier: GPL-2.0-only
/*
 * restart_ctx.c - the restart context: its life and its events
 *
 * See restart_ctx.h.  What is asked for by calls is in restart_call.c and
 * restart_coordinator.c; here is what follows from it, and whom it wakes.
 */
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/pid_namespace.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "cr.h"
#include "restart_ctx.h"

static LIST_HEAD(restarts);
static DEFINE_SPINLOCK(restarts_lock);
static atomic_t nr_restarts;
static atomic_t nr_done = ATOMIC_INIT(0);

static int show_done(char *to, const struct kernel_param *param)
{
	return scnprintf(to, PAGE_SIZE, "%d\n", atomic_read(&nr_done));
}

static const struct kernel_param_ops done_operations = { .get = show_done };

module_param_cb(restarts_done, &done_operations, NULL, 0444);
MODULE_PARM_DESC(restarts_done, "restarts that came through the gate");

static void wake_all(struct cr_restart *restart)
{
	u32 i;

	for (i = 0; i < restart->nr; i++)
		wake_up_all(&restart->processes[i].wait);
	wake_up_all(&restart->wait);
}

/* With the lock: give the turn to the next task, or go on without. */
static void pass_turn(struct cr_restart *restart)
{
	struct cr_process *next;
	int state;

	if (restart->nr_turns == restart->nr_tasks) {
		cr_restart_happen(restart, CR_EV_ALL_RESTORED, -EPROTO, 0);
		return;
	}
	next = &restart->processes[restart->nr_turns++];
	state = cr_task_next(next->state, CR_TASK_EV_TURN);
	if (state < 0) {
		cr_restart_happen(restart, CR_EV_TASK_FAILED, state,
				  next->vpid);
		return;
	}
	WRITE_ONCE(next->state, state);
	wake_up_all(&next->wait);
}

/* With the lock.  Whoever may now be the last one has it looked at. */
static void check_all_at_gate(struct cr_restart *restart)
{
	if (restart->state == CR_RESTART_SETTLE &&
	    restart->nr_at_gate == restart->nr_live &&
	    restart->nr_dead == restart->nr - restart->nr_live)
		cr_restart_happen(restart, CR_EV_ALL_AT_GATE, -EPROTO, 0);
}

/* With the lock: what a new state means for those who wait. */
static void enter(struct cr_restart *restart)
{
	switch (restart->state) {
	case CR_RESTART_RESTORE:
		wake_all(restart);
		pass_turn(restart);
		break;
	case CR_RESTART_SETTLE:
		wake_all(restart);
		check_all_at_gate(restart);
		break;
	case CR_RESTART_RELEASE:
		wake_up_all(&restart->wait);
		if (restart->is_inside)
			cr_restart_happen(restart, CR_EV_RELEASED, -EPROTO, 0);
		break;
	case CR_RESTART_DONE:
		atomic_inc(&nr_done);
		fallthrough;
	case CR_RESTART_FAILED:
		wake_all(restart);
		break;
	default:
		break;
	}
}

/**
 * cr_restart_happen() - something has happened to the whole
 * @restart: locked
 * @event: what; one that cannot occur now fails the restart
 * @code: the error if it fails by this; kept if it is the first
 * @vpid: whose error, or 0
 */
void cr_restart_happen(struct cr_restart *restart, enum cr_restart_event event,
		       int code, u32 vpid)
{
	int next = cr_restart_next(restart->state, event);

	lockdep_assert_held(&restart->lock);
	if (next < 0)
		next = CR_RESTART_FAILED;
	if (next == restart->state)
		return;
	if (next == CR_RESTART_FAILED) {
		restart->code = code;
		restart->vpid = vpid;
	}
	WRITE_ONCE(restart->state, next);
	enter(restart);
}

/* With the lock: counters of a step that has been taken. */
static void count_step(struct cr_restart *restart, enum cr_task_event event)
{
	switch (event) {
	case CR_TASK_EV_JOIN:
		if (++restart->nr_joined == restart->nr)
			cr_restart_happen(restart, CR_EV_ALL_JOINED, -EPROTO,
					  0);
		break;
	case CR_TASK_EV_RESTORED:
		pass_turn(restart);
		break;
	case CR_TASK_EV_GATE:
		restart->nr_at_gate++;
		check_all_at_gate(restart);
		break;
	case CR_TASK_EV_DIED:
		restart->nr_dead++;
		check_all_at_gate(restart);
		break;
	default:
		break;
	}
}

/**
 * cr_restart_step() - one process takes a step
 * @restart: locked
 * @process: of it
 * @event: the step; one that cannot be taken now fails the restart
 *
 * Return: 0, or -EBUSY or -EPROTO of the table.
 */
int cr_restart_step(struct cr_restart *restart, struct cr_process *process,
		    enum cr_task_event event)
{
	int next = cr_task_next(process->state, event);

	lockdep_assert_held(&restart->lock);
	if (next < 0) {
		cr_restart_happen(restart, CR_EV_TASK_FAILED, next,
				  process->vpid);
		return next;
	}
	WRITE_ONCE(process->state, next);
	count_step(restart, event);
	return 0;
}

static void out_of_time(struct work_struct *work)
{
	struct cr_restart *restart = container_of(to_delayed_work(work),
						  struct cr_restart, deadline);

	spin_lock_irq(&restart->lock);
	cr_restart_happen(restart, CR_EV_TIMEOUT, -ETIMEDOUT, 0);
	spin_unlock_irq(&restart->lock);
}

/**
 * cr_restart_create() - a new context, of the calling process
 *
 * Return: the context in state NEW with one reference, NULL without memory.
 */
struct cr_restart *cr_restart_create(void)
{
	struct cr_restart *restart;

	restart = kzalloc(sizeof(*restart), GFP_KERNEL_ACCOUNT);
	if (!restart)
		return NULL;
	kref_init(&restart->references);
	INIT_LIST_HEAD(&restart->list);
	spin_lock_init(&restart->lock);
	init_waitqueue_head(&restart->wait);
	INIT_DELAYED_WORK(&restart->deadline, out_of_time);
	restart->state = CR_RESTART_NEW;
	restart->cred = get_current_cred();
	cr_restart_init_mourned(&restart->coordinator, restart);
	atomic_inc(&nr_restarts);
	return restart;
}

static int compare_vpids(const void *a, const void *b, const void *arg)
{
	const struct cr_process *processes = arg;
	u32 left = processes[*(const u32 *)a].vpid;
	u32 right = processes[*(const u32 *)b].vpid;

	return left < right ? -1 : left > right;
}

/**
 * cr_restart_index() - make a new context's processes ready to join
 * @restart: with @nr, vpid and kind of all set; nobody else sees it yet
 *
 * Return: 0, -ENOMEM, -EBADMSG two have one number or one has none.
 */
int cr_restart_index(struct cr_restart *restart)
{
	u32 i;

	restart->by_vpid =
		kvmalloc_array(restart->nr, sizeof(u32), GFP_KERNEL_ACCOUNT);
	if (!restart->by_vpid)
		return -ENOMEM;
	for (i = 0; i < restart->nr; i++) {
		struct cr_process *process = &restart->processes[i];

		restart->by_vpid[i] = i;
		process->state = CR_TASK_ABSENT;
		init_waitqueue_head(&process->wait);
		cr_restart_init_mourned(&process->who, restart);
		restart->nr_live += process->kind == CR_PROCESS_LIVE;
	}
	sort_r(restart->by_vpid, restart->nr, sizeof(u32), compare_vpids, NULL,
	       restart->processes);
	for (i = 0; i < restart->nr; i++) {
		u32 vpid = restart->processes[restart->by_vpid[i]].vpid;

		if (!vpid ||
		    (i &&
		     vpid == restart->processes[restart->by_vpid[i - 1]].vpid))
			return -EBADMSG;
	}
	return 0;
}

/**
 * cr_restart_start() - the tree is known: tasks may join
 * @restart: in state NEW; the caller becomes the coordinator
 * @timeout_ms: until the gate opens
 */
void cr_restart_start(struct cr_restart *restart, u32 timeout_ms)
{
	restart->coordinator.pid = get_pid(task_tgid(current));
	cr_restart_mourn(&restart->coordinator);
	spin_lock(&restarts_lock);
	list_add(&restart->list, &restarts);
	spin_unlock(&restarts_lock);
	spin_lock_irq(&restart->lock);
	cr_restart_happen(restart, CR_EV_TREE_READ, -EPROTO, 0);
	spin_unlock_irq(&restart->lock);
	schedule_delayed_work(&restart->deadline, msecs_to_jiffies(timeout_ms));
}

static void destroy(struct kref *references)
{
	struct cr_restart *restart =
		container_of(references, struct cr_restart, references);
	u32 i;

	spin_lock(&restarts_lock);
	list_del(&restart->list);
	spin_unlock(&restarts_lock);
	cancel_delayed_work_sync(&restart->deadline);
	cr_restart_stop_mourning(&restart->coordinator);
	for (i = 0; restart->by_vpid && i < restart->nr; i++)
		cr_restart_stop_mourning(&restart->processes[i].who);
	if (restart->namespace)
		put_pid_ns(restart->namespace);
	put_cred(restart->cred);
	kvfree(restart->by_vpid);
	kvfree(restart->processes);
	kfree(restart);
	atomic_dec(&nr_restarts);
}

/**
 * cr_restart_put() - give a reference back
 * @restart: NULL is allowed; not locked, by somebody who may sleep
 */
void cr_restart_put(struct cr_restart *restart)
{
	if (restart)
		kref_put(&restart->references, destroy);
}

/**
 * cr_restart_find() - the restart that a process coordinates
 * @coordinator: the process
 *
 * Return: it, with a reference; NULL if there is none that goes on.
 */
struct cr_restart *cr_restart_find(struct pid *coordinator)
{
	struct cr_restart *restart, *found = NULL;

	spin_lock(&restarts_lock);
	list_for_each_entry(restart, &restarts, list) {
		if (restart->coordinator.pid != coordinator ||
		    READ_ONCE(restart->state) >= CR_RESTART_DONE ||
		    !kref_get_unless_zero(&restart->references))
			continue;
		found = restart;
		break;
	}
	spin_unlock(&restarts_lock);
	return found;
}

/**
 * cr_restart_check_left() - the module goes: has every context gone?
 */
void cr_restart_check_left(void)
{
	int nr = atomic_read(&nr_restarts);

	if (nr)
		pr_err("cr: %d restarts are left\n", nr);
}

/**
 * cr_restart_process() - find a process of the tree
 * @restart: locked, or one whom only the caller can be
 * @pid: of its thread group, NULL: whoever has the number
 * @vpid: its number
 *
 * Return: the process; NULL if there is none, or it is another's number.
 */
struct cr_process *cr_restart_process(struct cr_restart *restart,
				      struct pid *pid, u32 vpid)
{
	u32 low = 0, high = restart->nr;

	while (low < high) {
		u32 middle = low + (high - low) / 2;
		struct cr_process *process =
			&restart->processes[restart->by_vpid[middle]];

		if (process->vpid == vpid)
			return !pid || process->who.pid == pid ? process : NULL;
		if (process->vpid < vpid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
