/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_content_make.c - make files whose content is in the image
 *
 * A named one is made anew unless it is still there, the very same inode on
 * the very same node.  Then it gets the saved content only if the tree was
 * able to write to it: what others wrote is theirs.  One that the tree has only
 * read may be a copy, too: `srun --bcast` puts the program on each node.
 *
 * All with the task's rights: the name is its user's to change, and so is who
 * a new file is of.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "file.h"

int cr_file_content_fill(struct cr_file_restore *restore,
			 const struct cr_saved_file *saved, int fd,
			 struct cr_error *err)
{
	const uint64_t length = cr_page_up(saved->file->size);
	void *start;
	int rc;

	if (ftruncate(fd, (off_t)saved->file->size) < 0)
		return cr_error_errno(err, "%s: cannot get its size",
				      saved->path);
	if (!length)
		return 0;
	start = mmap(NULL, length, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (start == MAP_FAILED)
		return cr_error_errno(err, "%s: mmap", saved->path);
	rc = cr_image_fill_whole(restore->image, saved->file->space, start,
				 length, 1, err);
	munmap(start, length);
	return rc < 0 ? cr_error_prefix(err, "content of %s", saved->path) : 0;
}

/* As it is where it is still there, also if it is another user's. */
static int has_owner(const struct cr_wire_file *wire, int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == wire->uid &&
	       st.st_gid == wire->gid && st.st_mode == wire->mode;
}

/* What its user may not give away stays theirs: without set-id bits, which
 * would be another's. */
static int set_owner(const struct cr_file_restore *restore,
		     const struct cr_saved_file *saved, int fd,
		     struct cr_error *err)
{
	const struct cr_wire_file *wire = saved->file;
	struct cr_file_rights rights;
	mode_t mode = wire->mode & 07777;
	int rc;

	if (has_owner(wire, fd))
		return 0;
	rc = cr_file_take_rights(restore, &rights);
	if (rc < 0)
		return cr_error_set(err, rc, "%s: %s", saved->path,
				    strerror(-rc));
	if (geteuid() == 0 && fchown(fd, wire->uid, wire->gid) < 0)
		mode &= 0777;
	rc = fchmod(fd, mode) < 0 ?
		     cr_error_errno(err, "%s: cannot set its mode",
				    saved->path) :
		     0;
	cr_file_give_back_rights(&rights);
	return rc;
}

/* A file without a name, in the directory where it once had one, or in /tmp. */
static int create_unlinked(struct cr_file_restore *restore, const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[4096];
	int fd, length;

	length = slash ? (int)(slash - path) : 0;
	snprintf(directory, sizeof(directory), "%.*s", length ? length : 1,
		 length ? path : "/");
	fd = cr_file_open_as_user(restore, directory, O_TMPFILE | O_RDWR, 0600);
	if (fd >= 0)
		return fd;
	return cr_file_open_as_user(restore, "/tmp", O_TMPFILE | O_RDWR, 0600);
}

/* The inode that was saved, still there? */
static int is_same_inode(const struct cr_file_restore *restore,
			 const struct cr_wire_file *wire, const struct stat *st)
{
	struct utsname here;

	return uname(&here) == 0 &&
	       !strncmp(here.nodename, restore->saved->head->node,
			sizeof(restore->saved->head->node) - 1) &&
	       st->st_dev == wire->device && st->st_ino == wire->inode &&
	       st->st_uid == wire->uid;
}

/* Does @fd hold the @length bytes at @wanted, and no more? */
static int holds(int fd, const char *wanted, uint64_t length)
{
	char buffer[65536];
	uint64_t done = 0;
	ssize_t n;

	while ((n = pread(fd, buffer, sizeof(buffer), (off_t)done)) > 0) {
		if ((uint64_t)n > length - done ||
		    memcmp(buffer, wanted + done, (size_t)n) != 0)
			return 0;
		done += (uint64_t)n;
	}
	return n == 0 && done == length;
}

/* A file of the same user that holds what the tree has read in the one saved?
 */
static int is_copy(struct cr_file_restore *restore,
		   const struct cr_saved_file *saved, int place,
		   const struct stat *st)
{
	const uint64_t size = saved->file->size, length = cr_page_up(size);
	int fd, is_same = 0;
	void *wanted;

	if (saved->file->flags & CR_FILE_F_WRITABLE || !size ||
	    st->st_uid != saved->file->uid || (uint64_t)st->st_size != size)
		return 0;
	fd = cr_file_reopen_as_user(restore, place, O_RDONLY);
	if (fd < 0)
		return 0;
	wanted = mmap(NULL, length, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (wanted != MAP_FAILED) {
		is_same =
			!cr_image_fill_whole(restore->image, saved->file->space,
					     wanted, length, 1, NULL) &&
			holds(fd, wanted, size);
		munmap(wanted, length);
	}
	close(fd);
	return is_same;
}

/* The file still has its name, and is at @place: a descriptor for content, if
 * it needs that; -EEXIST: it is another one. */
static int use_present(struct cr_file_restore *restore,
		       const struct cr_saved_file *saved, int place,
		       int *is_filledp, struct cr_error *err)
{
	struct stat st;
	int fd, rc = 0;

	if (fstat(place, &st) < 0)
		return cr_error_errno(err, "%s", saved->path);
	if (!S_ISREG(st.st_mode) ||
	    (!is_same_inode(restore, saved->file, &st) &&
	     !is_copy(restore, saved, place, &st)))
		return -EEXIST;
	*is_filledp = !(saved->file->flags & CR_FILE_F_WRITABLE);
	fd = cr_file_reopen_as_user(restore, place,
				    *is_filledp ? O_RDONLY : O_RDWR);
	if (fd < 0)
		return cr_error_set(err, fd, "cannot open %s: %s", saved->path,
				    strerror(-fd));
	/* Holes of the saved content shall read as zeros. */
	if (*is_filledp)
		rc = cr_file_check_size(saved, fd, err);
	else if (st.st_size &&
		 fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			   st.st_size) < 0)
		rc = cr_error_errno(err, "%s: cannot clear it", saved->path);
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

/*
 * A leftover of an earlier life of this tree on this node: only in /dev/shm,
 * where names are made for sharing memory, and only its user's own.  Whoever
 * has it open keeps it.
 */
static int remove_leftover(const struct cr_file_restore *restore,
			   const struct cr_saved_file *saved, int fd,
			   struct cr_error *err)
{
	struct cr_file_rights rights;
	struct stat st;
	int rc = -1;

	if (!strncmp(saved->path, "/dev/shm/", 9) && fstat(fd, &st) == 0 &&
	    S_ISREG(st.st_mode) && st.st_uid == saved->file->uid &&
	    cr_file_take_rights(restore, &rights) == 0) {
		rc = unlink(saved->path);
		cr_file_give_back_rights(&rights);
	}
	if (rc == 0)
		return 0;
	return cr_error_set(err, -ESTALE,
			    "%s exists here and is another file than the one "
			    "saved",
			    saved->path);
}

/* The file that has the name already, or -ENOENT. */
static int open_present(struct cr_file_restore *restore,
			const struct cr_saved_file *saved, int *is_filledp,
			struct cr_error *err)
{
	int place, fd;

	place = cr_file_open_as_user(restore, saved->path, O_PATH | O_NOFOLLOW,
				     0);
	if (place < 0)
		return -ENOENT;
	fd = use_present(restore, saved, place, is_filledp, err);
	if (fd == -EEXIST) {
		fd = remove_leftover(restore, saved, place, err);
		fd = fd < 0 ? fd : -ENOENT;
	}
	close(place);
	return fd;
}

static int create_named(struct cr_file_restore *restore,
			const struct cr_saved_file *saved, int *is_filledp,
			struct cr_error *err)
{
	int fd = open_present(restore, saved, is_filledp, err);

	if (fd != -ENOENT)
		return fd;
	*is_filledp = 0;
	cr_file_make_folders(restore, saved->path);
	fd = cr_file_open_as_user(restore, saved->path,
				  O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0)
		return cr_error_set(err, fd, "cannot create %s: %s",
				    saved->path, strerror(-fd));
	return fd;
}

int cr_file_content_create(struct cr_file_restore *restore,
			   const struct cr_saved_file *saved,
			   struct cr_error *err)
{
	int fd, is_filled = 0, rc = 0;

	if (saved->file->flags & CR_FILE_F_UNLINKED) {
		fd = create_unlinked(restore, saved->path);
		if (fd < 0)
			return cr_error_set(err, fd,
					    "cannot make a file for the "
					    "removed %s: %s",
					    saved->path, strerror(-fd));
	} else {
		fd = create_named(restore, saved, &is_filled, err);
		if (fd < 0)
			return fd;
	}
	if (!is_filled)
		rc = cr_file_content_fill(restore, saved, fd, err);
	if (rc == 0 && !is_filled)
		rc = set_owner(restore, saved, fd, err);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

int cr_file_content_create_private(struct cr_file_restore *restore,
				   const struct cr_saved_file *saved,
				   struct cr_error *err)
{
	int fd, rc;

	fd = create_unlinked(restore, saved->path);
	if (fd < 0)
		return cr_error_set(err, fd, "cannot make a copy of %s: %s",
				    saved->path, strerror(-fd));
	rc = cr_file_content_fill(restore, saved, fd, err);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}
