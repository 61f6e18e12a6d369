/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * restart_ctx.h - the restart context: who has come, and how far
 *
 * The kernel's host of restart_fsm.h.  One lock per restart, never held while
 * anybody sleeps; one wait queue per process, so that a turn wakes only who
 * has it, and one for the coordinator.  Deaths come from the processes' struct
 * pid, as pidfds hear of them, and so also of who dies inside a call.
 */
#ifndef CR_RESTART_CTX_H
#define CR_RESTART_CTX_H

#include <linux/cred.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/pid.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "restart_fsm.h"

enum cr_process_kind {
	CR_PROCESS_LIVE,
	CR_PROCESS_ZOMBIE, /* has a turn, exits in SETTLE */
	CR_PROCESS_GHOST, /* has none, exits in SETTLE */
};

/* Somebody whose death matters; @pid is counted, NULL: nobody yet. */
struct cr_mourned {
	struct pid *pid;
	wait_queue_entry_t death;
	struct cr_restart *restart;
};

struct cr_process {
	u32 vpid;
	enum cr_process_kind kind;
	enum cr_task_state state;
	bool may_close; /* it is at the gate, and nothing is left to do */
	struct cr_mourned who;
	wait_queue_head_t wait;
};

struct cr_restart {
	struct kref references; /* open files */
	/* of all, until the last reference goes: who finds it there looks
	 * at @state */
	struct list_head list;
	spinlock_t lock; /* of what follows, up to @nr_at_gate */
	enum cr_restart_state state;
	int code; /* the first error */
	u32 vpid; /* whose, or 0 */
	struct pid_namespace *namespace; /* that of all who join; NULL: none */
	u32 nr_joined, nr_turns, nr_dead, nr_at_gate;

	/* set before anybody else sees it */
	bool is_inside; /* the coordinator is the first task */
	struct cr_mourned coordinator;
	const struct cred *cred; /* of the coordinator */
	wait_queue_head_t wait; /* of the coordinator */
	struct delayed_work deadline;
	u32 nr_tasks, nr; /* without and with ghosts */
	u32 nr_live;
	struct cr_process *processes; /* tasks in saved order, then ghosts */
	u32 *by_vpid; /* indices, sorted */
};

struct file;

/* ---- restart_tree.c ---- */

int cr_restart_read_tree(struct cr_restart *restart, struct file *image,
			 u32 nr_ghosts);

/* ---- restart_ctx.c ---- */

struct cr_restart *cr_restart_create(void);
int cr_restart_index(struct cr_restart *restart);
void cr_restart_start(struct cr_restart *restart, u32 timeout_ms);
void cr_restart_put(struct cr_restart *restart);
struct cr_restart *cr_restart_find(struct pid *coordinator);
void cr_restart_check_left(void);

struct cr_process *cr_restart_process(struct cr_restart *restart,
				      struct pid *pid, u32 vpid);
int cr_restart_step(struct cr_restart *restart, struct cr_process *process,
		    enum cr_task_event event);
void cr_restart_happen(struct cr_restart *restart, enum cr_restart_event event,
		       int code, u32 vpid);

/* ---- restart_death.c ---- */

void cr_restart_init_mourned(struct cr_mourned *who,
			     struct cr_restart *restart);
void cr_restart_mourn(struct cr_mourned *who);
void cr_restart_stop_mourning(struct cr_mourned *who);

/* ---- restart_coordinator.c ---- */

struct cr_restart *cr_restart_of(struct file *file);
int cr_restart_adopt(struct file *file, struct cr_restart *restart);
bool cr_restart_is_coordinator(const struct cr_restart *restart);

#endif /* CR_RESTART_CTX_H */
