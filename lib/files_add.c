/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files_add.c - every open file description of a tree goes in once
 *
 * Descriptors are fetched from the frozen tasks with pidfd_getfd(2);
 * files_same.c tells whether one leads to a description that is here already.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "array.h"
#include "cr_checkpoint.h"
#include "file.h"
#include "procfs.h"

#define LINK_MAX_LENGTH 4096

void cr_file_free(struct cr_file *file)
{
	if (!file)
		return;
	if (file->fd >= 0)
		close(file->fd);
	cr_mapped_forget(&file->mapped);
	cr_file_content_free(file->content);
	free(file->path);
	free(file->data);
	free(file->link);
	free(file->name);
	free(file);
}

static char *read_link(const char *name, struct cr_error *err)
{
	char text[LINK_MAX_LENGTH];
	ssize_t n = readlink(name, text, sizeof(text) - 1);
	char *copy;

	if (n < 0) {
		cr_error_errno(err, "readlink %s", name);
		return NULL;
	}
	text[n] = '\0';
	copy = strdup(text);
	if (!copy)
		cr_error_set(err, -ENOMEM, "out of memory");
	return copy;
}

static struct cr_file *file_new(pid_t pid, uint32_t vpid, const char *link,
				struct cr_error *err)
{
	struct cr_file *file = calloc(1, sizeof(*file));

	if (!file) {
		cr_error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	file->fd = -1;
	file->mapped.fd = -1;
	file->number = -1;
	file->stream = -1;
	file->pid = pid;
	file->vpid = vpid;
	file->next_of_inode = file;
	if (link) {
		file->link = read_link(link, err);
		if (!file->link) {
			cr_file_free(file);
			return NULL;
		}
	}
	return file;
}

/* What stat(2) and fcntl(2) tell goes into the record. */
static int describe(struct cr_file *file, struct cr_error *err)
{
	struct cr_wire_file *wire = &file->wire;
	const struct stat *st = &file->stat;
	int flags = file->fd < 0 ? 0 : fcntl(file->fd, F_GETFL);

	if (flags < 0)
		return cr_error_errno(err, "F_GETFL of %s", file->link);
	wire->open_flags = (uint32_t)flags;
	wire->device = st->st_dev;
	wire->inode = st->st_ino;
	wire->size = (uint64_t)st->st_size;
	wire->mtime_ns = (uint64_t)st->st_mtim.tv_sec * 1000000000u +
			 (uint64_t)st->st_mtim.tv_nsec;
	wire->mode = st->st_mode;
	wire->uid = st->st_uid;
	wire->gid = st->st_gid;
	if (file->fd >= 0)
		file->is_writable = (flags & O_ACCMODE) != O_RDONLY;
	return 0;
}

/* Positions, and who is signalled: of the description, not of its kind. */
static int describe_opened(struct cr_file_table *table, struct cr_file *file)
{
	struct f_owner_ex owner = { 0 };
	off_t position;
	int number;

	if (file->wire.open_flags & O_PATH)
		return 0;
	if (file->ops->has_position) {
		position = lseek(file->fd, 0, SEEK_CUR);
		file->wire.position = position < 0 ? 0 : (uint64_t)position;
	}
	number = fcntl(file->fd, F_GETSIG);
	file->wire.owner_signal = number < 0 ? 0 : (uint32_t)number;
	if (fcntl(file->fd, F_GETOWN_EX, &owner) == 0 && owner.pid) {
		uint32_t vpid = cr_file_vpid(table, owner.pid);

		file->wire.owner = (int32_t)vpid;
		file->wire.owner_type = vpid ? (uint32_t)owner.type : 0;
		/* Threads are made after files. */
		file->owner_is_lost =
			!vpid || (owner.type == F_OWNER_TID &&
				  !table->options.vpid_of(table->options.arg,
							  owner.pid));
	}
	return 0;
}

static int give_id(struct cr_file_table *table, struct cr_file *file,
		   struct cr_error *err)
{
	if (cr_array_grow(&table->files, table->nr_files,
			  sizeof(struct cr_file *)) < 0)
		return cr_error_set(err, -ENOMEM, "out of memory");
	table->files[table->nr_files++] = file;
	file->wire.id = (uint32_t)table->nr_files;
	return 0;
}

/* Where the file is: only asked for one that is new. */
static int look_up(struct cr_file *file, struct cr_error *err)
{
	char name[CR_FILE_NAME_MAX];
	struct statfs fs;

	if (!file->link) {
		snprintf(name, sizeof(name), "/proc/%d/fd/%d", file->pid,
			 file->number);
		file->link = read_link(name, err);
	}
	if (!file->link)
		return err ? err->code : -EIO;
	cr_file_name(file, name);
	if (statfs(name, &fs) == 0)
		file->filesystem = (long)fs.f_type;
	return 0;
}

/* @file is new: find out all about it. */
static int file_add(struct cr_file_table *table, struct cr_file *file,
		    struct cr_error *err)
{
	int rc;

	rc = give_id(table, file, err);
	if (rc == 0)
		rc = look_up(file, err);
	if (rc == 0)
		rc = describe(file, err);
	if (rc < 0)
		return rc;
	file->ops = cr_file_classify(file);
	file->wire.kind = file->ops->kind;
	if (file->fd >= 0)
		rc = describe_opened(table, file);
	if (rc == 0 && file->fd >= 0 && S_ISSOCK(file->stat.st_mode)) {
		rc = cr_file_ask_external(table, file, err);
		if (rc)
			return rc < 0 ? rc : 0;
	}
	if (rc == 0 && file->ops->save)
		rc = file->ops->save(table, file, err);
	return rc;
}

static int root_index(const struct cr_file_table *table, pid_t pid)
{
	size_t i;

	for (i = 0; i < table->options.nr_roots; i++)
		if (table->options.roots[i].pid == pid)
			return (int)i;
	return -1;
}

/* A root's own 0..2 may be what the rank got from outside. */
static void note_stream(const struct cr_file_table *table, struct cr_file *file)
{
	int root = root_index(table, file->pid);

	if (!table->options.guess_streams || root < 0 || file->number > 2 ||
	    table->options.roots[root].stream_holder)
		return;
	file->stream = file->number;
	file->stream_rank = table->options.roots[root].rank;
}

static int not_added(struct cr_file *file, struct cr_error *err)
{
	int rc = cr_error_errno(err, "comparing open files");

	cr_file_free(file);
	return rc;
}

int cr_file_add_descriptor(struct cr_file_table *table, pid_t pid,
			   uint32_t vpid, int number, int fd, uint32_t *idp,
			   struct cr_error *err)
{
	struct cr_file *file, *found;
	int is_new, rc = 0;

	file = file_new(pid, vpid, NULL, err);
	if (!file) {
		close(fd);
		return err ? err->code : -ENOMEM;
	}
	file->fd = fd;
	file->number = number;
	if (fstat(fd, &file->stat) < 0) {
		rc = cr_file_not_seen(file, err);
		cr_file_free(file);
		return rc;
	}
	found = cr_file_find_opened(table, file, &is_new);
	if (!found)
		return not_added(file, err);
	if (is_new) {
		note_stream(table, found);
		rc = file_add(table, found, err);
	} else if (!found->wire.id) {
		rc = give_id(table, found, err);
	}
	*idp = found->wire.id;
	return rc;
}

/* stat(2) of what the link leads to. */
static int look_at(const struct cr_file_table *table, struct cr_file *file,
		   const struct cr_proc_map *map)
{
	char name[CR_FILE_NAME_MAX];
	int rc;

	if (map) {
		rc = cr_mapped_find(table->options.kmod, file->pid, map,
				    &file->mapped);
		if (rc < 0) {
			errno = -rc;
			return -1;
		}
	}
	cr_file_name(file, name);
	return stat(name, &file->stat);
}

/* @map: the mapping that the link is of, or NULL. */
static struct cr_file *new_link(const struct cr_file_table *table, pid_t pid,
				uint32_t vpid, const char *link,
				const struct cr_proc_map *map,
				struct cr_error *err)
{
	struct cr_file *file;
	struct stat how;
	char name[CR_FILE_NAME_MAX];

	snprintf(name, sizeof(name), "/proc/%d/%s", pid, link);
	file = file_new(pid, vpid, name, err);
	if (!file)
		return NULL;
	file->wire.flags = CR_FILE_F_UNOPENED;
	file->name = strdup(link);
	if (!file->name) {
		cr_error_set(err, -ENOMEM, "out of memory");
		goto fail;
	}
	if (look_at(table, file, map) < 0 || lstat(name, &how) < 0) {
		cr_file_not_seen(file, err);
		goto fail;
	}
	/* The link shows the access mode that the mapping was made with. */
	file->is_writable = map && (how.st_mode & S_IWUSR);
	return file;
fail:
	cr_file_free(file);
	return NULL;
}

static int add_link(struct cr_file_table *table, pid_t pid, uint32_t vpid,
		    const char *link, const struct cr_proc_map *map,
		    uint32_t *idp, struct cr_error *err)
{
	struct cr_file *file, *found;
	int is_new, is_writable, rc = 0;

	file = new_link(table, pid, vpid, link, map, err);
	if (!file)
		return err ? err->code : -EIO;
	is_writable = file->is_writable;
	found = cr_file_find_unopened(table, file, &is_new);
	if (!found)
		return not_added(file, err);
	found->is_writable |= is_writable;
	if (is_writable)
		found->wire.flags |= CR_FILE_F_WRITABLE;
	if (is_new)
		rc = file_add(table, found, err);
	*idp = found->wire.id;
	return rc;
}

int cr_file_table_add_link(struct cr_file_table *table, pid_t pid,
			   uint32_t vpid, const char *link, uint32_t *idp,
			   struct cr_error *err)
{
	return add_link(table, pid, vpid, link, NULL, idp, err);
}

int cr_file_table_add_mapped(struct cr_file_table *table, pid_t pid,
			     uint32_t vpid, const struct cr_proc_map *map,
			     uint32_t *idp, struct cr_error *err)
{
	char link[64];

	snprintf(link, sizeof(link), "map_files/%llx-%llx",
		 (unsigned long long)map->start, (unsigned long long)map->end);
	return add_link(table, pid, vpid, link, map, idp, err);
}

/* Descriptor @stream of the holder of @root's streams; a closed one is left
 * out. */
static int add_stream(struct cr_file_table *table, const struct cr_root *root,
		      int pidfd, int stream, struct cr_error *err)
{
	struct cr_file *file, *found;
	int is_new;

	file = file_new(root->stream_holder, 0, NULL, err);
	if (!file)
		return err ? err->code : -ENOMEM;
	file->fd = (int)syscall(SYS_pidfd_getfd, pidfd, stream, 0);
	file->link = strdup("");
	if (file->fd < 0 || !file->link || fstat(file->fd, &file->stat) < 0) {
		int rc = errno == EBADF ?
				 0 :
				 cr_error_errno(err, "stream %d of rank %u",
						stream, root->rank);

		cr_file_free(file);
		return rc;
	}
	file->ops = &cr_file_external_ops;
	file->wire.kind = CR_FILE_EXTERNAL;
	file->wire.rank = root->rank;
	file->wire.peer = (uint32_t)stream;
	found = cr_file_find_opened(table, file, &is_new);
	if (!found)
		return not_added(file, err);
	if (is_new)
		table->streams[table->nr_streams++] = found;
	return is_new ? describe(found, err) : 0;
}

int cr_file_add_streams(struct cr_file_table *table, const struct cr_root *root,
			struct cr_error *err)
{
	int pidfd, stream, rc = 0;

	pidfd = (int)syscall(SYS_pidfd_open, root->stream_holder, 0);
	if (pidfd < 0)
		return cr_error_errno(err, "streams of rank %u: pidfd_open(%d)",
				      root->rank, root->stream_holder);
	for (stream = 0; stream < 3 && rc == 0; stream++)
		rc = add_stream(table, root, pidfd, stream, err);
	close(pidfd);
	return rc;
}
