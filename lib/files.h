/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.h - open file descriptions of a tree: find, save, restore
 *
 * Private to lib/.  One table per checkpoint holds each open file description
 * once, however many tasks and descriptors share it; mapped files, programs
 * and working directories are in it too (CR_FILE_F_UNOPENED).  Each kind of
 * file is one row of a table in files.c, with its code in file_KIND.c: both
 * directions side by side.
 */
#ifndef FILES_H
#define FILES_H

#include <stdint.h>
#include <sys/types.h>

#include "cr_engine.h"
#include "cr_error.h"
#include "image_wire.h"
#include "saved.h"

struct cr_external;
struct cr_image;
struct cr_image_writer;
struct cr_kmod;
struct cr_proc_map;
struct cr_restart_external;
struct cr_root;

/* ---- saving; the tree is frozen ---- */

/* Let this process have as many descriptors as it may: root as many as the
 * kernel allows to anybody.  Returns that number. */
uint64_t cr_files_raise_limit(void);

struct cr_file_table;

struct cr_file_table_options {
	const struct cr_root *roots; /* with stream holders, see there */
	size_t nr_roots;
	int guess_streams;
	int peers_elsewhere, peers_here,
		tcp_close; /* as in cr_checkpoint_options */
	/* vpid of process @pid of the tree, 0 if it is none of the tree */
	uint32_t (*vpid_of)(void *arg, pid_t pid);
	/* a new space; the id is to be used in records; content is written in
	 * cr_file_table_write() */
	uint32_t (*new_space)(void *arg, enum cr_space_kind kind,
			      uint64_t length, uint32_t file);
	void *arg;
	/* as in cr_checkpoint_options; may be NULL */
	int (*external)(void *arg, pid_t pid, int number, int fd,
			struct cr_external *external, struct cr_error *err);
	void *external_arg;
	/* to list descriptors with, as @engine says; NULL: by /proc */
	struct cr_kmod *kmod;
	enum cr_engine engine;
	/* told of everything that cannot be saved (code -EOPNOTSUPP), or not at
	 * the moment (-EAGAIN); saving goes on looking */
	void (*refuse)(void *arg, const struct cr_error *why);
};

int cr_file_table_create(const struct cr_file_table_options *options,
			 struct cr_file_table **tablep, struct cr_error *err);

/* All descriptors of process @pid; *@fdsp is freed with free(3). */
int cr_file_table_add_task(struct cr_file_table *table, pid_t pid,
			   uint32_t vpid, struct cr_wire_fd **fdsp,
			   size_t *nr_fdsp, struct cr_error *err);

/* What the link /proc/PID/@link leads to ("exe", "cwd", "root"); *@idp is its
 * object. */
int cr_file_table_add_link(struct cr_file_table *table, pid_t pid,
			   uint32_t vpid, const char *link, uint32_t *idp,
			   struct cr_error *err);

/* The same of the file that is mapped at @map. */
int cr_file_table_add_mapped(struct cr_file_table *table, pid_t pid,
			     uint32_t vpid, const struct cr_proc_map *map,
			     uint32_t *idp, struct cr_error *err);

/* As cr_file_table_add_link(), where the module has told the @identity of the
 * path; 0: it has not. */
int cr_file_table_add_path(struct cr_file_table *table, pid_t pid,
			   uint32_t vpid, const char *link, uint64_t identity,
			   uint32_t *idp, struct cr_error *err);

/* Locks that process @pid holds, of all kinds; *@locksp is freed with
 * free(3).  After cr_file_table_add_task() of that task. */
int cr_file_table_locks(struct cr_file_table *table, pid_t pid,
			struct cr_wire_lock **locksp, size_t *nr_locksp,
			struct cr_error *err);

/* After the last task: find peers, epoll targets, contents; -EOPNOTSUPP if
 * anything was refused. */
int cr_file_table_finish(struct cr_file_table *table, struct cr_error *err);

/*
 * Read the queues of TCP sockets: what is to be sent of all, then, after
 * @between(@arg) (or NULL), what has been received.  Whatever its caller gives
 * back ends it.  After cr_file_table_finish(), and as late as possible, since
 * the kernel goes on receiving.
 */
int cr_file_table_read_tcp(struct cr_file_table *table,
			   int (*between)(void *arg, struct cr_error *err),
			   void *arg, struct cr_error *err);

/* The tree is about to be ended: its connections shall vanish without a word to
 * the other ends.  With @close_all, when it has ended: give up its sockets. */
void cr_file_table_silence_tcp(struct cr_file_table *table, int close_all);

struct cr_tcp_end;

/* See cr_tcp.h. */
int cr_file_table_ends(const struct cr_file_table *table,
		       struct cr_tcp_end **endsp, size_t *nr_endsp,
		       struct cr_error *err);

/* FILE records, in order of ids. */
int cr_file_table_write(struct cr_file_table *table,
			struct cr_image_writer *writer, struct cr_error *err);

/* Queue the contents of FILE spaces; after all SPACE records are written. */
int cr_file_table_write_contents(struct cr_file_table *table,
				 struct cr_image_writer *writer,
				 struct cr_error *err);

/* Keeps the files of contents open until the image is committed. */
void cr_file_table_destroy(struct cr_file_table *table);

/* ---- loading; -EBADMSG, and -ENOMEM of the first ---- */

/* Are all rings of files of @saved closed? */
int cr_files_check_rings(const struct cr_saved *saved, struct cr_error *err);

/* Is the set, or the list of watches, well formed, and are its files there? */
int cr_epoll_check(const struct cr_saved *saved,
		   const struct cr_saved_file *file, struct cr_error *err);
int cr_inotify_check(const struct cr_saved_file *file, struct cr_error *err);

/* ---- restoring; in each task, at its turn, with root's rights ---- */

/* Where an object is now: in shared memory, one per file object. */
struct cr_file_place {
	uint32_t vpid; /* of the task that has it, 0: nobody yet */
	int32_t fd; /* in that task; stays open until the gate */
};

struct cr_tcp_restart; /* cr_tcp.h */

struct cr_file_restore {
	const struct cr_saved *saved;
	struct cr_image *image;
	struct cr_file_place *places; /* [nr_files], shared by all tasks */
	int fd_floor; /* descriptors from here on are free for temporary use;
		       * whatever is left there is closed at the gate */
	/* Stream of @rank (0..2) in this process, -1: none. */
	int (*stream)(void *arg, uint32_t rank, uint32_t stream);
	/* Master @id, if it was made before the tasks, -1: it was not.  May be
	 * NULL. */
	int (*terminal)(void *arg, uint32_t id);
	/* What takes the place of external socket @id, -1: none; stays the
	 * callee's. */
	int (*external)(void *arg, uint32_t id);
	void *arg;
	const struct cr_tcp_restart *tcp; /* NULL: none */
	/* Whose rights open files by name; cr_files_restore() sets it.  NULL:
	 * the caller's own. */
	const struct cr_saved_task *task;
	struct cr_file_state *state; /* of this process; NULL at first */
};

/*
 * Give this task the descriptors of @task, at their numbers: objects that no
 * earlier task had are made (peers too, above the floor), the others fetched
 * from whoever has them (pidfd_getfd(2)).  Then epoll sets and owners are
 * set.  Locks are taken by cr_files_lock().  On failure some are in place.
 * Returns 0, -ESTALE (a file has shrunk, changed or vanished), or else.
 */
int cr_files_restore(struct cr_file_restore *restore,
		     const struct cr_saved_task *task, struct cr_error *err);

/*
 * A descriptor above the floor for object @id: of the shared object if
 * @shared (only at the task's turn), else opened anew by path with O_RDONLY or,
 * if @writable, O_RDWR, and checked against what was saved.  (For mappings,
 * exe, cwd, root.)  Returns the descriptor or a negative errno.
 */
int cr_files_open(struct cr_file_restore *restore, uint32_t id, int shared,
		  int writable, struct cr_error *err);

/*
 * Take the locks of @task again; after cr_files_restore() of it, and after the
 * last close of a descriptor that led to a file: a task loses its POSIX locks
 * of a file when it closes any descriptor of that file.
 */
int cr_files_lock(struct cr_file_restore *restore,
		  const struct cr_saved_task *task, struct cr_error *err);

/* Object @id is an EXTERNAL_SOCKET: what is known of it, in @saved's memory. */
void cr_files_external(const struct cr_saved *saved, uint32_t id,
		       struct cr_restart_external *external);

/* Free @restore->state; descriptors stay.  For callers that live on. */
void cr_files_forget(struct cr_file_restore *restore);

#endif /* FILES_H */
