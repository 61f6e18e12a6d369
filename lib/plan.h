/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan.h - in which order, and by whom, a saved tree's processes are made
 *
 * fork(2) decides for ever whose child a process is and, but for setsid(2),
 * in which session it lives.  So a saved tree is made again by finding for
 * each process a *creator*, and helper processes where the one whom history
 * had is dead.  A plan is a pure function of the saved links: it makes no
 * system call.  The idea is Laadan and Nieh's MakeForest (USENIX ATC 2007).
 *
 * Executing a plan, each process in this order:
 *	1. prctl(PR_SET_CHILD_SUBREAPER, 1) if is_subreaper
 *	2. fork its children of CR_PLAN_BEFORE_SETSID
 *	3. setsid() if does_setsid
 *	4. fork its children of CR_PLAN_AFTER_SETSID
 *	5. setpgid(0, 0) if makes_group
 *	6. fork its children of CR_PLAN_AFTER_SETPGID
 *	7. TEMP: exit.  Others: reap the TEMPs among their children, and only
 *	   then join.  So when all have joined, no TEMP is left.
 *	8. at its turn, when all have joined: setpgid(0, joins_group) if not 0;
 *	   restore whether it is a subreaper to what was saved
 *	9. when the last turn is over: ghosts exit; others reap the ghosts
 *	   among their children; then zombies exit and the rest go on
 * The coordinator does 4, 7 and 9 for its own children.
 *
 * Helpers should be forked without an exit signal, so that no parent gets a
 * SIGCHLD that the saved tree never saw, and be reaped by pid with __WALL.
 * Those without vpid must get a number that no task or thread of the image
 * has: the kernel's own choice may take one that is still to be made.
 * A TEMP's child must not ask for a signal at its parent's death before the
 * TEMP is gone.
 */
#ifndef PLAN_H
#define PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cr_error.h"
#include "image_wire.h"

#define CR_PLAN_COORDINATOR (-1L) /* as a creator */
#define CR_PLAN_HELPER (-1L) /* as a task */

enum cr_plan_kind {
	CR_PLAN_LIVE, /* goes on in its saved program */
	CR_PLAN_ZOMBIE, /* exits with its saved status in step 9; alive, and
			 * maybe a creator of helpers, until then */
	/* helpers */
	CR_PLAN_GHOST_SESSION, /* leads a session whose leader is dead */
	CR_PLAN_GHOST_GROUP, /* leads a process group whose leader is dead, or
			      * (vpid 0) keeps one alive whose leader moved */
	CR_PLAN_TEMP, /* exits as soon as it has forked, so that its children
		       * go to init, or to the nearest subreaper above */
};

/* At which moment of its creator's life a process is forked. */
enum cr_plan_when {
	CR_PLAN_BEFORE_SETSID,
	CR_PLAN_AFTER_SETSID, /* also if the creator calls none */
	CR_PLAN_AFTER_SETPGID,
};

struct cr_plan_process {
	uint32_t vpid; /* to be made with; 0: any that the image has not */
	enum cr_plan_kind kind;
	long task; /* index of the saved task, or CR_PLAN_HELPER */
	long creator; /* index in processes, or CR_PLAN_COORDINATOR */
	enum cr_plan_when when;
	bool is_subreaper; /* must adopt what TEMPs below it leave behind */
	bool does_setsid;
	bool makes_group; /* setpgid(0, 0); may still move on, see below */
	uint32_t joins_group; /* by vpid; 0: stays where it was born */
	size_t first_child; /* whom it creates: nr_children in a row in */
	size_t nr_children; /* processes, in the order to fork them */
};

struct cr_plan {
	struct cr_plan_process *processes; /* every creator before whom it
					    * creates */
	size_t nr;
	size_t nr_roots; /* the coordinator's children: the first nr_roots */
};

/*
 * Plan how to make the @nr tasks that @links describe.  The coordinator is
 * taken to live in a session and group outside the tree, and its children to
 * be in the tree's PID namespace.  Depth and size cost no more than
 * O(nr log nr), whatever an image says.
 *
 * On success *@planp is a new plan, freed with cr_plan_free().
 * Returns 0, or
 *	-EBADMSG	no history of fork, setsid, setpgid and exit ends in
 *			such a tree; the text names a vpid
 *	-EOPNOTSUPP	the tree needs child subreapers in a way that cannot
 *			be made again; the text names the vpid
 *	-ENOMEM
 */
int cr_plan_make(const struct cr_wire_link *links, size_t nr,
		 struct cr_plan **planp, struct cr_error *err);

/* NULL is allowed; errno is preserved. */
void cr_plan_free(struct cr_plan *plan);

#endif /* PLAN_H */
