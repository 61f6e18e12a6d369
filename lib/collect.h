/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect.h - a tree while it is frozen and saved
 *
 * Private to lib/.  checkpoint.c drives: freeze.c fills the tasks and threads
 * and stops them, collect.c has collect_*.c fill in one kind of state each, all
 * in memory; then the verdict is known, and checkpoint_write.c writes the
 * image.
 *
 * Numbers named pid and tid are as this process sees them, vpid and vtid as
 * the tree does.
 */
#ifndef COLLECT_H
#define COLLECT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cr_checkpoint.h"
#include "cr_image_write.h"
#include "image_wire.h"
#include "mapped.h"
#include "procfs.h"
#include "runs.h"
#include "vma_list.h"

struct cr_file_table;
struct cr_kmod;
struct cr_remote;

/* What a thread waited in, read just before it was interrupted. */
struct cr_waiting {
	long nr; /* of the system call, -1: none, or not known */
	uint64_t elapsed_ns; /* since it went to sleep */
	uint64_t noted_ns; /* CLOCK_MONOTONIC when that was read */
	uint64_t nr_voluntary; /* switches until then */
	int has_elapsed;
};

struct cr_save_thread {
	pid_t tid;
	uint32_t vtid; /* once collected */
	int is_seized; /* ours, perhaps not stopped yet */
	int is_stopped;
	int stop_signal; /* of a group stop, or 0 */
	struct cr_waiting waiting;
	/* all below: until the task is packed */
	struct cr_wire_thread *wire;
	struct cr_packed xstate; /* of wire->xstate_length bytes */
	struct cr_wire_siginfo *pending; /* [wire->nr_pending] */
	uint32_t *groups; /* [wire->nr_groups] */
};

/* What a process has once, while it is collected. */
struct cr_save_state {
	struct cr_wire_task task;
	/* all below: not for zombies */
	struct cr_wire_mm mm;
	char *auxv; /* [mm.auxv_length] */
	struct cr_wire_fd *fds;
	size_t nr_fds;
	struct cr_wire_signals *signals;
	struct cr_wire_siginfo *pending; /* [signals->nr_pending] */
	struct cr_wire_timer *timers;
	size_t nr_timers;
	struct cr_wire_lock *locks;
	size_t nr_locks;
};

/* Two processes have the same if these are equal; all 0: not known. */
struct cr_identities {
	uint64_t memory, descriptors, handlers, fs, namespaces;
	uint64_t exe, cwd, root; /* path and mount */
};

struct cr_save_task {
	pid_t pid;
	pid_t ppid;
	int is_zombie;
	int has_io_workers; /* threads of io_uring, which are not in threads */
	struct cr_save_task *parent; /* NULL: a root or an orphan */
	size_t order; /* in saved order */
	struct cr_wire_link link;
	struct cr_save_thread *threads; /* leader first */
	size_t nr_threads;
	struct cr_remote *remote; /* NULL until it is needed */
	uint32_t terminal; /* device of the controlling one, 0: none */
	uint64_t ignored, caught; /* signals */
	struct cr_identities identities; /* by the module */
	struct cr_save_state *state; /* NULL: packed */
	struct cr_packed records; /* all of it but the mappings */
	/* all below: not for zombies */
	uint32_t space; /* of its private memory */
	struct cr_vma_list vmas;
	/* of mappings that are of a family, those that are not the family's: */
	struct cr_run_list pages; /* anonymous: zeros need not be kept */
	struct cr_run_list exact; /* to be kept whatever they hold */
	struct cr_memory_source source;
};

/* Pages of a family, and the process to read them from. */
struct cr_owner {
	struct cr_wire_run run;
	pid_t pid;
};

/* A space and where its content comes from. */
struct cr_save_space {
	struct cr_wire_space wire;
	uint64_t device, inode; /* SHMEM, SYSV */
	struct cr_mapped mapped; /* of an object, while the tree is frozen */
	void *content; /* shared mapping of ours that has it; or NULL */
	struct cr_memory_source source;
	struct cr_runs runs;
	struct cr_owner *owners; /* FAMILY: sorted, [nr_owners] */
	size_t nr_owners;
};

/* A file that is mapped privately, as /proc/PID/smaps names it. */
struct cr_known_file {
	uint32_t major, minor;
	uint64_t inode;
	char *path;
	uint32_t id; /* its object */
};

enum cr_checkpoint_stage {
	CR_CHECKPOINT_OPEN,
	CR_CHECKPOINT_FROZEN,
	CR_CHECKPOINT_COLLECTED, /* there is a verdict */
	CR_CHECKPOINT_READ, /* TCP queues too: memory is what is left */
	CR_CHECKPOINT_SAVED,
	CR_CHECKPOINT_COMMITTED,
};

struct cr_checkpoint {
	struct cr_checkpoint_options options;
	enum cr_checkpoint_stage stage;
	int is_frozen;
	struct cr_save_task **tasks; /* in saved order once frozen */
	size_t nr_tasks;
	struct cr_save_space **spaces; /* id i at i - 1 */
	size_t nr_spaces;
	struct cr_wire_head head;
	pid_t vdso_of; /* whose vdso head describes; 0: none has one */
	struct cr_file_table *files;
	uint64_t plain_root; /* identity of a root directory that is one */
	struct cr_known_file *known_files;
	size_t nr_known_files;
	struct cr_error *refusals;
	size_t nr_refusals;
	struct cr_kmod *kmod; /* to ask it about tasks; NULL: ask themselves */
	int calls_are_filtered; /* ours in some thread would be, too */
	struct cr_image_writer *writer;
	struct cr_checkpoint_stats stats;
	uint64_t frozen_at_ns;
	int64_t clock_shift_ns; /* of the tree's CLOCK_MONOTONIC to ours */
};

uint64_t cr_save_now_ns(void); /* CLOCK_MONOTONIC */

/* Note that something cannot be saved. */
void cr_refuse(struct cr_checkpoint *checkpoint, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same; code -EAGAIN: it may be gone soon. */
void cr_refuse_error(struct cr_checkpoint *checkpoint,
		     const struct cr_error *why);

/* ---- waiting.c ---- */

#define CR_CLOCKS_MAX 1024 /* CPUs */

/* What to add to CLOCK_MONOTONIC for the scheduler's clock of a CPU. */
struct cr_clocks {
	int64_t offset_ns[CR_CLOCKS_MAX];
	uint8_t is_known[CR_CLOCKS_MAX];
};

/* Fill thread->waiting; before the thread is interrupted. */
void cr_waiting_note(struct cr_clocks *clocks, struct cr_save_thread *thread);
/* When it has stopped.  That makes it sleep once more; had it run in between,
 * then it is in another call than the one that was timed. */
void cr_waiting_check(struct cr_save_thread *thread);
/* What was noted is not the call that it is in: it has been rescued from one of
 * ours, for one. */
void cr_waiting_forget(struct cr_save_thread *thread);
/* Is it a parent that waits for its vfork(2) child? */
int cr_waiting_in_vfork(const struct cr_save_thread *thread);

/* ---- freeze_watch.c ---- */

struct cr_freeze_watch;

/* A thread of @task, which has several, is about to be seized, and has been (or
 * not).  *@watchp is made if it is NULL.  Returns 0, -ENOMEM, -EAGAIN. */
int cr_freeze_watch_begin(struct cr_freeze_watch **watchp,
			  const struct cr_save_task *task,
			  struct cr_error *err);
void cr_freeze_watch_end(struct cr_freeze_watch *watch);
void cr_freeze_watch_stop(struct cr_freeze_watch *watch);

/* ---- freeze_late.c ---- */

/* What threads have done since they were to stop; zero at first. */
struct cr_late {
	uint64_t sampled_at_ns, ran_ns;
	uint64_t worked_at_ns; /* 0: never */
};

/* Look at those that have not stopped yet, if it was not done just now. */
void cr_late_note(const struct cr_checkpoint *checkpoint, struct cr_late *late);
/* Do they still get on with something? */
int cr_late_works(const struct cr_late *late);
/* -ETIMEDOUT, with the name of one and where it is. */
int cr_late_explain(const struct cr_checkpoint *checkpoint,
		    struct cr_error *err);

/* ---- freeze_vdso.c ---- */

/*
 * Let stopped threads that are in code of the vdso, which is another one after
 * a restart, run until they are out of it; *@nr_movedp counts them.  They may
 * have made new threads and processes meanwhile, and one that does not stop
 * soon is no longer noted as stopped.  -EAGAIN: one does not come out.
 */
int cr_leave_vdso(struct cr_save_task *task, size_t *nr_movedp,
		  struct cr_error *err);

/* ---- freeze.c, discover.c ---- */

/* Stop all; fills tasks and threads. */
int cr_freeze(struct cr_checkpoint *checkpoint, struct cr_error *err);
/* Find tasks and threads that are not known yet; *@nr_newp counts them. */
int cr_discover(struct cr_checkpoint *checkpoint, size_t *nr_newp,
		struct cr_error *err);
void cr_forget_tasks(struct cr_checkpoint *checkpoint);
struct cr_save_task *cr_find_task(const struct cr_checkpoint *checkpoint,
				  pid_t pid);
struct cr_save_task *cr_find_vpid(const struct cr_checkpoint *checkpoint,
				  uint32_t vpid);
uint32_t cr_vtid_of(const struct cr_checkpoint *checkpoint, pid_t tid);

/* ---- freeze_end.c ---- */

/* Let everything that is stopped go on, changed registers first. */
int cr_thaw(struct cr_checkpoint *checkpoint, struct cr_error *err);
/* Kill all; 0 when they are gone. */
int cr_end(struct cr_checkpoint *checkpoint, struct cr_error *err);

/* ---- collect.c ---- */

/* All that the verdict depends on; what cannot be saved is noted with
 * cr_refuse(). */
int cr_collect_all(struct cr_checkpoint *checkpoint, struct cr_error *err);

/* ---- collect_*.c, in the order in which they run ---- */

/* Links in saved order. */
int cr_collect_tree(struct cr_checkpoint *checkpoint, struct cr_error *err);
/* Refuses shared and foreign things of tasks; fails if that cannot be told. */
int cr_check_shared(struct cr_checkpoint *checkpoint, struct cr_error *err);
/* Which stops parents have not heard of; after the last task. */
int cr_collect_stops(struct cr_checkpoint *checkpoint, struct cr_error *err);
/* SysV objects that belong to no task; after the last task. */
int cr_collect_ipc(struct cr_checkpoint *checkpoint, struct cr_error *err);
/* Registers, extended state and signal mask. */
int cr_collect_regs(struct cr_checkpoint *checkpoint,
		    struct cr_save_thread *thread, struct cr_error *err);
/* These and all else of a thread that needs no remote calls. */
int cr_collect_thread(struct cr_checkpoint *checkpoint,
		      struct cr_save_task *task, struct cr_save_thread *thread,
		      struct cr_error *err);
/* The rest.  May open task->remote. */
int cr_collect_process(struct cr_checkpoint *checkpoint,
		       struct cr_save_task *task, struct cr_error *err);
/* What of that /proc does not show, of all threads, by the module or by
 * remote calls. */
int cr_ask(struct cr_checkpoint *checkpoint, struct cr_save_task *task,
	   struct cr_error *err);
/* Open task->remote, if it is not open. */
int cr_need_remote(struct cr_save_task *task, struct cr_error *err);
int cr_collect_pending(pid_t tid, int shared, struct cr_wire_siginfo **pendingp,
		       uint32_t *nr_pendingp, struct cr_error *err);
int cr_collect_timers(struct cr_checkpoint *checkpoint,
		      struct cr_save_task *task, struct cr_error *err);
int cr_collect_vmas(struct cr_checkpoint *checkpoint, struct cr_save_task *task,
		    struct cr_error *err);
/* The space of a shared mapping, made at its first use. */
int cr_collect_shared(struct cr_checkpoint *checkpoint,
		      struct cr_save_task *task, const struct cr_proc_map *map,
		      enum cr_space_kind kind, uint32_t *idp,
		      struct cr_error *err);
/* Of an object that no task has mapped: its wire.length bytes are at @content,
 * in a shared mapping of ours, which is unmapped with the space. */
int cr_space_set_content(struct cr_checkpoint *checkpoint,
			 struct cr_save_space *space, void *content,
			 struct cr_error *err);
/* Pages of the task to be saved in its own space, sorted; @exact are those of
 * them that are kept even if they are zero.  After cr_collect_families(). */
int cr_collect_pages(const struct cr_save_task *task, struct cr_runs *pages,
		     struct cr_runs *exact, struct cr_error *err);
/* Cut mappings of relatives at each other's ends, so that what they share lies
 * in mappings of one size. */
int cr_split_vmas(struct cr_checkpoint *checkpoint, struct cr_error *err);
int cr_collect_families(struct cr_checkpoint *checkpoint, struct cr_error *err);
/* What CLOCK_MONOTONIC of process @pid shows more than ours, ns. */
int64_t cr_collect_clock_shift(pid_t pid);
int cr_collect_head(struct cr_checkpoint *checkpoint, struct cr_error *err);

/* Returns the new id, 0 without memory. */
uint32_t cr_new_space(struct cr_checkpoint *checkpoint, enum cr_space_kind kind,
		      uint64_t length, uint32_t file);

/* Pages of [@start, @end) of process @pid that are its own: not of a file,
 * not the zero page.  Uses /proc/PID/pagemap @fd. */
int cr_scan_pages(int fd, uint64_t start, uint64_t end, int is_file,
		  struct cr_runs *runs);

/* ---- save_task.c ---- */

/* Make records of all that has been collected of the task but its mappings, and
 * forget it.  What is needed to let its threads go stays. */
int cr_pack_task(struct cr_save_task *task, struct cr_error *err);
/* Write the records of a packed task, mappings included. */
int cr_put_task(struct cr_image_writer *writer, const struct cr_save_task *task,
		struct cr_error *err);
void cr_free_state(struct cr_save_task *task);

/* ---- checkpoint_write.c ---- */

int cr_checkpoint_write(struct cr_checkpoint *checkpoint, struct cr_error *err);

#endif /* COLLECT_H */
