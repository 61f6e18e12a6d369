/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_content.c - files whose content is in the image
 *
 * For those that another node does not have: without a name, or on a tmpfs.
 * The content is saved once for each inode, as a FILE space, without holes.
 *
 * At restart a named one is made anew unless it is still there, the very
 * same inode on the very same node.  Then it gets the saved content only if
 * the tree was able to write to it: what others wrote is theirs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "array.h"
#include "file.h"

struct cr_file_content {
	struct cr_memory_source source; /* its fd is ours */
	uint32_t space;
	uint64_t size; /* bytes */
};

static uint64_t page_up(uint64_t length)
{
	return (length + CR_WIRE_PAGE - 1) & ~(uint64_t)(CR_WIRE_PAGE - 1);
}

static int read_content(const struct cr_memory_source *source, uint64_t address,
			void *buffer, size_t length)
{
	char *to = buffer;
	size_t done = 0;

	while (done < length) {
		ssize_t n = pread(source->fd, to + done, length - done,
				  (off_t)(address + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	memset(to + done, 0, length - done);
	return 0;
}

/* A description of our own, so that its position may move. */
static int open_source(const struct cr_file *file)
{
	char name[128];
	int fd;

	if (file->fd >= 0)
		return cr_file_reopen(file->fd, O_RDONLY);
	snprintf(name, sizeof(name), "/proc/%d/%s", file->pid, file->name);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static int is_ring_writable(const struct cr_file *file)
{
	const struct cr_file *other = file;

	do {
		if (other->is_writable)
			return 1;
		other = other->next_of_inode;
	} while (other != file);
	return 0;
}

/* All of the ring have the content that @file has. */
static void share_content(struct cr_file *file, uint32_t space)
{
	uint32_t flags = is_ring_writable(file) ? CR_FILE_F_WRITABLE : 0;
	struct cr_file *other = file;

	do {
		other->wire.space = space;
		other->wire.flags |= flags;
		other = other->next_of_inode;
	} while (other != file);
}

int cr_file_content_add(struct cr_file_table *table, struct cr_file *file,
			struct cr_error *err)
{
	struct cr_file_content *content;
	int fd;

	if (file->wire.space)
		return 0;
	fd = open_source(file);
	if (fd < 0)
		return cr_file_refuse(table, file, "cannot read %s: %s",
				      file->link, strerror(-fd));
	content = calloc(1, sizeof(*content));
	if (!content) {
		close(fd);
		return cr_error_set(err, -ENOMEM, "out of memory");
	}
	content->source.read = read_content;
	content->source.fd = fd;
	content->source.skip_zero = 1;
	content->size = file->wire.size;
	content->space =
		table->options.new_space(table->options.arg, CR_SPACE_FILE,
					 page_up(content->size), file->wire.id);
	file->content = content;
	share_content(file, content->space);
	return 0;
}

/* The runs of pages that hold data, as SEEK_DATA and SEEK_HOLE see them. */
static int find_runs(const struct cr_file_content *content,
		     struct cr_wire_run **runsp, size_t *nrp)
{
	struct cr_wire_run *runs = NULL;
	uint64_t end = 0;
	size_t nr = 0;

	while (end < content->size) {
		off_t data = lseek(content->source.fd, (off_t)end, SEEK_DATA);
		uint64_t start = data < 0 ? end : (uint64_t)data;
		off_t hole;

		if (data < 0 && errno == ENXIO)
			break;
		start &= ~(uint64_t)(CR_WIRE_PAGE - 1);
		hole = data < 0 ? -1 :
				  lseek(content->source.fd, data, SEEK_HOLE);
		end = page_up(hole < 0 ? content->size : (uint64_t)hole);
		if (cr_array_grow(&runs, nr, sizeof(*runs)) < 0) {
			free(runs);
			return -ENOMEM;
		}
		runs[nr++] = (struct cr_wire_run){ start, end - start };
	}
	*runsp = runs;
	*nrp = nr;
	return 0;
}

int cr_file_content_write(struct cr_file *file, struct cr_image_writer *writer,
			  struct cr_error *err)
{
	struct cr_file_content *content = file->content;
	struct cr_wire_run *runs = NULL;
	size_t nr_runs = 0;
	int rc;

	rc = find_runs(content, &runs, &nr_runs);
	if (rc < 0)
		return cr_error_set(err, rc, "content of %s: out of memory",
				    file->link);
	if (nr_runs)
		rc = cr_image_writer_memory(writer, content->space,
					    &content->source, runs, nr_runs,
					    err);
	free(runs);
	return rc;
}

void cr_file_content_free(struct cr_file_content *content)
{
	if (!content)
		return;
	close(content->source.fd);
	free(content);
}

struct mapped {
	char *start;
	uint64_t length;
};

static void *locate(void *arg, uint64_t address, uint64_t *length)
{
	const struct mapped *mapped = arg;

	if (address >= mapped->length)
		return NULL;
	if (*length > mapped->length - address)
		*length = mapped->length - address;
	return mapped->start + address;
}

int cr_file_content_fill(struct cr_file_restore *restore,
			 const struct cr_saved_file *saved, int fd,
			 struct cr_error *err)
{
	struct mapped mapped = { NULL, page_up(saved->file->size) };
	int rc;

	if (ftruncate(fd, (off_t)saved->file->size) < 0)
		return cr_error_errno(err, "%s: cannot get its size",
				      saved->path);
	if (!mapped.length)
		return 0;
	mapped.start = mmap(NULL, mapped.length, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (mapped.start == MAP_FAILED)
		return cr_error_errno(err, "%s: mmap", saved->path);
	rc = cr_image_fill(restore->image, saved->file->space, locate, &mapped,
			   1, err);
	munmap(mapped.start, mapped.length);
	return rc < 0 ? cr_error_prefix(err, "content of %s", saved->path) : 0;
}

static int set_owner(const struct cr_saved_file *saved, int fd,
		     struct cr_error *err)
{
	const struct cr_wire_file *wire = saved->file;

	if ((geteuid() == 0 && fchown(fd, wire->uid, wire->gid) < 0) ||
	    fchmod(fd, wire->mode & 07777) < 0)
		return cr_error_errno(err, "%s: cannot set owner and mode",
				      saved->path);
	return 0;
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

/* The file still has its name: *@fdp for content, if it needs that, or done. */
static int use_present(struct cr_file_restore *restore,
		       const struct cr_saved_file *saved, int fd,
		       int *is_filledp, struct cr_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return cr_error_errno(err, "%s", saved->path);
	if (!is_same_inode(restore, saved->file, &st))
		return -EEXIST;
	*is_filledp = !(saved->file->flags & CR_FILE_F_WRITABLE);
	/* Holes of the saved content shall read as zeros. */
	if (!*is_filledp && st.st_size &&
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		      st.st_size) < 0)
		return cr_error_errno(err, "%s: cannot clear it", saved->path);
	return *is_filledp ? cr_file_check_size(saved, fd, err) : 0;
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

static int create_named(struct cr_file_restore *restore,
			const struct cr_saved_file *saved, int *is_filledp,
			struct cr_error *err)
{
	int fd, rc;

	*is_filledp = 0;
	fd = open(saved->path,
		  O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0) {
		rc = use_present(restore, saved, fd, is_filledp, err);
		if (rc == -EEXIST)
			rc = remove_leftover(restore, saved, fd, err);
		else if (rc == 0)
			return fd;
		close(fd);
		if (rc < 0)
			return rc;
	}
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
		rc = set_owner(saved, fd, err);
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
