/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file.h - what the kinds of files and the table of files share
 *
 * Private to files*.c and file_*.c; everybody else includes files.h.  A kind
 * is one struct cr_file_ops, in file_KIND.c: how it is saved and how it is made
 * again.  struct cr_file is one open file description (or unopened path)
 * while it is being saved; while restoring there is struct cr_saved_file.
 */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "cr_error.h"
#include "cr_image.h"
#include "cr_image_write.h"
#include "files.h"
#include "mapped.h"
#include "image_wire.h"
#include "saved.h"

/* Not in an image: something that is always refused. */
#define CR_FILE_OTHER 0u

struct cr_file_content; /* file_content.c */
struct cr_tcp_list; /* file_tcp.h */
struct cr_unix_list; /* file_unix_diag.c */

struct cr_file {
	struct cr_wire_file wire;
	const struct cr_file_ops *ops;
	char *path; /* NUL-terminated, for wire.path_length; or NULL */
	void *data; /* for wire.data_length; or NULL */
	char *link; /* as /proc shows it, " (deleted)" included */
	int fd; /* our duplicate of the description; -1: unopened */
	int is_writable; /* somebody can write to it through this object */
	struct stat stat;
	long filesystem; /* f_type of statfs(2) */
	pid_t pid; /* where it was met first, ... */
	uint32_t vpid;
	int number; /* ... and under which descriptor; -1: unopened */
	char *name; /* of the link, "exe"; for unopened ones */
	struct cr_mapped mapped; /* for map_files */
	int stream; /* 0..2: a root has it there and may be guessed; -1 */
	uint32_t stream_rank;
	struct cr_file *next_of_inode; /* ring, of files with the same inode */
	struct cr_file_content *content;
	int has_locks; /* flock and OFD locks have been listed */
	int has_lease; /* and it is refused: to open it would break that */
	int owner_is_lost; /* F_GETOWN_EX names none that can be saved */
};

/* Descriptors of one task, kept for epoll(7) targets. */
struct cr_file_task {
	pid_t pid;
	uint32_t vpid;
	struct cr_wire_fd *fds; /* sorted */
	size_t nr_fds;
};

struct cr_file_table {
	struct cr_file_table_options options;
	void *opened; /* tsearch(3) tree by description */
	void *unopened; /* tsearch(3) tree by inode and path */
	void *known; /* tsearch(3) tree of ids by identity */
	struct cr_file **files; /* [nr_files], id i at i - 1 */
	size_t nr_files;
	struct cr_file **streams; /* [nr_streams] of holders; may have no id */
	size_t nr_streams;
	struct cr_file_task *tasks;
	size_t nr_tasks;
	struct cr_tcp_list *tcp; /* of the node; NULL: not asked for yet */
	struct cr_unix_list *unix_list; /* the same */
	struct cr_error refused; /* the first; code 0: nothing so far */
};

/*
 * One kind.  All functions return 0 or a negative errno with @err filled, and
 * any may be NULL.
 */
struct cr_file_ops {
	uint32_t kind; /* enum cr_file_kind */
	const char *name; /* in messages: "pipe" */
	/* The position is saved and set. */
	int has_position;
	/* Files with one inode are a ring through wire.peer. */
	int has_ring;
	/* Flags of F_SETFL that are set when it is made. */
	int flags;

	/* Fill @file from its descriptor; the tree is not complete yet. */
	int (*save)(struct cr_file_table *table, struct cr_file *file,
		    struct cr_error *err);
	/* The same, with all files known. */
	int (*finish)(struct cr_file_table *table, struct cr_file *file,
		      struct cr_error *err);

	/* Make object @id, and cr_file_park() it and any made along. */
	int (*make)(struct cr_file_restore *restore, uint32_t id,
		    struct cr_error *err);
	/* After all descriptors of the task that made it are in place; @fd
	 * is object @id. */
	int (*connect)(struct cr_file_restore *restore, uint32_t id, int fd,
		       struct cr_error *err);
};

extern const struct cr_file_ops cr_file_device_ops, cr_file_directory_ops,
	cr_file_epoll_ops, cr_file_eventfd_ops, cr_file_external_ops,
	cr_file_external_socket_ops, cr_file_fifo_ops, cr_file_inotify_ops,
	cr_file_memfd_ops, cr_file_other_ops, cr_file_pidfd_ops,
	cr_file_pipe_ops, cr_file_proc_ops, cr_file_pty_master_ops,
	cr_file_pty_slave_ops, cr_file_regular_ops, cr_file_signalfd_ops,
	cr_file_tcp_ops, cr_file_timerfd_ops, cr_file_unix_ops;

/* Kind of a file that is being saved; and by its number, NULL if unknown. */
const struct cr_file_ops *cr_file_classify(const struct cr_file *file);
const struct cr_file_ops *cr_file_ops_find(uint32_t kind);

/* ---- saving: files_add.c, files_same.c, files_inspect.c, files_name.c ---- */

/* Streams 0..2 of the holder of @root: EXTERNAL once a task has them too. */
int cr_file_add_streams(struct cr_file_table *table, const struct cr_root *root,
			struct cr_error *err);

/* Descriptor @fd of ours is @number of process @pid; it is consumed.  *@idp is
 * its object. */
int cr_file_add_descriptor(struct cr_file_table *table, pid_t pid,
			   uint32_t vpid, int number, int fd, uint32_t *idp,
			   struct cr_error *err);

/* files_same.c: the file of @table that @file is, by its descriptor or by its
 * path; frees @file if there was one, else @file itself with *@is_newp. Returns
 * NULL and errno without memory, or if kcmp(2) fails: then the table is only
 * good to be destroyed. */
struct cr_file *cr_file_find_opened(struct cr_file_table *table,
				    struct cr_file *file, int *is_newp);
struct cr_file *cr_file_find_unopened(struct cr_file_table *table,
				      struct cr_file *file, int *is_newp);

/* The id of what the module has given @identity; 0: not met yet, or @identity
 * is 0.  And note it; without memory it is met anew. */
uint32_t cr_file_known(const struct cr_file_table *table, uint64_t identity);
void cr_file_note_known(struct cr_file_table *table, uint64_t identity,
			uint32_t id);

/* -EOPNOTSUPP if descriptions cannot be compared on this kernel. */
int cr_file_check_kcmp(struct cr_error *err);

void cr_file_free_trees(struct cr_file_table *table);
void cr_file_free(struct cr_file *file);

/* Say that @file cannot be saved: "vpid 7 fd 3: " and the words.  Returns 0, or
 * what is to be returned. */
int cr_file_refuse(struct cr_file_table *table, const struct cr_file *file,
		   const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same of what is in the way for the moment and may be gone soon. */
int cr_file_refuse_for_now(struct cr_file_table *table,
			   const struct cr_file *file, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* @data of @length becomes the file's own structure; it is copied. */
int cr_file_set_data(struct cr_file *file, const void *data, size_t length,
		     struct cr_error *err);

/* Take the name from the link, without " (deleted)". */
int cr_file_set_path(struct cr_file *file, struct cr_error *err);

/* 1 if, in the tree's mount namespace, the file's path leads to its inode. */
int cr_file_path_is_good(const struct cr_file *file);

/*
 * The path of @file leads elsewhere: is there another hard link in the same
 * folder?  sem_open(3), for one, opens a file by a passing name and links it
 * to its own.  Then it becomes the path, and 1 is returned, else 0 or -ENOMEM.
 */
int cr_file_find_link(struct cr_file *file, struct cr_error *err);

/* Text of /proc/@pid/fdinfo/@fd (@pid 0: own); freed with free(3). */
char *cr_file_fdinfo(pid_t pid, int fd, struct cr_error *err);

/* The number after "@key" at the start of a line of @text; base as of
 * strtoull(3).  Returns 0 or -ENOENT. */
int cr_fdinfo_number(const char *text, const char *key, int base,
		     uint64_t *valuep);

/* Open the inode of our descriptor @fd anew with @flags: another description,
 * with a position of its own.  Returns a descriptor or a negative errno. */
int cr_file_reopen(int fd, int flags);

/* A name by which what is saved as @file can be opened anew. */
#define CR_FILE_NAME_MAX 128
void cr_file_name(const struct cr_file *file, char name[CR_FILE_NAME_MAX]);

/* stat(2) of it has failed with errno: say what it is, and whether root may not
 * look into its file system.  Returns a negative errno. */
int cr_file_not_seen(const struct cr_file *file, struct cr_error *err);

/* files_open.c: the same with what process @file->pid may do, not root. -EACCES
 * if it may not and the file is not its user's own either. */
int cr_file_open_as_task(const struct cr_file *file, int flags);

/* The vpid of process or thread @id of the tree, as we see it; 0: none. */
uint32_t cr_file_vpid(const struct cr_file_table *table, pid_t id);

/*
 * The other side of @file is not in the tree: is it a standard stream of a
 * rank, or another description of one?  Then it becomes EXTERNAL and 1 is
 * returned, else 0.
 */
int cr_file_try_external(struct cr_file_table *table, struct cr_file *file);

/*
 * @file is a socket that the caller of the checkpoint takes for external:
 * then it becomes an EXTERNAL_SOCKET, with all that is saved of it.  Returns 1
 * if so, 0 if not, or a negative errno.
 */
int cr_file_ask_external(struct cr_file_table *table, struct cr_file *file,
			 struct cr_error *err);

/* ---- contents of FILE spaces: file_content.c, file_content_make.c ---- */

/* Save the content of @file with the image, once for all of its inode. */
int cr_file_content_add(struct cr_file_table *table, struct cr_file *file,
			struct cr_error *err);
int cr_file_content_write(struct cr_file *file, struct cr_image_writer *writer,
			  struct cr_error *err);
void cr_file_content_free(struct cr_file_content *content);

/* The inode of @saved with its content, made anew or found as it was.  Returns
 * a descriptor to read and write, the caller's, or a negative errno. */
int cr_file_content_create(struct cr_file_restore *restore,
			   const struct cr_saved_file *saved,
			   struct cr_error *err);

/* A nameless copy for one task's private mapping. */
int cr_file_content_create_private(struct cr_file_restore *restore,
				   const struct cr_saved_file *saved,
				   struct cr_error *err);

/* Give @fd, an empty file that can be read and written, the size and content
 * that were saved. */
int cr_file_content_fill(struct cr_file_restore *restore,
			 const struct cr_saved_file *saved, int fd,
			 struct cr_error *err);

/* ---- restoring: files_restore.c, files_open.c ---- */

/* Object @id; it exists since the image has been checked. */
static inline const struct cr_saved_file *
cr_file_saved(const struct cr_file_restore *restore, uint32_t id)
{
	return &restore->saved->files[id - 1];
}

/*
 * @fd, just made in this task, is object @id from now on.  It is moved above
 * the floor and gets its position, flags and owner.  @fd is consumed, also on
 * failure.
 */
int cr_file_park(struct cr_file_restore *restore, uint32_t id, int fd,
		 struct cr_error *err);

/* A descriptor of this task for object @id, which is made if nobody has it; it
 * stays ours.  Returns the descriptor or a negative errno. */
int cr_file_get(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err);

/* Move @fd to a number above the floor, close-on-exec; @fd is closed.
 * Returns the new one or a negative errno. */
int cr_file_raise(const struct cr_file_restore *restore, int fd);

/* Next object of the ring of @id; @id itself if it is alone. */
uint32_t cr_file_ring_next(const struct cr_file_restore *restore, uint32_t id);

/* An object of the ring of @id that exists already, or 0. */
uint32_t cr_file_ring_made(const struct cr_file_restore *restore, uint32_t id);

/* Object @id as another description of the inode of @fd, with the saved access
 * mode. */
int cr_file_park_reopened(struct cr_file_restore *restore, uint32_t id, int fd,
			  struct cr_error *err);

struct cr_file_rights {
	int is_changed;
	int nr_groups;
	gid_t groups[64]; /* root's own; more are dropped, not needed */
	uint32_t effective[2]; /* its capabilities */
};

/* File system rights of the saved task instead of root's, for a moment.
 * Taking returns 0 or a negative errno; giving back keeps errno. */
int cr_file_take_rights(const struct cr_file_restore *restore,
			struct cr_file_rights *rights);
void cr_file_give_back_rights(const struct cr_file_rights *rights);

/* open(2) with the file system rights of the saved task, not root's.
 * Returns a descriptor or a negative errno. */
int cr_file_open_as_user(const struct cr_file_restore *restore,
			 const char *path, int flags, mode_t mode);

/* Open a file of a restarting process in /proc: as root, whose it is still, but
 * with no capability that would have it show more, and by no link that leads
 * out of /proc. */
int cr_file_open_proc(const char *path, int flags);

/* Open again what descriptor @place, maybe of O_PATH, leads to: with the task's
 * rights, or those of its owner, if the task is of that user. */
int cr_file_reopen_as_user(const struct cr_file_restore *restore, int place,
			   int flags);

/*
 * Make the folders of @path that are missing, as the task: a memory file
 * system of another node lacks them.  They become the task's and nobody
 * else's, since what they were is not known.  Whoever opens @path then will
 * hear of any failure.
 */
void cr_file_make_folders(const struct cr_file_restore *restore,
			  const char *path);

/*
 * Open the path of @saved as the task, with @flags of open(2), and see that
 * it is of the same type.  Returns a descriptor, or -ESTALE or another error.
 */
int cr_file_open_path(const struct cr_file_restore *restore,
		      const struct cr_saved_file *saved, int flags,
		      struct cr_error *err);

/* -ESTALE if the file @fd is shorter than when it was saved. */
int cr_file_check_size(const struct cr_saved_file *saved, int fd,
		       struct cr_error *err);

/* -ESTALE if the program or library @fd is another build than the one that was
 * mapped: its pages would not fit what is saved. */
int cr_file_check_build(const struct cr_saved_file *saved, int fd,
			struct cr_error *err);

/* Flags for open(2): access mode and what cannot be set afterwards. */
int cr_file_open_flags(const struct cr_saved_file *saved);

#endif /* FILE_H */
