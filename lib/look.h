/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * look.h - what the module tells of processes instead of /proc
 *
 * Private to lib/.  For each there is a way without the module, which is taken
 * where these return 0: no module, or (CR_ENGINE_AUTO) it has failed.  All
 * return 1 if it has told, 0, or (CR_ENGINE_KERNEL) a negative errno.
 */
#ifndef LOOK_H
#define LOOK_H

#include "collect.h"

/* All of @task that is noted when its link is: of status, stat, limits, auxv,
 * oom_score_adj; and identities. */
int cr_look_task(struct cr_checkpoint *checkpoint, struct cr_save_task *task,
		 struct cr_error *err);

/* @status (freed as that of /proc) and name of one thread. */
int cr_look_thread(struct cr_checkpoint *checkpoint,
		   const struct cr_save_task *task,
		   struct cr_save_thread *thread, struct cr_proc_status *status,
		   struct cr_error *err);

/* Registers and signal mask of @thread, which we trace; its extended state is
 * @xstate, *@lengthp bytes: the room, then what it takes. */
int cr_look_regs(struct cr_checkpoint *checkpoint,
		 struct cr_save_thread *thread, void *xstate, size_t *lengthp,
		 struct cr_error *err);

/* What became of a call of the module about @pid: as above. */
int cr_look_result(enum cr_engine engine, int rc, pid_t pid,
		   struct cr_error *err);

#endif /* LOOK_H */
