/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_fifo.c - FIFOs: pipes with a name
 *
 * What is in one is saved and put back as with any pipe (file_pipe.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_pipe.h"

static int save_fifo(struct cr_file_table *table, struct cr_file *file,
		     struct cr_error *err)
{
	int rc = cr_file_set_path(file, err);

	if (rc < 0)
		return rc;
	if (!file->stat.st_nlink) {
		file->wire.flags |= CR_FILE_F_UNLINKED;
		return 0;
	}
	rc = cr_file_path_is_good(file) ? 1 : cr_file_find_link(file, err);
	if (rc < 0)
		return rc;
	if (!rc)
		return cr_file_refuse(table, file,
				      "FIFO %s: the name leads to another file "
				      "now",
				      file->path);
	return 0;
}

static int finish_fifo(struct cr_file_table *table, struct cr_file *file,
		       struct cr_error *err)
{
	(void)table;
	return file->fd < 0 ? 0 : cr_pipe_save_content(file, err);
}

/* With the task's rights: what lies on the way is its user's to change. */
static int make_node(const struct cr_file_restore *restore, const char *path,
		     const struct cr_wire_file *wire)
{
	struct cr_file_rights rights;
	int rc = cr_file_take_rights(restore, &rights);
	mode_t mask;

	if (rc < 0)
		return rc;
	mask = umask(0);
	rc = mkfifo(path, wire->mode & 07777);
	umask(mask);
	if (rc == 0 && geteuid() == 0 && !rights.is_changed)
		rc = lchown(path, wire->uid, wire->gid);
	rc = rc < 0 ? -errno : 0;
	cr_file_give_back_rights(&rights);
	return rc;
}

/* As an O_PATH descriptor; @directory is for the moment. */
static int make_nameless(const struct cr_file_restore *restore,
			 const char *directory, const struct cr_wire_file *wire)
{
	struct cr_file_rights rights;
	char path[4096];
	int fd, rc;

	rc = snprintf(path, sizeof(path), "%s/.cr-fifo-%d", directory,
		      (int)getpid());
	if (rc < 0 || (size_t)rc >= sizeof(path))
		return -ENAMETOOLONG;
	rc = make_node(restore, path, wire);
	if (rc < 0)
		return rc;
	fd = cr_file_open_as_user(restore, path, O_PATH | O_NOFOLLOW, 0);
	rc = cr_file_take_rights(restore, &rights);
	if (rc == 0) {
		unlink(path);
		cr_file_give_back_rights(&rights);
	}
	return fd;
}

/* One that was removed: in the directory where it had been, or in /tmp. */
static int open_nameless(const struct cr_file_restore *restore,
			 const struct cr_saved_file *saved,
			 struct cr_error *err)
{
	const char *slash = strrchr(saved->path, '/');
	char directory[4096];
	struct stat st;
	int fd;

	snprintf(directory, sizeof(directory), "%.*s",
		 slash ? (int)(slash - saved->path) : 0, saved->path);
	fd = make_nameless(restore, directory, saved->file);
	if (fd < 0)
		fd = make_nameless(restore, "/tmp", saved->file);
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))) {
		close(fd);
		fd = -ESTALE;
	}
	return fd < 0 ? cr_error_set(err, fd,
				     "cannot make a FIFO for the removed %s: "
				     "%s",
				     saved->path, strerror(-fd)) :
			fd;
}

/* The FIFO as an O_PATH descriptor, made anew if it is gone. */
static int open_fifo(struct cr_file_restore *restore,
		     const struct cr_saved_file *saved, struct cr_error *err)
{
	int fd, rc;

	if (saved->file->flags & CR_FILE_F_UNLINKED)
		return open_nameless(restore, saved, err);
	fd = cr_file_open_as_user(restore, saved->path, O_PATH | O_NOFOLLOW, 0);
	if (fd == -ENOENT) {
		cr_file_make_folders(restore, saved->path);
		rc = make_node(restore, saved->path, saved->file);
		if (rc < 0)
			return cr_error_set(err, rc, "cannot make FIFO %s: %s",
					    saved->path, strerror(-rc));
	} else if (fd >= 0) {
		close(fd);
	}
	return cr_file_open_path(restore, saved, O_PATH, err);
}

static int park_fifo(struct cr_file_restore *restore, uint32_t id, int path_fd,
		     struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
	fd = cr_file_open_as_user(restore, name,
				  cr_file_open_flags(saved) | O_NONBLOCK, 0);
	if (fd < 0)
		return cr_error_set(err, fd, "cannot open FIFO %s: %s",
				    saved->path, strerror(-fd));
	return cr_file_park(restore, id, fd, err);
}

/* Held open in both directions meanwhile, so that no open(2) waits. */
static int make_fifo(struct cr_file_restore *restore, uint32_t id,
		     struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	uint32_t other = id;
	int path_fd, both, rc;

	path_fd = open_fifo(restore, saved, err);
	if (path_fd < 0)
		return path_fd;
	both = cr_file_reopen(path_fd, O_RDWR | O_NONBLOCK);
	if (both < 0) {
		close(path_fd);
		return cr_error_set(err, both, "cannot open FIFO %s: %s",
				    saved->path, strerror(-both));
	}
	rc = cr_pipe_fill(restore, id, both, err);
	do {
		if (rc == 0)
			rc = park_fifo(restore, other, path_fd, err);
		other = cr_file_ring_next(restore, other);
	} while (rc == 0 && other != id);
	close(both);
	close(path_fd);
	return rc;
}

const struct cr_file_ops cr_file_fifo_ops = {
	.kind = CR_FILE_FIFO,
	.name = "FIFO",
	.has_ring = 1,
	.flags = O_NONBLOCK | O_ASYNC | O_DIRECT,
	.save = save_fifo,
	.finish = finish_fifo,
	.make = make_fifo,
};
