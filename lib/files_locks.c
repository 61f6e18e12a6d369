/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files_locks.c - locks on files: POSIX, flock(2), and of descriptions
 *
 * fdinfo shows for each descriptor the locks that were taken through it: the
 * task's own POSIX locks, and those that belong to the description itself,
 * which are listed with the first task that has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "array.h"
#include "file.h"

struct lock_list {
	struct cr_wire_lock *locks;
	size_t nr;
};

static int append(struct lock_list *list, const struct cr_wire_lock *lock,
		  struct cr_error *err)
{
	if (cr_array_grow(&list->locks, list->nr, sizeof(*lock)) < 0)
		return cr_error_set(err, -ENOMEM, "out of memory");
	list->locks[list->nr++] = *lock;
	return 0;
}

/* "1: POSIX  ADVISORY  WRITE 359 00:13:11691 0 EOF", after "lock:\t". */
static int parse_lock(const char *line, struct cr_wire_lock *lock)
{
	char kind[16], mode[16], end[32];
	unsigned long long start;

	if (sscanf(line, "%*d: %15s %*s %15s %*d %*s %llu %31s", kind, mode,
		   &start, end) != 4)
		return -EINVAL;
	lock->kind = !strcmp(kind, "POSIX")  ? CR_LOCK_POSIX :
		     !strcmp(kind, "FLOCK")  ? CR_LOCK_FLOCK :
		     !strcmp(kind, "OFDLCK") ? CR_LOCK_OFD :
					       CR_LOCK_LEASE;
	lock->type = strcmp(mode, "WRITE") ? F_RDLCK : F_WRLCK;
	lock->start = start;
	lock->length =
		strcmp(end, "EOF") ? strtoull(end, NULL, 10) - start + 1 : 0;
	return 0;
}

/* The locks that descriptor @number of process @pid shows.  A lease is refused:
 * F_GETLEASE does not tell of one that is being broken. */
static int list_locks(struct cr_file_table *table, struct cr_file *file,
		      pid_t pid, uint32_t number, struct lock_list *list,
		      struct cr_error *err)
{
	char *text = cr_file_fdinfo(pid, (int)number, err), *line, *next;
	int rc = 0;

	if (!text)
		return err ? err->code : -EIO;
	for (line = text; line && rc == 0; line = next) {
		struct cr_wire_lock lock = { .fd = number };

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (strncmp(line, "lock:", 5))
			continue;
		if (parse_lock(line + 5, &lock) < 0)
			rc = cr_error_set(err, -EIO, "fd %u: odd lock: %s",
					  number, line);
		else if (lock.kind == CR_LOCK_LEASE &&
			 strstr(line, " BREAKING "))
			rc = cr_file_refuse_for_now(table, file,
						    "a lease on %s",
						    file->link);
		else if (lock.kind == CR_LOCK_LEASE)
			rc = cr_file_refuse(table, file, "a lease on %s",
					    file->link);
		else if (lock.kind == CR_LOCK_POSIX || !file->has_locks)
			rc = append(list, &lock, err);
		file->has_lease |= lock.kind == CR_LOCK_LEASE;
	}
	free(text);
	file->has_locks = 1;
	return rc;
}

static const struct cr_file_task *find_task(const struct cr_file_table *table,
					    pid_t pid)
{
	size_t i;

	for (i = table->nr_tasks; i > 0; i--)
		if (table->tasks[i - 1].pid == pid)
			return &table->tasks[i - 1];
	return NULL;
}

/* The same description under two numbers shows its locks twice. */
static int is_repeated(const struct cr_file_task *task, size_t index)
{
	size_t i;

	for (i = 0; i < index; i++)
		if (task->fds[i].file == task->fds[index].file)
			return 1;
	return 0;
}

int cr_file_table_locks(struct cr_file_table *table, pid_t pid,
			struct cr_wire_lock **locksp, size_t *nr_locksp,
			struct cr_error *err)
{
	const struct cr_file_task *task = find_task(table, pid);
	struct lock_list list = { NULL, 0 };
	size_t i;
	int rc = 0;

	for (i = 0; task && i < task->nr_fds && rc == 0; i++) {
		struct cr_file *file = table->files[task->fds[i].file - 1];

		if (S_ISREG(file->stat.st_mode) && !is_repeated(task, i))
			rc = list_locks(table, file, pid, task->fds[i].fd,
					&list, err);
	}
	if (rc < 0) {
		free(list.locks);
		return rc;
	}
	*locksp = list.locks;
	*nr_locksp = list.nr;
	return 0;
}

static int take_lock(const struct cr_wire_lock *lock)
{
	struct flock record = {
		.l_type = (short)lock->type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)lock->start,
		.l_len = (off_t)lock->length,
	};
	int fd = (int)lock->fd;

	switch (lock->kind) {
	case CR_LOCK_POSIX:
		return fcntl(fd, F_SETLK, &record);
	case CR_LOCK_OFD:
		return fcntl(fd, F_OFD_SETLK, &record);
	case CR_LOCK_FLOCK:
		return flock(fd, LOCK_NB | (lock->type == F_WRLCK ? LOCK_EX :
								    LOCK_SH));
	default:
		errno = EBADMSG;
		return -1;
	}
}

int cr_files_lock(struct cr_file_restore *restore,
		  const struct cr_saved_task *task, struct cr_error *err)
{
	size_t i;

	(void)restore;
	for (i = 0; i < task->nr_locks; i++)
		if (take_lock(&task->locks[i]) < 0)
			return cr_error_errno(err, "lock of fd %u",
					      task->locks[i].fd);
	return 0;
}
