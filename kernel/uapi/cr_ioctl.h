/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * cr_ioctl.h - what user space may ask of /dev/cr
 *
 * The only header that module and user space share; docs/kernel.md has the
 * reasons.  An open /dev/cr is one context, either of a restart or of memory:
 * the first call decides.  Descriptors that fork(2), dup(2) or SCM_RIGHTS hand
 * on are the same context.
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

#define CR_TAKE_PAGES_MAX 1024 /* of 4 KiB, and runs, in one call */
#define CR_RUN_F_KEEP_ZERO 1u

struct cr_ioc_run {
	__u64 address; /* page aligned */
	__u32 nr_pages; /* not 0 */
	__u32 flags; /* CR_RUN_F_* */
};

/*
 * Hold pages of a process, which must not run meanwhile.  All-zero pages are
 * let go but for runs with CR_RUN_F_KEEP_ZERO.  @mem_fd is an open
 * /proc/PID/mem: who could open it may read the memory.  Pages that had been
 * taken before are let go.
 *
 * -EBADF	@mem_fd or is not open for reading
 * -EPERM	it is no /proc/PID/mem
 * -ESRCH	the process has no memory any more
 * -EFAULT	there is no page at an address, too
 * -EBUSY	this context is a restart's
 */
struct cr_ioc_take {
	__s32 mem_fd;
	__u32 nr_runs;
	__u64 runs; /* pointer to struct cr_ioc_run[nr_runs] */
	__u32 flags; /* 0 */
	__u32 nr_kept; /* out: pages held */
	__u32 crc; /* out: CRC32C of the pages held */
	__u32 reserved; /* 0 */
	__u64 kept[CR_TAKE_PAGES_MAX / 64]; /* out: bit i: the i-th page */
};

/*
 * Write the pages held to @image_fd at @offset, all or an error, and let them
 * go.
 *
 * -EBADF	@image_fd is not open for writing
 * -ENODATA	none are held
 * -EINVAL	@offset is not page aligned, or the file cannot do it, too
 * else		as pwrite(2)
 */
struct cr_ioc_put {
	__s32 image_fd;
	__u32 flags; /* 0 */
	__u64 offset; /* bytes */
};

/*
 * Read pages of a process from @image_fd at @offset, one run behind the other.
 * @mem_fd is an open /proc/PID/mem, for writing.
 *
 * Errors as of TAKE; -ENODATA the file is too short; else as pread(2).  What
 * was read until then stays.
 */
struct cr_ioc_fill {
	__s32 mem_fd;
	__s32 image_fd;
	__u64 offset; /* bytes */
	__u64 runs; /* pointer to struct cr_ioc_run[nr_runs]; flags 0 */
	__u32 nr_runs;
	__u32 flags; /* 0 */
	__u32 crc; /* out: CRC32C of what was read */
	__u32 reserved; /* 0 */
};

#define CR_IOC_TAKE _IOWR(CR_IOC_MAGIC, 16, struct cr_ioc_take)
#define CR_IOC_PUT _IOW(CR_IOC_MAGIC, 17, struct cr_ioc_put)
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
 * number in the caller's PID namespace; it should stand still.  Any context
 * will do.
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

#endif /* CR_IOCTL_H */
