// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_load_check.c - do the records of an image fit each other?
 *
 * Tasks, threads, files and descriptors; memory is in image_load_memory.c.
 * After this every number that refers to something can be used as an index.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "file_tcp.h"
#include "files.h"
#include "image_chunk.h"
#include "image_loader.h"

static int compare_vpids(const void *a, const void *b)
{
	const struct cr_load_vpid *x = a, *y = b;

	return x->vpid < y->vpid ? -1 : x->vpid > y->vpid;
}

/* Sort @nr of @vpids; no two may be the same. */
static int sort_vpids(struct cr_load_vpid *vpids, size_t nr,
		      struct cr_error *err)
{
	qsort(vpids, nr, sizeof(*vpids), compare_vpids);
	for (size_t i = 1; i < nr; i++)
		if (vpids[i].vpid == vpids[i - 1].vpid)
			return cr_error_set(err, -EBADMSG,
					    "vpid %u is there twice",
					    vpids[i].vpid);
	return 0;
}

/* No thread may have the number of another thread or task. */
static int check_tids(const struct cr_saved *saved, struct cr_error *err)
{
	struct cr_load_vpid *tids;
	size_t nr = saved->nr_tasks;
	int rc;

	for (size_t i = 0; i < saved->nr_tasks; i++)
		nr += saved->tasks[i].nr_threads;
	tids = calloc(nr, sizeof(*tids));
	if (!tids)
		return cr_error_set(err, -ENOMEM, "no memory for vpids");
	nr = 0;
	for (size_t i = 0; i < saved->nr_tasks; i++) {
		const struct cr_saved_task *task = &saved->tasks[i];

		tids[nr++].vpid = task->link->vpid;
		for (size_t k = 1; k < task->nr_threads; k++)
			tids[nr++].vpid = task->threads[k].thread->tid;
	}
	rc = sort_vpids(tids, nr, err);
	free(tids);
	return rc;
}

static int check_parent(const struct cr_saved *saved, size_t i,
			struct cr_error *err)
{
	const struct cr_wire_link *link = &saved->links[i];
	long parent;

	if (link->parent <= 1)
		return 0;
	parent = cr_saved_find(saved, link->parent);
	if (parent < 0 || (size_t)parent >= i ||
	    (saved->links[parent].flags & CR_LINK_F_ZOMBIE))
		return cr_error_set(err, -EBADMSG,
				    "vpid %u: vpid %u cannot be its parent",
				    link->vpid, link->parent);
	return 0;
}

int cr_load_check_vpids(struct cr_saved *saved, struct cr_load_private *private,
			struct cr_error *err)
{
	int rc;

	private->vpids = calloc(saved->nr_tasks, sizeof(*private->vpids));
	if (!private->vpids)
		return cr_error_set(err, -ENOMEM, "no memory for vpids");
	for (size_t i = 0; i < saved->nr_tasks; i++) {
		private->vpids[i].vpid = saved->links[i].vpid;
		private->vpids[i].index = (uint32_t)i;
	}
	rc = sort_vpids(private->vpids, saved->nr_tasks, err);
	if (!rc)
		rc = check_tids(saved, err);
	for (size_t i = 0; !rc && i < saved->nr_tasks; i++)
		rc = check_parent(saved, i, err);
	return rc;
}

static bool is_file(const struct cr_saved *saved, uint32_t id)
{
	return id >= 1 && id <= saved->nr_files;
}

/* The space with a file's content is of a file with the same inode. */
static int check_content(const struct cr_saved *saved,
			 const struct cr_wire_file *file, struct cr_error *err)
{
	const struct cr_wire_space *space;
	const struct cr_wire_file *first = NULL;

	if (!file->space)
		return 0;
	space = file->space <= saved->nr_spaces ?
			saved->spaces[file->space - 1] :
			NULL;
	if (space && space->kind == CR_SPACE_FILE && space->file >= 1 &&
	    space->file <= saved->nr_files)
		first = saved->files[space->file - 1].file;
	if (!first || first->device != file->device ||
	    first->inode != file->inode)
		return cr_error_set(err, -EBADMSG,
				    "file %u: space %u is not its content",
				    file->id, file->space);
	return 0;
}

static int check_external(const struct cr_saved_file *saved,
			  struct cr_error *err)
{
	const uint32_t flags = CR_EXTERNAL_F_LISTENS | CR_EXTERNAL_F_NODELAY |
			       CR_EXTERNAL_F_KEEPALIVE;
	const struct cr_wire_external *wire = saved->data;
	const uint32_t length = saved->file->data_length;

	if (length < sizeof(*wire) || !wire->name_length ||
	    wire->name_length > CR_EXTERNAL_NAME_MAX ||
	    wire->note_length > CR_EXTERNAL_NOTE_MAX ||
	    wire->unread_length > CR_EXTERNAL_UNREAD_MAX ||
	    length != sizeof(*wire) + wire->name_length + wire->note_length +
			      wire->unread_length ||
	    memchr(wire + 1, '\0', wire->name_length) ||
	    (wire->flags & CR_EXTERNAL_F_LISTENS && wire->unread_length) ||
	    wire->receive_timeout_us > INT64_MAX ||
	    wire->send_timeout_us > INT64_MAX)
		return cr_error_set(err, -EBADMSG,
				    "file %u: no external socket",
				    saved->file->id);
	if (wire->flags & ~flags)
		return cr_error_set(err, -EPROTONOSUPPORT,
				    "file %u: unknown flags %#x of a socket",
				    saved->file->id, wire->flags);
	return 0;
}

static int check_file(const struct cr_saved *saved,
		      const struct cr_wire_file *file, struct cr_error *err)
{
	const uint32_t flags = CR_FILE_F_UNLINKED | CR_FILE_F_CONTENT |
			       CR_FILE_F_UNOPENED | CR_FILE_F_WRITABLE;

	if (file->kind < CR_FILE_REGULAR ||
	    file->kind > CR_FILE_EXTERNAL_SOCKET || (file->flags & ~flags))
		return cr_error_set(err, -EPROTONOSUPPORT,
				    "file %u: unknown kind %u or flags %#x",
				    file->id, file->kind, file->flags);
	if (file->position > INT64_MAX || file->size > INT64_MAX ||
	    file->owner_signal > 64)
		return cr_error_set(err, -EBADMSG,
				    "file %u: impossible numbers", file->id);
	if (file->kind == CR_FILE_EXTERNAL && file->peer > 2)
		return cr_error_set(err, -EBADMSG, "file %u: no such stream %u",
				    file->id, file->peer);
	return check_content(saved, file, err);
}

/* What is of one kind.  The others' data refers to nothing, or is looked at
 * when the file is made. */
static int check_data(const struct cr_saved *saved,
		      const struct cr_saved_file *file, struct cr_error *err)
{
	switch (file->file->kind) {
	case CR_FILE_EXTERNAL_SOCKET:
		return check_external(file, err);
	case CR_FILE_TCP:
		return cr_tcp_check(saved, file, err);
	case CR_FILE_EPOLL:
		return cr_epoll_check(saved, file, err);
	case CR_FILE_INOTIFY:
		return cr_inotify_check(file, err);
	default:
		return 0;
	}
}

int cr_load_check_files(const struct cr_saved *saved, struct cr_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < saved->nr_files; i++) {
		rc = check_file(saved, saved->files[i].file, err);
		if (!rc)
			rc = check_data(saved, &saved->files[i], err);
	}
	return rc ? rc : cr_files_check_rings(saved, err);
}

static int check_fds(const struct cr_saved *saved,
		     const struct cr_saved_task *task, struct cr_error *err)
{
	for (size_t i = 0; i < task->nr_fds; i++) {
		uint32_t id = task->fds[i].file;

		if (!is_file(saved, id) ||
		    (saved->files[id - 1].file->flags & CR_FILE_F_UNOPENED))
			return cr_error_set(err, -EBADMSG,
					    "descriptor %u of no open file %u",
					    task->fds[i].fd, id);
	}
	return 0;
}

static int compare_fd(const void *key, const void *element)
{
	const uint32_t *fd = key;
	const struct cr_wire_fd *entry = element;

	return *fd < entry->fd ? -1 : *fd > entry->fd;
}

static int check_locks(const struct cr_saved_task *task, struct cr_error *err)
{
	for (size_t i = 0; i < task->nr_locks; i++) {
		uint32_t fd = task->locks[i].fd;

		if (!bsearch(&fd, task->fds, task->nr_fds, sizeof(*task->fds),
			     compare_fd))
			return cr_error_set(err, -EBADMSG,
					    "lock on descriptor %u, which is "
					    "not open",
					    fd);
	}
	return 0;
}

static bool has_thread(const struct cr_saved_task *task, uint32_t tid)
{
	for (size_t i = 0; i < task->nr_threads; i++)
		if (task->threads[i].thread->tid == tid)
			return true;
	return false;
}

static int check_timers(const struct cr_saved_task *task, struct cr_error *err)
{
	for (size_t i = 0; i < task->nr_timers; i++) {
		const struct cr_wire_timer *timer = &task->timers[i];

		if ((timer->notify & SIGEV_THREAD_ID) &&
		    !has_thread(task, timer->tid))
			return cr_error_set(err, -EBADMSG,
					    "timer %d: no thread %u", timer->id,
					    timer->tid);
	}
	return 0;
}

/* A file object of kind @kind, or (kind 0) any; 0 only if @may_be_none. */
static bool is_reference(const struct cr_saved *saved, uint32_t id,
			 uint32_t kind, bool may_be_none)
{
	if (id == 0)
		return may_be_none;
	return is_file(saved, id) &&
	       (kind == 0 || saved->files[id - 1].file->kind == kind);
}

static int check_task(const struct cr_saved *saved,
		      const struct cr_saved_task *task, struct cr_error *err)
{
	int rc;

	if (task->link->flags & CR_LINK_F_ZOMBIE)
		return 0;
	if (!is_reference(saved, task->task->cwd, CR_FILE_DIRECTORY, false) ||
	    !is_reference(saved, task->task->root, CR_FILE_DIRECTORY, true))
		return cr_error_set(err, -EBADMSG,
				    "no such working or root directory");
	if (!is_reference(saved, task->mm->exe, 0, false))
		return cr_error_set(err, -EBADMSG, "no such program file %u",
				    task->mm->exe);
	rc = check_fds(saved, task, err);
	if (!rc)
		rc = check_locks(task, err);
	if (!rc)
		rc = check_timers(task, err);
	return rc;
}

int cr_load_check_tasks(const struct cr_saved *saved, struct cr_error *err)
{
	for (size_t i = 0; i < saved->nr_tasks; i++) {
		const struct cr_saved_task *task = &saved->tasks[i];

		if (check_task(saved, task, err))
			return cr_error_prefix(err, "vpid %u",
					       task->link->vpid);
	}
	return 0;
}
