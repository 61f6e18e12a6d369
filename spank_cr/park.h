/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * park.h - an srun that waits until its step goes on
 *
 * An srun holds connections and threads that no image can keep.  But when its
 * step has been saved and is over it has nothing left to do but to end, and a
 * script that saw it end would go on with its next line.  So the agent of the
 * script asks it to park: when it is about to exit it executes itself, with
 * the command line, environment and descriptors that it was started with, and
 * waits: a process that can be saved like any other of the script's.  When the
 * script has been restarted it executes itself once more, as an srun that
 * starts its step; that finds its image (claim.h).
 *
 * srun's side is in srun_park.c, the agent's in agent_park.c.
 */
#ifndef PARK_H
#define PARK_H

#include <stdint.h>

/* In the environment of one that has parked: "STEP CODE", the step's number
 * (-1: it had none) and the exit code that srun would have ended with. */
#define CR_PARK_VARIABLE "SPANK_CR_PARKED"
#define CR_PARK_NAME "srun-parked" /* of the process, as in /proc/PID/stat */

/* Real-time signals: to one that runs, to park instead of ending; to one that
 * has parked, to go on; and to either: end as if you had not been asked. */
#define CR_PARK_SIGNAL 58
#define CR_PARK_GO_SIGNAL 59
#define CR_PARK_EXIT_SIGNAL 60

/* --- in srun --- */

/* First of all: note what it was started with.  If it is one that has parked,
 * wait here for one of the two signals; does not return then.  True if it has
 * been parked before and goes on. */
int cr_park_begin(void);
/* It may be asked to park from now on.  Not if standard input is something
 * that cannot be read again, a pipe, say, or it names nodes. */
void cr_park_allow(void);
/* The step that it has created. */
void cr_park_note_step(uint32_t step);

#endif /* PARK_H */
