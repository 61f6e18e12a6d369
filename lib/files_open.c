/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files_open.c - open files by name, with the rights of the saved task
 *
 * A restarting task is root until it is done.  So that it never opens what
 * its user could not, names are looked up with the saved file system ids and
 * groups, and without capabilities: a file remembers those of who opened it,
 * and /proc shows more to some.
 *
 * At the end what mappings, programs and folders are opened with: by name, or
 * the object that some task has.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"
#include "procfs.h"

#define GROUPS_MAX 65536

/* The system call, for this thread only. */
static int set_groups(size_t nr_groups, const gid_t *groups)
{
	return (int)syscall(SYS_setgroups, nr_groups, groups);
}

/* Set this thread's effective capabilities; @effective gets what they were. */
static int swap_effective(uint32_t effective[2])
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		const uint32_t before = data[i].effective;

		data[i].effective = effective[i];
		effective[i] = before;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int take(uid_t uid, gid_t gid, size_t nr_groups, const gid_t *groups,
		struct cr_file_rights *rights)
{
	rights->is_changed = 0;
	if (uid == 0 || geteuid() != 0)
		return 0;
	rights->nr_groups = getgroups(64, rights->groups);
	if (rights->nr_groups < 0)
		rights->nr_groups = 0;
	if (nr_groups > GROUPS_MAX || set_groups(nr_groups, groups) < 0)
		return -EPERM;
	rights->is_changed = 1;
	setfsgid(gid);
	setfsuid(uid);
	memset(rights->effective, 0, sizeof(rights->effective));
	if (swap_effective(rights->effective) == 0)
		return 0;
	cr_file_give_back_rights(rights);
	return -EPERM;
}

int cr_file_take_rights(const struct cr_file_restore *restore,
			struct cr_file_rights *rights)
{
	const struct cr_saved_thread *leader;

	rights->is_changed = 0;
	if (!restore->task || !restore->task->nr_threads)
		return 0;
	leader = &restore->task->threads[0];
	return take(leader->thread->creds.fsuid, leader->thread->creds.fsgid,
		    leader->thread->nr_groups, leader->groups, rights);
}

void cr_file_give_back_rights(const struct cr_file_rights *rights)
{
	int saved = errno;
	uint32_t effective[2] = { rights->effective[0], rights->effective[1] };

	if (rights->is_changed) {
		swap_effective(effective);
		setfsuid(0);
		setfsgid(0);
		set_groups((size_t)rights->nr_groups, rights->groups);
	}
	errno = saved;
}

static int reopen_as(const struct cr_file *file, int flags,
		     const struct cr_proc_status *status)
{
	struct cr_file_rights rights;
	char name[CR_FILE_NAME_MAX];
	int fd;

	cr_file_name(file, name);
	fd = take(status->uid[3], status->gid[3], status->nr_groups,
		  status->groups, &rights);
	if (fd < 0)
		return fd;
	fd = open(name, flags | O_CLOEXEC | O_NOCTTY);
	fd = fd < 0 ? -errno : fd;
	cr_file_give_back_rights(&rights);
	/* its owner may give themselves the right to */
	if (fd != -EACCES || file->stat.st_uid != status->uid[3])
		return fd;
	fd = open(name, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int cr_file_open_as_task(const struct cr_file *file, int flags)
{
	struct cr_proc_status status;
	int rc = cr_proc_read_status(file->pid, "status", &status, NULL);

	if (rc < 0)
		return rc;
	rc = reopen_as(file, flags, &status);
	cr_proc_status_free(&status);
	return rc;
}

int cr_file_open_as_user(const struct cr_file_restore *restore,
			 const char *path, int flags, mode_t mode)
{
	struct cr_file_rights rights;
	int rc = cr_file_take_rights(restore, &rights);

	if (rc < 0)
		return rc;
	rc = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
	if (rc < 0)
		rc = -errno;
	cr_file_give_back_rights(&rights);
	return rc;
}

void cr_file_make_folders(const struct cr_file_restore *restore,
			  const char *path)
{
	struct cr_file_rights rights;
	char folder[4096];
	char *slash = folder;

	if ((size_t)snprintf(folder, sizeof(folder), "%s", path) >=
		    sizeof(folder) ||
	    cr_file_take_rights(restore, &rights) < 0)
		return;
	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		mkdir(folder, 0700);
		*slash = '/';
	}
	cr_file_give_back_rights(&rights);
}

int cr_file_open_proc(const char *path, int flags)
{
	uint32_t effective[2] = { 1u << CAP_SYS_PTRACE };
	/* what goes with O_PATH, or else all */
	const int own = flags & O_PATH ? O_PATH | O_NOFOLLOW | O_DIRECTORY : -1;
	const struct open_how how = {
		.flags = (unsigned int)((flags & own) | O_CLOEXEC),
		.resolve = RESOLVE_NO_MAGICLINKS,
	};
	int rc = geteuid() == 0 ? swap_effective(effective) : 0, fd;

	if (rc < 0)
		return rc;
	fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	fd = fd < 0 ? -errno : fd;
	if (geteuid() == 0)
		swap_effective(effective);
	return fd;
}

/* Is @fd a file or folder of the saved task's own user? */
static int is_own(const struct cr_file_restore *restore, int fd)
{
	const struct cr_saved_task *task = restore->task;
	struct stat st;

	return task && task->nr_threads && fstat(fd, &st) == 0 &&
	       (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
	       st.st_uid == task->threads[0].thread->creds.fsuid;
}

int cr_file_reopen_as_user(const struct cr_file_restore *restore, int place,
			   int flags)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", place);
	fd = cr_file_open_as_user(restore, name, flags | O_NONBLOCK, 0);
	return fd == -EACCES && is_own(restore, place) ?
		       cr_file_reopen(place, flags | O_NONBLOCK) :
		       fd;
}

int cr_file_open_flags(const struct cr_saved_file *saved)
{
	const int kept = O_ACCMODE | O_APPEND | O_SYNC | O_DSYNC | O_DIRECT |
			 O_NOATIME | O_PATH | O_NOFOLLOW | O_DIRECTORY;

	if (saved->file->flags & CR_FILE_F_UNOPENED)
		return S_ISDIR(saved->file->mode) ? O_PATH : O_RDONLY;
	return (int)saved->file->open_flags & kept;
}

/* @rc is why @saved could not be opened. */
static int explain(const struct cr_saved_file *saved, int rc,
		   struct cr_error *err)
{
	if (rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP)
		return cr_error_set(err, -ESTALE,
				    "%s is gone (%llu bytes when saved)",
				    saved->path,
				    (unsigned long long)saved->file->size);
	return cr_error_set(err, rc, "cannot open %s: %s", saved->path,
			    strerror(-rc));
}

/*
 * The mode of a file may forbid its own user what it allowed when the file was
 * opened, or made: open(path, O_CREAT | O_RDWR, 0444).  That user could change
 * the mode, so we need not heed it.  The way there is walked as the user.
 */
static int open_as_owner(const struct cr_file_restore *restore,
			 const char *path, int flags)
{
	int place, fd = -EACCES;

	place = cr_file_open_as_user(restore, path,
				     O_PATH | (flags & O_NOFOLLOW), 0);
	if (place < 0)
		return place;
	if (is_own(restore, place))
		fd = cr_file_reopen(place, flags & ~O_NOFOLLOW);
	close(place);
	return fd;
}

int cr_file_open_path(const struct cr_file_restore *restore,
		      const struct cr_saved_file *saved, int flags,
		      struct cr_error *err)
{
	struct stat st;
	int fd;

	flags |= flags & O_PATH ? 0 : O_NONBLOCK;
	fd = cr_file_open_as_user(restore, saved->path, flags, 0);
	if (fd == -EACCES && !(flags & O_PATH))
		fd = open_as_owner(restore, saved->path, flags);
	if (fd < 0)
		return explain(saved, fd, err);
	if (fstat(fd, &st) < 0 ||
	    (st.st_mode & S_IFMT) != (saved->file->mode & S_IFMT)) {
		close(fd);
		return cr_error_set(err, -ESTALE,
				    "%s is of another type than when saved",
				    saved->path);
	}
	return fd;
}

int cr_file_check_size(const struct cr_saved_file *saved, int fd,
		       struct cr_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return cr_error_errno(err, "%s", saved->path);
	if ((uint64_t)st.st_size < saved->file->size)
		return cr_error_set(err, -ESTALE,
				    "%s has shrunk: %llu bytes when saved, "
				    "%llu now",
				    saved->path,
				    (unsigned long long)saved->file->size,
				    (unsigned long long)st.st_size);
	return 0;
}

/* A mapping needs its own access mode, whatever the object's is. */
static int reopen_object(struct cr_file_restore *restore, uint32_t id,
			 int flags, struct cr_error *err)
{
	int fd = cr_file_get(restore, id, err);

	if (fd < 0)
		return fd;
	if (flags & O_RDWR &&
	    !(cr_file_saved(restore, id)->file->flags & CR_FILE_F_WRITABLE))
		return cr_error_set(err, -EACCES, "file %u: nobody wrote to it",
				    id);
	fd = cr_file_reopen(fd, flags);
	return fd < 0 ? cr_error_set(err, fd, "file %u: cannot reopen it: %s",
				     id, strerror(-fd)) :
			cr_file_raise(restore, fd);
}

int cr_files_open(struct cr_file_restore *restore, uint32_t id, int shared,
		  int writable, struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	int flags = writable ? O_RDWR : O_RDONLY;
	int fd;

	if (S_ISDIR(saved->file->mode)) {
		flags = O_PATH | O_DIRECTORY;
	} else if (saved->file->space) {
		if (shared)
			return reopen_object(restore, id, flags, err);
		fd = cr_file_content_create_private(restore, saved, err);
		return fd < 0 ? fd : cr_file_raise(restore, fd);
	} else if (shared && !(saved->file->flags & CR_FILE_F_UNOPENED)) {
		return reopen_object(restore, id, flags, err);
	}
	fd = cr_file_open_path(restore, saved, flags, err);
	if (fd < 0)
		return fd;
	if (S_ISREG(saved->file->mode)) {
		int rc = cr_file_check_size(saved, fd, err);

		if (rc == 0)
			rc = cr_file_check_build(saved, fd, err);
		if (rc < 0) {
			close(fd);
			return rc;
		}
	}
	return cr_file_raise(restore, fd);
}
