/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * cr_ioctl.h - what user space may ask of /dev/cr
 *
 * With cr_wire.h, which is of images, all that module and user space share;
 * docs/kernel.md has the reasons.  An open /dev/cr is the context of one
 * restart; other calls need none.  Descriptors that fork(2), dup(2) or
 * SCM_RIGHTS hand on are the same context.
 *
 * All calls: -EFAULT bad pointer, -EINVAL a reserved field or unknown flag is
 * not 0, -ENOTTY no such call (or a module that is older than this header).
 */
#ifndef CR_IOCTL_H
#define CR_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CR_IOC_MAGIC 0xc5

/* ---- a restart: docs/restart-protocol.md ---- */

/* At most so many tasks and ghosts together, else -E2BIG. */
#define CR_RESTART_TASKS_MAX 65536

/*
 * Begin the restart of an image: the caller becomes its coordinator.  Head and
 * tree are read from @image_fd, which must be at the start of the image.
 *
 * @pid 0: coordinate from outside of the tree.  @pid the caller's own: the
 * caller is the first task of the image, too, and joins as well; the gate then
 * opens by itself when all are there.
 *
 * -EPERM	@pid is another's
 * -EBUSY	this context has been used
 * -EBADF	@image_fd is no open file that can be read
 * -EBADMSG, -ENODATA, -EPROTONOSUPPORT	no image, cut short, of a newer format
 * -E2BIG, -ENOMEM
 */
struct cr_ioc_restart {
	__s32 pid;
	__s32 image_fd;
	__u32 flags; /* 0 */
	__u32 timeout_ms; /* for all, until the gate opens; 1 to 86400000 */
	__u64 ghosts; /* pointer to __u32[nr_ghosts]: numbers of ghosts */
	__u32 nr_ghosts;
	__u32 nr_tasks; /* out: of the image */
};

/*
 * A task (or ghost) joins and waits until all have.
 *
 * @pid 0: the restart of this open file; else that whose first task has the
 * number @pid in the caller's PID namespace and has begun it: then this open
 * file becomes the same context.
 *
 * What follows is returned by all the waiting calls:
 * -EAGAIN	that task has begun none (yet)
 * -EPERM	it is another user's
 * -ESRCH	the caller is no task of the tree: ends the restart
 * -EBUSY	one with that number has joined: ends the restart
 * -EPROTO	the caller has not joined, or does not take this step now
 * -EINTR	the caller is being killed
 * else		the first error of anybody: the restart has failed
 */
struct cr_ioc_join {
	__s32 pid;
	__u32 flags; /* 0 */
};

/* Wait for the caller's turn; -EPROTO for ghosts. */
#define CR_IOC_TURN _IO(CR_IOC_MAGIC, 2)
/* What is shared is restored: the turn is the next one's. */
#define CR_IOC_RESTORED _IO(CR_IOC_MAGIC, 3)
/* Wait until the shared state of all is there, and the dead may die. */
#define CR_IOC_SETTLE _IO(CR_IOC_MAGIC, 4)
/* Wait at the gate; 0: it is open. */
#define CR_IOC_GATE _IO(CR_IOC_MAGIC, 5)
/*
 * The same without waiting, for tasks that somebody else keeps still and lets
 * go.  The caller may close its descriptor from then on.
 */
#define CR_IOC_ARRIVE _IO(CR_IOC_MAGIC, 9)
/* By the coordinator: open the gate.  -EPROTO before state CR_IOC_RELEASE. */
#define CR_IOC_RELEASE _IO(CR_IOC_MAGIC, 6)

/*
 * Somebody cannot go on: end the restart for all with @code, a negative errno
 * not below -4095.
 */
struct cr_ioc_fail {
	__s32 code;
	__u32 flags; /* 0 */
};

/*
 * By the coordinator: wait until all are at the gate or all is over.  Returns
 * 0 in both cases.  poll(2) says POLLIN when it would not wait.
 */
struct cr_ioc_wait {
	__u32 flags; /* 0, or CR_WAIT_F_NOT */
	__u32 state; /* out: enum cr_restart_state of restart_fsm.h */
	__s32 code; /* out: first error, 0: none */
	__u32 vpid; /* out: whose; 0: of no task */
};

#define CR_WAIT_F_NOT 1u /* do not wait, only tell */

#define CR_IOC_RESTART _IOWR(CR_IOC_MAGIC, 0, struct cr_ioc_restart)
#define CR_IOC_JOIN _IOW(CR_IOC_MAGIC, 1, struct cr_ioc_join)
#define CR_IOC_FAIL _IOW(CR_IOC_MAGIC, 7, struct cr_ioc_fail)
#define CR_IOC_WAIT _IOWR(CR_IOC_MAGIC, 8, struct cr_ioc_wait)

/* ---- memory ---- */

/*
 * Pages of a process that are to become one chunk: struct cr_wire_chunk of
 * cr_wire.h, and all that belongs to it.  The process must not run meanwhile.
 * @mem_fd is an open /proc/PID/mem: who could open it may read the memory.
 * All-zero pages are left out but for those whose bit of @keep is set.
 */
struct cr_ioc_chunk {
	__s32 mem_fd;
	__u32 space; /* for the chunk's header */
	__u64 runs; /* pointer to struct cr_wire_run[nr_runs], in order */
	__u64 keep; /* pointer to a bit for each page, 64 a word; 0: all set */
	__u32 nr_runs; /* 1 to CR_WIRE_CHUNK_PAGES, as many pages in all */
	__u32 nr_pages; /* out: in the chunk; 0: there is none */
	__u64 offset; /* out: of the chunk's record in the file */
};

#define CR_CHECKPOINT_CHUNKS_MAX 65536 /* in one call */

/*
 * Write memory of a frozen tree as chunks of an image.
 *
 * They go where @image_fd stands, as with write(2), and it stands behind the
 * last one then.  Several threads may do this at once, with a file in common:
 * each chunk finds its place when its length is known.  Chunks are done in
 * their order; what is said of those that are done stays true if one fails.
 *
 * Returns 0 with @nr_done and @code; if @code is not 0, it is why chunk
 * @nr_done is not there, and the file is as if it had not been asked for:
 * -EBADF	its mem_fd is not open for reading
 * -EPERM	it is no /proc/PID/mem
 * -ESRCH	the process has no memory any more
 * -EFAULT	there is no page at an address, too
 * -EINVAL	runs that are unaligned, empty, not in their order, too many or
 *		too long, not of user space, too
 * -ENOMEM
 * Or an error, after which the file is no image any more, if anything had been
 * written:
 * -EBADF	@image_fd is not open for writing
 * -EINVAL	it is no regular file, is open with O_APPEND, stands at no
 *		multiple of CR_WIRE_ALIGN; @nr_chunks is 0 or too many, too
 * -EINTR	the caller is being killed
 * else		as pwrite(2)
 */
struct cr_ioc_checkpoint {
	__s32 image_fd;
	__u32 flags; /* 0 */
	__u64 chunks; /* pointer to struct cr_ioc_chunk[nr_chunks] */
	__u32 nr_chunks; /* 1 to CR_CHECKPOINT_CHUNKS_MAX */
	__u32 nr_done; /* out; after an error of writing, too */
	__s32 code; /* out: 0, or a negative errno of chunk nr_done */
	__u32 reserved; /* 0 */
};

/*
 * Read pages of a process from @image_fd at @offset, one run behind the other;
 * at most CR_WIRE_CHUNK_PAGES runs and pages.  @mem_fd is an open
 * /proc/PID/mem, for writing.
 *
 * Errors as of a chunk; -EBADF @image_fd is not open for reading, too; -ENODATA
 * the file is too short; else as pread(2).  What was read until then stays.
 */
struct cr_ioc_fill {
	__s32 mem_fd;
	__s32 image_fd;
	__u64 offset; /* bytes */
	__u64 runs; /* pointer to struct cr_wire_run[nr_runs] */
	__u32 nr_runs;
	__u32 flags; /* 0 */
	__u32 crc; /* out: CRC32C of what was read */
	__u32 reserved; /* 0 */
};

#define CR_IOC_CHECKPOINT _IOWR(CR_IOC_MAGIC, 16, struct cr_ioc_checkpoint)
#define CR_IOC_FILL _IOWR(CR_IOC_MAGIC, 18, struct cr_ioc_fill)

/* ---- state of threads and processes ---- */

struct cr_ioc_action { /* as of rt_sigaction(2) */
	__u64 handler;
	__u64 flags;
	__u64 restorer;
	__u64 mask;
};

struct cr_ioc_itimer {
	__u64 interval_us;
	__u64 value_us; /* what remains; 0: it is not set */
};

#define CR_ASK_F_ITIMER 1u /* a timer of CPU time is set: ask getitimer(2) */

/*
 * What a thread and its process could otherwise only be asked for by calls of
 * their own.  @mem_fd is an open /proc/PID/mem of the process, @tid a thread's
 * number in the caller's PID namespace; it should stand still.
 *
 * -EBADF	@mem_fd is not open for reading
 * -EPERM	it is no /proc/PID/mem
 * -ESRCH	there is no such thread, it has ended, or has other memory
 * -ENOMEM
 */
struct cr_ioc_ask {
	__s32 mem_fd;
	__s32 tid;
	__u32 flags; /* 0 */
	__u32 reserved; /* 0 */
	/* all below: out; of the thread */
	__u64 altstack_sp;
	__u64 altstack_size; /* bytes */
	__u32 altstack_flags; /* SS_DISABLE, SS_AUTODISARM */
	__u32 securebits;
	__u64 clear_child_tid; /* address; 0: none */
	__u64 timer_slack_ns;
	__u32 pdeath_signal; /* 0: none */
	__u32 personality;
	/* of the process */
	__u32 unknown; /* CR_ASK_F_*: what cannot be told */
	__u32 child_subreaper; /* 0 or 1 */
	__u32 dumpable; /* as PR_GET_DUMPABLE */
	__u32 thp_disabled; /* 0 or 1 */
	__u64 brk; /* address of its end */
	__u32 locked; /* MCL_FUTURE, MCL_ONFAULT of mlockall(2) */
	__u32 reserved2;
	struct cr_ioc_itimer itimer[3]; /* ITIMER_REAL, _VIRTUAL, _PROF */
	struct cr_ioc_action action[64]; /* of signal i + 1 */
};

#define CR_IOC_ASK _IOWR(CR_IOC_MAGIC, 24, struct cr_ioc_ask)

/*
 * What /proc tells of a thread and its process as text, in many files.  As
 * ASK: @mem_fd, @tid, errors; numbers of users and processes are as the caller
 * sees them, those named v* as the process does.
 *
 * An identity tells whether two processes have the same thing, and nothing
 * else: equal if they have.  0: none.  They are of use until the module is
 * unloaded.
 */
#define CR_LOOK_GROUPS_MAX 32
#define CR_LOOK_AUXV_MAX 64

struct cr_ioc_limit {
	__u64 soft; /* ~0: none */
	__u64 hard;
};

struct cr_ioc_look {
	__s32 mem_fd;
	__s32 tid;
	__u32 flags; /* 0 */
	__u32 reserved; /* 0 */
	/* all below: out; of the thread */
	__s32 tgid;
	__s32 ppid; /* of the process that made it, or adopted it */
	__u32 vpid, vpgid, vsid;
	__u32 uid[4], gid[4]; /* real, effective, saved, file system */
	__u32 nr_groups; /* may be more than are told */
	__u32 groups[CR_LOOK_GROUPS_MAX];
	__u32 no_new_privs;
	__u32 seccomp; /* 0 none, 1 strict, 2 filter */
	__u32 umask;
	__u32 reserved2;
	__u64 pending, shared_pending, blocked, ignored, caught; /* signals */
	__u64 cap_inheritable, cap_permitted, cap_effective, cap_bounding,
		cap_ambient;
	char comm[16];
	/* of the process */
	__u32 exit_signal;
	__u32 terminal; /* device of the controlling one; 0: none */
	__s32 oom_score_adj;
	__u32 auxv_length; /* bytes */
	__u64 start_code, end_code, start_data, end_data, start_brk;
	__u64 start_stack, arg_start, arg_end, env_start, env_end;
	__u64 auxv[CR_LOOK_AUXV_MAX];
	struct cr_ioc_limit limit[16]; /* by RLIMIT_* */
	/* identities */
	__u64 memory, descriptors, handlers, fs; /* as KCMP_VM and so on */
	__u64 namespaces; /* all of them; they may be the same if it differs */
	__u64 exe, cwd, root; /* path and mount */
};

#define CR_IOC_LOOK _IOWR(CR_IOC_MAGIC, 25, struct cr_ioc_look)

/*
 * Descriptors of a process from @first on, in their order.  @mem_fd, @tid and
 * errors as of ASK.
 */
#define CR_FILES_MAX 512 /* in one call */
#define CR_DESCRIPTOR_F_CLOEXEC 1u

struct cr_ioc_descriptor {
	__u32 fd;
	__u32 flags; /* CR_DESCRIPTOR_F_* */
	__u64 identity; /* of its open file description */
};

struct cr_ioc_files {
	__s32 mem_fd;
	__s32 tid;
	__u32 flags; /* 0 */
	__u32 first;
	__u64 list; /* pointer to struct cr_ioc_descriptor[nr] */
	__u32 nr; /* in: room, 1 to CR_FILES_MAX; out: how many */
	__u32 next; /* out: what @first is to be then; 0: that was all */
};

#define CR_IOC_FILES _IOWR(CR_IOC_MAGIC, 26, struct cr_ioc_files)

/*
 * Mappings of a process from @first on, in their order: what /proc/PID/smaps
 * tells, but for how much is where.
 *
 * -EBADF	@mem_fd is not open for reading
 * -EPERM	it is no /proc/PID/mem
 * -ESRCH	the process has no memory any more
 * -ENAMETOOLONG	a path does not fit PATH_MAX
 */
#define CR_MAPS_LENGTH_MIN 8192u
#define CR_MAPS_LENGTH_MAX 65536u

#define CR_MAP_F_SHARED 1u
#define CR_MAP_F_OWN 2u /* it may have pages that are of no file */

/* Bit i of @advice is the i-th pair of letters, as smaps has it in VmFlags. */
#define CR_MAP_ADVICE "gdnrhtloddwfdchgnhmgsrrriopfmmumuwuisfsssllf"

struct cr_ioc_map {
	__u32 length; /* bytes to the next; a multiple of 8 */
	__u32 flags; /* CR_MAP_F_* */
	__u64 start, end;
	__u64 offset; /* bytes */
	__u64 inode;
	__u32 major, minor;
	__u32 prot; /* PROT_* */
	__u32 page_size; /* bytes */
	__u64 advice;
	char path[]; /* as smaps has it, but as it is; or ""; with a NUL */
};

struct cr_ioc_maps {
	__s32 mem_fd;
	__u32 flags; /* 0 */
	__u64 first; /* address */
	__u64 buffer; /* pointer to @length bytes */
	__u32 length; /* in: of the buffer, CR_MAPS_LENGTH_*; out: used */
	__u32 reserved; /* 0 */
	__u64 next; /* out: what @first is to be then; 0: that was all */
};

/*
 * Registers and signal mask of a thread that the caller has stopped by
 * ptrace(2), as PTRACE_GETREGSET and PTRACE_GETSIGMASK.
 *
 * -ESRCH	there is no such thread, or it has ended
 * -EBUSY	it is not stopped, or not by the caller
 * -EMSGSIZE	@xstate_length is too small for this CPU
 * -EOPNOTSUPP	it runs 32-bit code, or has segments of its own: ask ptrace(2)
 * -ENOMEM
 */
#define CR_XSTATE_MAX 65536u

struct cr_ioc_regs {
	__s32 tid;
	__u32 flags; /* 0 */
	__u64 xstate; /* pointer to @xstate_length bytes: NT_X86_XSTATE */
	__u32 xstate_length; /* in: room; out: how long it is */
	__u32 reserved; /* 0 */
	__u64 signal_mask; /* out */
	__u64 regs[27]; /* out: NT_PRSTATUS, struct user_regs_struct */
};

#define CR_IOC_MAPS _IOWR(CR_IOC_MAGIC, 27, struct cr_ioc_maps)
#define CR_IOC_REGS _IOWR(CR_IOC_MAGIC, 28, struct cr_ioc_regs)

/*
 * Open the file that is mapped at @address of a process, for reading: one
 * without a name, as shared memory, which /proc/PID/map_files opens only for
 * who has CAP_CHECKPOINT_RESTORE over the node.
 *
 * -EBADF	@mem_fd is not open for reading
 * -EPERM	it is no /proc/PID/mem
 * -ESRCH	the process has no memory any more
 * -ENOENT	no file is mapped there
 * -EACCES	it has a name, is no regular file, or may not be read
 * -EINTR	the caller is being killed
 * else		as open(2)
 */
struct cr_ioc_open_mapped {
	__s32 mem_fd;
	__u32 flags; /* 0 */
	__u64 address;
	__s32 fd; /* out: close-on-exec */
	__u32 reserved; /* 0 */
};

#define CR_IOC_OPEN_MAPPED _IOWR(CR_IOC_MAGIC, 29, struct cr_ioc_open_mapped)

#endif /* CR_IOCTL_H */
