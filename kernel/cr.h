/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cr.h - what the files of the module share
 *
 * An open /dev/cr is a struct cr_open.  It may hold a restart context
 * (restart_ctx.h), counted since several open files may be the same restart.
 * Calls about processes and their memory leave nothing in it.
 */
#ifndef CR_H
#define CR_H

#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/types.h>

struct cr_restart;
struct mm_struct;
struct path;
struct sighand_struct;
struct task_struct;

struct cr_open {
	struct mutex lock; /* of the pointer */
	struct cr_restart *restart; /* NULL: none; set once */
};

/* ---- main.c ---- */

/*
 * Copy the argument of a call from user space, for calls whose size is known
 * by their number.
 */
int cr_copy_argument(void *to, unsigned long from, size_t size);

/* ---- mem_file.c ---- */

int cr_mem_file_init(void);
struct mm_struct *cr_mem_file_get(int fd, fmode_t mode);

/* ---- thread.c ---- */

struct task_struct *cr_thread_get(int mem_fd, pid_t nr, struct mm_struct **mmp);
void cr_thread_put(struct task_struct *task, struct mm_struct *mm);
int cr_with_handlers(struct task_struct *task,
		     int (*call)(struct task_struct *task,
				 const struct sighand_struct *sighand,
				 void *argument),
		     void *argument);

/* Fill the rest of @answer, a struct cr_ioc_ask or cr_ioc_look. */
typedef int cr_tell_fn(struct task_struct *task, struct mm_struct *mm,
		       void *answer);
long cr_tell_of_thread(unsigned long argument, size_t size, cr_tell_fn *tell);

/* ---- restart_coordinator.c, restart_call.c ---- */

long cr_restart_begin(struct file *file, unsigned long argument);
long cr_restart_join(struct file *file, unsigned long argument);
long cr_restart_turn(struct file *file);
long cr_restart_restored(struct file *file);
long cr_restart_settle(struct file *file);
long cr_restart_gate(struct file *file);
long cr_restart_arrive(struct file *file);
long cr_restart_release(struct file *file);
long cr_restart_fail(struct file *file, unsigned long argument);
long cr_restart_wait(struct file *file, unsigned long argument);
__poll_t cr_restart_poll(struct file *file, struct poll_table_struct *table);
/* The calling process closes a descriptor of the file, or exits. */
void cr_restart_flush(struct file *file);

/* ---- checkpoint.c, pages_fill.c ---- */

long cr_checkpoint(unsigned long argument);
long cr_fill(unsigned long argument);

/* ---- ask.c ---- */

long cr_ask(unsigned long argument);

/* ---- identity.c ---- */

void cr_identity_init(void);
u64 cr_identity(const void *thing);
u64 cr_identity_of_path(const struct path *path);
u64 cr_identity_of_namespaces(const void *proxy, const void *users,
			      const void *pids);

/* ---- look.c, files.c, maps.c, regs.c ---- */

long cr_look(unsigned long argument);
long cr_files(unsigned long argument);
long cr_maps(unsigned long argument);
long cr_open_mapped(unsigned long argument);
long cr_regs(unsigned long argument);

#endif /* CR_H */
