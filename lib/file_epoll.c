/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_epoll.c - epoll(7) sets
 *
 * An entry is a description and the number it had when it was added; the
 * number may mean another description now, or nothing.  fdinfo has all but
 * the description, which kcmp(2) finds.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "array.h"
#include "file.h"

struct wire_target {
	uint32_t file; /* object */
	uint32_t fd; /* as it was added */
	uint32_t events;
	uint32_t reserved;
	uint64_t data;
};

struct targets {
	struct wire_target *target;
	size_t nr;
};

/* How many before the last have its number: needed by kcmp(2). */
static uint32_t offset_of_last(const struct targets *targets)
{
	const struct wire_target *last = &targets->target[targets->nr - 1];
	uint32_t offset = 0;
	size_t i;

	for (i = 0; i + 1 < targets->nr; i++)
		offset += targets->target[i].fd == last->fd;
	return offset;
}

static int is_target(pid_t pid, uint32_t fd, const struct kcmp_epoll_slot *slot)
{
	return syscall(SYS_kcmp, pid, getpid(), KCMP_EPOLL_TFD, fd, slot) == 0;
}

static int compare_fd(const void *key, const void *entry)
{
	uint32_t fd = *(const uint32_t *)key;
	const struct cr_wire_fd *other = entry;

	return (fd > other->fd) - (fd < other->fd);
}

/* What a task has at the number, if it is the target; the one where the set
 * was met first is tried first. */
static uint32_t find_by_number(const struct cr_file_table *table,
			       const struct cr_file *file,
			       const struct kcmp_epoll_slot *slot)
{
	int pass;
	size_t i;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < table->nr_tasks; i++) {
			const struct cr_file_task *task = &table->tasks[i];
			const struct cr_wire_fd *fd;

			if ((task->pid == file->pid) == pass || !task->nr_fds)
				continue;
			fd = bsearch(&slot->tfd, task->fds, task->nr_fds,
				     sizeof(*task->fds), compare_fd);
			if (fd && is_target(task->pid, slot->tfd, slot))
				return fd->file;
		}
	}
	return 0;
}

static uint32_t find_by_inode(const struct cr_file_table *table, uint64_t inode,
			      const struct kcmp_epoll_slot *slot)
{
	size_t i;

	for (i = 0; i < table->nr_files; i++) {
		const struct cr_file *file = table->files[i];

		if (file->fd >= 0 && file->stat.st_ino == inode &&
		    is_target(getpid(), (uint32_t)file->fd, slot))
			return file->wire.id;
	}
	return 0;
}

/* "tfd: 5 events: 19 data: 5  pos:0 ino:1d20 sdev:9" */
static int add_target(struct cr_file_table *table, struct cr_file *file,
		      const char *line, struct targets *targets,
		      struct cr_error *err)
{
	unsigned long long data, inode;
	struct kcmp_epoll_slot slot;
	struct wire_target target = { 0 };

	if (sscanf(line, "tfd: %u events: %x data: %llx pos:%*d ino:%llx",
		   &target.fd, &target.events, &data, &inode) != 4)
		return cr_error_set(err, -EIO, "odd fdinfo of epoll: %.60s",
				    line);
	target.data = data;
	if (cr_array_grow(&targets->target, targets->nr, sizeof(target)) < 0)
		return cr_error_set(err, -ENOMEM, "out of memory");
	targets->target[targets->nr++] = target;
	slot = (struct kcmp_epoll_slot){ .efd = (uint32_t)file->fd,
					 .tfd = target.fd,
					 .toff = offset_of_last(targets) };
	target.file = find_by_number(table, file, &slot);
	if (!target.file)
		target.file = find_by_inode(table, inode, &slot);
	if (!target.file)
		return cr_file_refuse(table, file,
				      "epoll set with an entry (fd %u) that "
				      "no task has open",
				      target.fd);
	targets->target[targets->nr - 1].file = target.file;
	return 0;
}

/* Targets may be anybody's: all files must be known. */
static int finish(struct cr_file_table *table, struct cr_file *file,
		  struct cr_error *err)
{
	struct targets targets = { NULL, 0 };
	char *text = cr_file_fdinfo(0, file->fd, err), *line;
	int rc = 0;

	if (!text)
		return err ? err->code : -EIO;
	for (line = text; line && rc == 0; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (!strncmp(line, "tfd:", 4))
			rc = add_target(table, file, line, &targets, err);
	}
	if (rc == 0)
		rc = cr_file_set_data(file, targets.target,
				      targets.nr * sizeof(*targets.target),
				      err);
	free(targets.target);
	free(text);
	return rc;
}

int cr_epoll_check(const struct cr_saved *saved,
		   const struct cr_saved_file *file, struct cr_error *err)
{
	const struct wire_target *targets = file->data;
	const uint32_t length = file->file->data_length;

	if (length % sizeof(*targets))
		return cr_error_set(err, -EBADMSG, "epoll set %u: %u bytes",
				    file->file->id, length);
	for (size_t i = 0; i < length / sizeof(*targets); i++)
		if (!targets[i].file || targets[i].file > saved->nr_files)
			return cr_error_set(err, -EBADMSG,
					    "epoll set %u: no file %u",
					    file->file->id, targets[i].file);
	return 0;
}

/* Empty at first: targets need their numbers. */
static int make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return cr_error_errno(err, "epoll_create");
	return cr_file_park(restore, id, fd, err);
}

/* The kernel keeps these of an entry that EPOLLONESHOT has turned off. */
#define KEPT_EVENTS (EPOLLONESHOT | EPOLLET | EPOLLWAKEUP)
#define ANY_EVENT (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP)

static int is_off(uint32_t events)
{
	return (events & EPOLLONESHOT) && !(events & ~(uint32_t)KEPT_EVENTS);
}

static int take_event(int set)
{
	struct epoll_event event;

	return epoll_wait(set, &event, 1, 0) > 0;
}

/* A pipe that is empty gets something to tell for a moment. */
static int take_pipe_event(int set, int fd)
{
	struct stat stat;
	int other, is_taken = 0;
	char byte = 0;

	if (fstat(fd, &stat) < 0 || !S_ISFIFO(stat.st_mode))
		return 0;
	other = cr_file_reopen(fd, O_RDWR | O_NONBLOCK);
	if (other < 0)
		return 0;
	if (write(other, &byte, 1) == 1) {
		is_taken = take_event(set);
		if (read(other, &byte, 1) != 1)
			is_taken = 0;
	}
	close(other);
	return is_taken;
}

/*
 * Add an entry, the first ones those that are off: EPOLL_CTL_ADD and
 * EPOLL_CTL_MOD add EPOLLERR and EPOLLHUP to all, so only an event turns one
 * off.  What has none to tell now, other than a pipe, has no error to tell
 * later (a timer, a listening socket), with these two or without.
 */
static int add(int set, int number, const struct epoll_event *wanted)
{
	struct epoll_event event = *wanted;

	if (is_off(wanted->events))
		event.events |= ANY_EVENT;
	if (epoll_ctl(set, EPOLL_CTL_ADD, number, &event) < 0)
		return -errno;
	if (!is_off(wanted->events) || take_event(set) ||
	    take_pipe_event(set, number))
		return 0;
	event.events = wanted->events;
	return epoll_ctl(set, EPOLL_CTL_MOD, number, &event) < 0 ? -errno : 0;
}

/* Add @fd as @number, whatever this task has there otherwise. */
static int add_as(const struct cr_file_restore *restore, int set, int number,
		  int fd, const struct epoll_event *event)
{
	int flags = fcntl(number, F_GETFD), kept = -1, rc = 0;

	if (flags >= 0) {
		kept = fcntl(number, F_DUPFD_CLOEXEC, restore->fd_floor);
		if (kept < 0)
			return -errno;
	}
	if (dup3(fd, number, O_CLOEXEC) < 0)
		rc = -errno;
	else
		rc = add(set, number, event);
	if (kept < 0) {
		close(number);
		return rc;
	}
	if (dup3(kept, number, flags & FD_CLOEXEC ? O_CLOEXEC : 0) < 0)
		rc = -errno;
	close(kept);
	return rc;
}

static int connect_target(struct cr_file_restore *restore, int set,
			  const struct wire_target *target,
			  struct cr_error *err)
{
	struct epoll_event event = { .events = target->events,
				     .data.u64 = target->data };
	int fd, rc;

	fd = cr_file_get(restore, target->file, err);
	if (fd < 0)
		return fd;
	/* A number that no task can use any more may as well be another. */
	if (target->fd >= (uint32_t)restore->fd_floor)
		rc = add(set, fd, &event);
	else
		rc = add_as(restore, set, (int)target->fd, fd, &event);
	if (rc < 0)
		return cr_error_set(err, rc, "epoll entry of fd %u: %s",
				    target->fd, strerror(-rc));
	return 0;
}

static int connect_all(struct cr_file_restore *restore, uint32_t id, int set,
		       struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	const struct wire_target *targets = saved->data;
	size_t i, nr = saved->file->data_length / sizeof(*targets);
	int off, rc = 0;

	for (off = 1; off >= 0; off--)
		for (i = 0; i < nr && rc == 0; i++)
			if (is_off(targets[i].events) == off)
				rc = connect_target(restore, set, &targets[i],
						    err);
	return rc;
}

const struct cr_file_ops cr_file_epoll_ops = {
	.kind = CR_FILE_EPOLL,
	.name = "epoll",
	.flags = O_NONBLOCK | O_ASYNC,
	.finish = finish,
	.make = make,
	.connect = connect_all,
};
