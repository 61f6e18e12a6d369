/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generation.h - the folders that images and manifests are in
 *
 *	DIR/job_12/step_0/gen_3/{node_0.img, manifest.json}
 *
 * Folders are opened one below the other by handle, without following links,
 * and must be root's own with mode 0700: what another user has put there is
 * refused.  DIR itself belongs to the admin or to the job's user.
 */
#ifndef GENERATION_H
#define GENERATION_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "cr_error.h"
#include "step.h"

/* Open DIR.  One that the user chose must be writable by that user.  Returns a
 * descriptor or a negative errno.  The caller must be root and have one
 * thread. */
int cr_generation_open_dir(const struct cr_config *config,
			   const struct cr_step *step, struct cr_error *err);

/* -EPERM if @fd, maybe of O_PATH, is on a FUSE file system that somebody else
 * than root has mounted: it can show files of root's that are none.  So if that
 * cannot be found out; else 0. */
int cr_generation_check_mount(int fd, struct cr_error *err);

/* The same of one @line of mountinfo, which is changed: 1 if it is of mount
 * @number and not refused, 0 if it is of another. */
int cr_generation_check_mount_line(char *line, uint64_t number,
				   struct cr_error *err);

/* The job's folder in DIR, which is there.  Descriptor or -errno (-ENOENT,
 * -EPERM if it is somebody else's). */
int cr_generation_open_job(int dirfd, const struct cr_step *step,
			   struct cr_error *err);

/* The step's folder below DIR, made if @create.  Descriptor or -errno
 * (-ENOENT without @create, -EPERM if it is somebody else's). */
int cr_generation_open_step(int dirfd, const struct cr_step *step, int create,
			    struct cr_error *err);

/*
 * A mark that the job has had steps of srun with images of their own: a file in
 * the job's folder, which must be there.  It is for the agent of the job's
 * batch script; without one none is made.
 */
int cr_generation_mark_steps(int dirfd, const struct cr_step *step,
			     struct cr_error *err);
int cr_generation_has_steps(int dirfd, const struct cr_step *step);

/* Numbers of those that have a manifest, newest first; free(3) it.  0, or a
 * negative errno if of any it cannot be seen whether it has one. */
int cr_generation_list(int step_dirfd, uint32_t **numbersp, size_t *nrp,
		       struct cr_error *err);

/* Has any step of the job one?  True also if that cannot be seen. */
int cr_generation_job_has_any(int dirfd, const struct cr_step *step);

/* Has the restart of any of them failed in the job's @run, and is to be tried
 * again in the next one? */
int cr_generation_job_is_put_off(int dirfd, const struct cr_step *step,
				 uint32_t run);

/*
 * A script that is saved while it waits for its sruns must know which of their
 * steps have ended by themselves.  If srun's exit code does not tell, not being
 * 0, that step's agent has left a mark in the job's folder (only of a batch
 * script).  Without one the step is taken for one that is to go on.
 */
void cr_generation_note_over(int dirfd, const struct cr_step *step);
int cr_generation_is_over(int dirfd, const struct cr_step *step);
/* Remove all marks. */
void cr_generation_forget_over(int dirfd, const struct cr_step *step);

/* Folder of generation @number.  Descriptor or -errno. */
int cr_generation_open(int step_dirfd, uint32_t number, struct cr_error *err);

/* Make the next one, empty, after removing what an attempt that failed has
 * left: if it cannot be seen whether one is that, it fails.  Returns its
 * descriptor or -errno, the number in *@numberp. */
int cr_generation_create(int step_dirfd, uint32_t *numberp,
			 struct cr_error *err);

/* Remove one: its manifest first, so that it is never half there. */
int cr_generation_remove(int step_dirfd, uint32_t number, struct cr_error *err);

/* Remove all that have a manifest but the @keep newest. */
int cr_generation_prune(int step_dirfd, unsigned int keep,
			struct cr_error *err);

/* Remove all of the step, and the folders of step and job if empty then (a
 * batch script takes the mark along).  Not there: 0. */
int cr_generation_remove_step(int dirfd, const struct cr_step *step,
			      struct cr_error *err);

#endif /* GENERATION_H */
