/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * claim.h - find the folder with this step's images, and hold it
 *
 * Mostly that of its own number.  But the images of an srun that has got
 * another number since are in another step's folder (see identity.h): then
 * the two folders change names.  Those of an srun that has not come yet get
 * a free number, if one that has none itself has got theirs.  Agents hold a
 * lock on their folders as long as they live, and one of the job while they
 * choose, so that no two take the same images.
 */
#ifndef CLAIM_H
#define CLAIM_H

#include "cr_error.h"
#include "manifest.h"
#include "step.h"

/*
 * Open the step's folder below DIR (@dirfd), after making its name lead to
 * the right one.  Made if there is none.
 * Returns its descriptor or a negative errno (*@lockp is untouched then).
 * *@lockp is the lock's, to be kept open; or says why there is none, which does
 * not keep a step from running: -EWOULDBLOCK, the agent of the job's last run
 * still has it, which is about to go or hangs (by its number the folder is this
 * step's, so nobody else claims it); others, -ENOLCK say, on a file system
 * without locks.
 */
int cr_claim_step(int dirfd, const struct cr_step *step, int *lockp,
		  struct cr_error *err);

/*
 * The folder that cr_claim_step() would open, or has opened on another node:
 * nothing is made, renamed or held.  Descriptor, -ENOENT: there is none, or
 * another negative errno.
 */
int cr_claim_peek(int dirfd, const struct cr_step *step, struct cr_error *err);

/* Has an agent that lives opened the step's folder? */
int cr_claim_is_held(int dirfd, const struct cr_step *step);

/* The newest generation's manifest, cr_manifest_free() it.  0, -ENOENT: there
 * is none, or another negative errno.  To choose by: whether it is genuine is
 * looked at when it is restarted from. */
int cr_claim_newest(int step_dirfd, struct cr_manifest *manifest);

#endif /* CLAIM_H */
