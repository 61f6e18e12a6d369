/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files_restore.c - give a restarting task its descriptors
 *
 * Runs in the task itself, at its turn.  An object that nobody has yet is
 * made above the floor, maybe with others that belong to it, and its place is
 * made known; one that somebody has is fetched.  Then all go to their own
 * numbers, and what needs numbers (epoll sets) is done last.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"

struct cr_file_state {
	pid_t self;
	int *own; /* [nr_files] descriptor here, above the floor; -1 */
	uint32_t *made; /* ids made here and not connected yet, in order */
	size_t nr_made, nr_connected;
	uint32_t owner; /* the vpid that owner_fd is a pidfd of */
	int owner_fd;
};

static struct cr_file_state *get_state(struct cr_file_restore *restore)
{
	size_t i, nr = restore->saved->nr_files;
	struct cr_file_state *state = restore->state;

	if (state && state->self == getpid())
		return state;
	state = calloc(1, sizeof(*state));
	if (!state)
		return NULL;
	state->own = malloc((nr + 1) * sizeof(*state->own));
	state->made = malloc((nr + 1) * sizeof(*state->made));
	if (!state->own || !state->made) {
		free(state->own);
		free(state->made);
		free(state);
		return NULL;
	}
	for (i = 0; i < nr; i++)
		state->own[i] = -1;
	state->self = getpid();
	state->owner_fd = -1;
	restore->state = state;
	return state;
}

void cr_files_forget(struct cr_file_restore *restore)
{
	struct cr_file_state *state = restore->state;

	if (!state)
		return;
	if (state->owner_fd >= 0)
		close(state->owner_fd);
	free(state->own);
	free(state->made);
	free(state);
	restore->state = NULL;
}

int cr_file_raise(const struct cr_file_restore *restore, int fd)
{
	int high;

	if (fd >= restore->fd_floor)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, restore->fd_floor);
	if (high < 0)
		high = -errno;
	close(fd);
	return high;
}

static uint32_t ring_next(const struct cr_saved *saved, uint32_t id)
{
	const struct cr_wire_file *file = saved->files[id - 1].file;
	const struct cr_wire_file *next;

	if (!file->peer || file->peer > saved->nr_files)
		return id;
	next = saved->files[file->peer - 1].file;
	/* Anything else cannot be a ring, whatever the image says. */
	if (next->device != file->device || next->inode != file->inode ||
	    next->kind != file->kind)
		return id;
	return file->peer;
}

uint32_t cr_file_ring_next(const struct cr_file_restore *restore, uint32_t id)
{
	return ring_next(restore->saved, id);
}

/* Each member follows exactly one: then all are closed. */
int cr_files_check_rings(const struct cr_saved *saved, struct cr_error *err)
{
	bool *seen = calloc(saved->nr_files + 1, sizeof(*seen));
	int rc = 0;

	if (!seen)
		return cr_error_set(err, -ENOMEM, "no memory for files");
	for (uint32_t id = 1; id <= saved->nr_files && !rc; id++) {
		const struct cr_wire_file *file = saved->files[id - 1].file;
		const struct cr_file_ops *ops = cr_file_ops_find(file->kind);
		uint32_t next = ring_next(saved, id);

		if (!ops || !ops->has_ring)
			continue;
		if (seen[next])
			rc = cr_error_set(err, -EBADMSG,
					  "file %u: a ring that is not closed "
					  "leads to file %u",
					  id, next);
		seen[next] = true;
	}
	free(seen);
	return rc;
}

uint32_t cr_file_ring_made(const struct cr_file_restore *restore, uint32_t id)
{
	uint32_t other = id;
	size_t left = restore->saved->nr_files;

	do {
		if (restore->places[other - 1].vpid)
			return other;
		other = cr_file_ring_next(restore, other);
	} while (other != id && --left);
	return 0;
}

static int set_owner(const struct cr_wire_file *wire, int fd)
{
	struct f_owner_ex owner = { .type = (enum __pid_type)wire->owner_type,
				    .pid = wire->owner };

	if (wire->owner && fcntl(fd, F_SETOWN_EX, &owner) < 0)
		return -errno;
	if (wire->owner_signal &&
	    fcntl(fd, F_SETSIG, (int)wire->owner_signal) < 0)
		return -errno;
	return 0;
}

/* What is of the description and can be set with any kind. */
static int set_common(const struct cr_file_ops *ops,
		      const struct cr_wire_file *wire, int fd)
{
	int flags, wanted, rc;

	if (wire->open_flags & O_PATH || wire->flags & CR_FILE_F_UNOPENED)
		return 0;
	if (ops->has_position && lseek(fd, (off_t)wire->position, SEEK_SET) < 0)
		return -errno;
	if (!ops->flags)
		return 0;
	rc = set_owner(wire, fd);
	if (rc < 0)
		return rc;
	flags = fcntl(fd, F_GETFL);
	wanted = (flags & ~ops->flags) |
		 ((int)wire->open_flags & ops->flags & ~O_ASYNC);
	if (flags != wanted && fcntl(fd, F_SETFL, wanted) < 0)
		return -errno;
	return 0;
}

int cr_file_park(struct cr_file_restore *restore, uint32_t id, int fd,
		 struct cr_error *err)
{
	const struct cr_wire_file *wire = cr_file_saved(restore, id)->file;
	struct cr_file_state *state = restore->state;
	int rc;

	fd = cr_file_raise(restore, fd);
	if (fd < 0)
		return cr_error_set(err, fd, "no descriptor left: %s",
				    strerror(-fd));
	rc = set_common(cr_file_ops_find(wire->kind), wire, fd);
	if (rc == 0 && restore->places[id - 1].vpid)
		rc = -EBADMSG;
	if (rc < 0) {
		close(fd);
		return cr_error_set(err, rc, "file %u %s: cannot set it up: %s",
				    id, cr_file_saved(restore, id)->path,
				    strerror(-rc));
	}
	state->own[id - 1] = fd;
	state->made[state->nr_made++] = id;
	restore->places[id - 1].fd = fd;
	restore->places[id - 1].vpid = (uint32_t)state->self;
	return 0;
}

int cr_file_park_reopened(struct cr_file_restore *restore, uint32_t id, int fd,
			  struct cr_error *err)
{
	int flags = cr_file_open_flags(cr_file_saved(restore, id));
	int other;

	/* The way there is a link. */
	flags &= ~(O_NOFOLLOW | O_DIRECTORY);
	other = cr_file_reopen(fd, flags | O_NONBLOCK);

	if (other < 0)
		return cr_error_set(err, other, "file %u: cannot reopen it: %s",
				    id, strerror(-other));
	return cr_file_park(restore, id, other, err);
}

static int fetch(struct cr_file_restore *restore, uint32_t id,
		 struct cr_error *err)
{
	const struct cr_file_place *place = &restore->places[id - 1];
	struct cr_file_state *state = restore->state;
	int fd;

	if (place->vpid == (uint32_t)state->self) {
		fd = fcntl(place->fd, F_DUPFD_CLOEXEC, restore->fd_floor);
		return fd < 0 ? cr_error_errno(err, "file %u", id) : fd;
	}
	if (state->owner != place->vpid) {
		if (state->owner_fd >= 0)
			close(state->owner_fd);
		state->owner = 0;
		fd = (int)syscall(SYS_pidfd_open, place->vpid, 0);
		state->owner_fd = fd < 0 ? fd : cr_file_raise(restore, fd);
		if (state->owner_fd < 0)
			return cr_error_errno(err, "file %u: pidfd_open(%u)",
					      id, place->vpid);
		state->owner = place->vpid;
	}
	fd = (int)syscall(SYS_pidfd_getfd, state->owner_fd, place->fd, 0);
	if (fd < 0)
		return cr_error_errno(err, "file %u: fetch fd %d of vpid %u",
				      id, place->fd, place->vpid);
	return cr_file_raise(restore, fd);
}

int cr_file_get(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	struct cr_file_state *state = get_state(restore);
	const struct cr_file_ops *ops;
	int rc;

	if (!state)
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (state->own[id - 1] >= 0)
		return state->own[id - 1];
	if (!restore->places[id - 1].vpid) {
		ops = cr_file_ops_find(cr_file_saved(restore, id)->file->kind);
		if (!ops || !ops->make)
			return cr_error_set(err, -EBADMSG,
					    "file %u is of unknown kind %u", id,
					    cr_file_saved(restore, id)
						    ->file->kind);
		rc = ops->make(restore, id, err);
		if (rc < 0)
			return rc;
		return state->own[id - 1] >= 0 ? state->own[id - 1] : -EBADMSG;
	}
	rc = fetch(restore, id, err);
	if (rc >= 0)
		state->own[id - 1] = rc;
	return rc;
}

/* What the task's parent had open is none of the saved task's. */
static int close_inherited(const struct cr_file_restore *restore)
{
	if (restore->fd_floor > 0 &&
	    syscall(SYS_close_range, 0, restore->fd_floor - 1, 0) < 0)
		return -errno;
	return 0;
}

/* A signal tells the number that O_ASYNC was set with: the task's own. */
static int set_async(const struct cr_wire_file *wire, int fd)
{
	const struct cr_file_ops *ops = cr_file_ops_find(wire->kind);
	int flags;

	if (!(wire->open_flags & (unsigned int)ops->flags & O_ASYNC))
		return 0;
	flags = fcntl(fd, F_GETFL);
	if (flags & O_ASYNC)
		return 0;
	return fcntl(fd, F_SETFL, flags | O_ASYNC);
}

/* Move all to their numbers; a place of ours follows. */
static int put_in_place(struct cr_file_restore *restore,
			const struct cr_saved_task *task, struct cr_error *err)
{
	size_t i;

	for (i = 0; i < task->nr_fds; i++) {
		const struct cr_wire_fd *fd = &task->fds[i];
		int from = cr_file_get(restore, fd->file, err);

		if (from < 0)
			return cr_error_prefix(err, "fd %u", fd->fd);
		if (fd->fd >= (uint32_t)restore->fd_floor)
			return cr_error_set(err, -EBADMSG,
					    "fd %u is above the floor", fd->fd);
		if (dup3(from, (int)fd->fd, fd->cloexec ? O_CLOEXEC : 0) < 0 ||
		    set_async(cr_file_saved(restore, fd->file)->file,
			      (int)fd->fd) < 0)
			return cr_error_errno(err, "fd %u", fd->fd);
	}
	return 0;
}

/* Those with a number of their own need no descriptor above the floor. */
static void drop_temporaries(struct cr_file_restore *restore,
			     const struct cr_saved_task *task)
{
	struct cr_file_state *state = restore->state;
	size_t i;

	for (i = 0; i < task->nr_fds; i++) {
		uint32_t id = task->fds[i].file;
		struct cr_file_place *place = &restore->places[id - 1];

		if (state->own[id - 1] < 0)
			continue;
		if (place->vpid == (uint32_t)state->self)
			place->fd = (int)task->fds[i].fd;
		close(state->own[id - 1]);
		state->own[id - 1] = -1;
	}
}

/* More may be made while some are connected. */
static int connect_made(struct cr_file_restore *restore, struct cr_error *err)
{
	struct cr_file_state *state = restore->state;
	int rc = 0;

	while (rc == 0 && state->nr_connected < state->nr_made) {
		uint32_t id = state->made[state->nr_connected++];
		const struct cr_file_ops *ops = cr_file_ops_find(
			cr_file_saved(restore, id)->file->kind);

		if (ops->connect)
			rc = ops->connect(restore, id, state->own[id - 1], err);
	}
	return rc;
}

int cr_files_restore(struct cr_file_restore *restore,
		     const struct cr_saved_task *task, struct cr_error *err)
{
	int rc;

	restore->task = task;
	if (!get_state(restore))
		return cr_error_set(err, -ENOMEM, "out of memory");
	rc = close_inherited(restore);
	if (rc < 0)
		return cr_error_set(err, rc, "close_range: %s", strerror(-rc));
	rc = put_in_place(restore, task, err);
	if (rc == 0)
		rc = connect_made(restore, err);
	if (rc == 0)
		drop_temporaries(restore, task);
	return rc;
}
