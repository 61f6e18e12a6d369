/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image_wire.h - the bytes of a checkpoint image
 *
 * Private to lib/, but for what the module reads and writes as well, which is
 * in kernel/uapi/cr_wire.h.  Every structure is what lies in the file: x86-64
 * little-endian, naturally aligned, without hidden padding.  A payload is one
 * fixed structure followed by the arrays that it counts, in the order in
 * which it counts them.  docs/image-format.md has the same in prose.
 *
 * Everything read from an image is untrusted until image_load.c has checked
 * it: counts against lengths, references against what exists.
 */
#ifndef IMAGE_WIRE_H
#define IMAGE_WIRE_H

#include "cr_wire.h"

#define CR_WIRE_TAIL_MAGIC 0x4c4941544d494352ull /* "RCIMTAIL" */
#define CR_WIRE_PAYLOAD_MAX (64u << 20) /* of any record but a chunk */
#define CR_WIRE_VDSO_MAX (1u << 20)

/* @length, or an address, up to the next whole page. */
static inline uint64_t cr_page_up(uint64_t length)
{
	return (length + CR_WIRE_PAGE - 1) & ~(uint64_t)(CR_WIRE_PAGE - 1);
}

/*
 * A memory space: what chunks belong to.  Addresses in chunks are virtual
 * addresses for MM and FAMILY, offsets in the object for the others.
 */
enum cr_space_kind {
	CR_SPACE_MM = 1, /* private memory of one task: id is in cr_wire_mm */
	CR_SPACE_FAMILY = 2, /* pages that relatives share copy-on-write */
	CR_SPACE_SHMEM = 3, /* shared anonymous mapping */
	CR_SPACE_SYSV = 4, /* SysV segment: key and id in the struct */
	CR_SPACE_FILE =
		5, /* content of a file object (memfd, unlinked, tmpfs) */
	CR_SPACE_SEMAPHORES = 6, /* SysV: values, 16 bits each */
	CR_SPACE_QUEUE = 7, /* SysV messages: struct cr_wire_queue */
};

#define CR_SYSV_CONTENT_MAX (1u << 30) /* bytes, of SEMAPHORES or QUEUE */

/* Content of a QUEUE: this, then for each message a struct cr_wire_queued and
 * its bytes, padded to 8. */
struct cr_wire_queue {
	uint64_t limit; /* msg_qbytes */
	uint64_t nr_messages;
};

struct cr_wire_queued {
	int64_t type;
	uint64_t length; /* bytes */
};

struct cr_wire_space {
	uint32_t id; /* from 1, without gaps */
	uint32_t kind;
	uint64_t start; /* FAMILY: of the mapping; else 0 */
	uint64_t length; /* bytes */
	uint32_t file; /* FAMILY: mapped file object or 0; FILE: the object */
	uint32_t map_flags; /* FAMILY: as cr_wire_vma.map_flags */
	uint64_t file_offset; /* FAMILY of a file mapping: of start, bytes */
	int32_t sysv_key; /* SYSV, SEMAPHORES, QUEUE: as of shmget(2) */
	int32_t sysv_id;
	uint32_t sysv_mode;
	uint32_t sysv_uid;
	uint32_t sysv_gid;
	uint32_t huge_shift; /* log2 of the huge page size, 0: none */
};

enum cr_vma_kind {
	CR_VMA_ANON = 1, /* private anonymous, heap and stack included */
	CR_VMA_FILE_PRIVATE = 2, /* file: object; written pages in MM */
	CR_VMA_FILE_SHARED = 3, /* file: object; may have a FILE space */
	CR_VMA_SHMEM = 4, /* space: SHMEM */
	CR_VMA_SYSV = 5, /* space: SYSV */
	CR_VMA_VDSO = 6,
	CR_VMA_VVAR = 7, /* [vvar] and [vvar_vclock] */
};

/* Advice and other state from VmFlags of /proc/PID/smaps. */
#define CR_VMA_DONTDUMP (1u << 0)
#define CR_VMA_DONTFORK (1u << 1)
#define CR_VMA_WIPEONFORK (1u << 2)
#define CR_VMA_HUGEPAGE (1u << 3)
#define CR_VMA_NOHUGEPAGE (1u << 4)
#define CR_VMA_MERGEABLE (1u << 5)
#define CR_VMA_SEQUENTIAL (1u << 6)
#define CR_VMA_RANDOM (1u << 7)
#define CR_VMA_LOCKED (1u << 8)
#define CR_VMA_LOCKONFAULT (1u << 9)

struct cr_wire_vma {
	uint64_t start; /* bytes, page aligned, end exclusive */
	uint64_t end;
	uint64_t offset; /* in the file or space, bytes */
	uint32_t prot; /* PROT_* */
	uint32_t map_flags; /* MAP_SHARED|PRIVATE|ANONYMOUS|GROWSDOWN|
			     * NORESERVE|HUGETLB and its size bits */
	uint32_t kind; /* enum cr_vma_kind */
	uint32_t advice; /* CR_VMA_* */
	uint32_t file; /* file object, 0: none */
	uint32_t space; /* SHMEM, SYSV; FAMILY of a private mapping; or 0 */
};

/* struct prctl_mm_map of prctl(2), less the pointers. */
struct cr_wire_mm {
	uint32_t space; /* CR_SPACE_MM of this task */
	uint32_t exe; /* file object of /proc/PID/exe */
	uint64_t start_code, end_code, start_data, end_data;
	uint64_t start_brk, brk, start_stack;
	uint64_t arg_start, arg_end, env_start, env_end;
	uint32_t locked; /* MCL_* of mlockall(2), 0: none */
	uint32_t auxv_length; /* bytes */
	/* auxv as in /proc/PID/auxv */
};

struct cr_wire_rlimit {
	uint64_t current, maximum; /* RLIM_INFINITY is UINT64_MAX */
};

struct cr_wire_itimer {
	uint64_t interval_us, value_us; /* value: what remained */
};

/* What a thread group has once. */
struct cr_wire_task {
	char comm[16];
	uint32_t personality;
	uint32_t umask;
	uint32_t dumpable; /* 0 or 1 of PR_GET_DUMPABLE; 2 is saved as 0 */
	uint32_t pdeath_signal;
	uint32_t child_subreaper;
	uint32_t thp_disabled; /* PR_GET_THP_DISABLE */
	int32_t oom_score_adj;
	uint32_t cwd; /* file objects of kind DIR */
	uint32_t root; /* 0: the namespace's own root */
	uint32_t
		exit_signal; /* to the parent, SIGCHLD but for clone(2) users */
	struct cr_wire_itimer itimer[3]; /* ITIMER_REAL, _VIRTUAL, _PROF */
	struct cr_wire_rlimit rlimit[16]; /* by RLIMIT_* */
};

struct cr_wire_sigaction { /* of the kernel, not of libc */
	uint64_t handler; /* or SIG_DFL, SIG_IGN */
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

struct cr_wire_siginfo {
	uint8_t bytes[128]; /* siginfo_t */
};

struct cr_wire_signals {
	struct cr_wire_sigaction action[64]; /* of signal i + 1 */
	uint32_t nr_pending; /* of the process; threads have their own */
	uint32_t reserved;
	/* struct cr_wire_siginfo[nr_pending], oldest first */
};

/* A POSIX timer, timer_create(2). */
struct cr_wire_timer {
	int32_t id;
	int32_t clock;
	int32_t notify; /* SIGEV_*; SIGEV_THREAD_ID: tid names a thread */
	int32_t signal;
	uint64_t value; /* sigev_value */
	uint32_t tid; /* as a vpid */
	uint32_t reserved;
	uint64_t interval_ns, value_ns; /* value: what remained, 0: disarmed */
	uint64_t overrun;
};

/* A POSIX record lock (owner: the task) or flock/OFD lock (the object). */
enum cr_lock_kind {
	CR_LOCK_POSIX = 1,
	CR_LOCK_FLOCK = 2,
	CR_LOCK_OFD = 3,
	CR_LOCK_LEASE = 4, /* never in an image: refused by the verdict */
};

struct cr_wire_lock {
	uint32_t kind;
	uint32_t type; /* F_RDLCK or F_WRLCK */
	uint32_t fd; /* of this task, on which to take it again */
	uint32_t reserved;
	uint64_t start, length; /* as of fcntl(2); length 0: to the end */
};

struct cr_wire_fd {
	uint32_t fd;
	uint32_t file; /* object: an open file description */
	uint32_t cloexec;
	uint32_t reserved;
};

/*
 * How a thread that was stopped in a system call goes on.  A call that the
 * kernel restarts from its registers alone needs nothing here.
 */
enum cr_resume_kind {
	CR_RESUME_REGS = 0, /* the registers say it all */
	CR_RESUME_BLOCK = 1, /* issue nr(args) again and interrupt it, so that
			      * the kernel holds a restart block once more,
			      * with remaining_ns as its timeout */
	CR_RESUME_REISSUE = 2, /* go back to the instruction with timeout
				* argument set to what remains */
};

struct cr_wire_resume {
	uint32_t kind; /* enum cr_resume_kind */
	uint32_t nr; /* of the system call */
	int64_t remaining_ns; /* of the timeout; -1: no timeout */
	uint64_t args[6];
};

/* struct user_regs_struct of <sys/user.h>, by name. */
struct cr_wire_regs {
	uint64_t r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si,
		di, orig_ax, ip, cs, flags, sp, ss, fs_base, gs_base, ds, es,
		fs, gs;
};

struct cr_wire_creds {
	uint32_t ruid, euid, suid, fsuid;
	uint32_t rgid, egid, sgid, fsgid;
	uint64_t cap_inheritable, cap_permitted, cap_effective, cap_bounding,
		cap_ambient;
	uint32_t securebits;
	uint32_t no_new_privs;
};

struct cr_wire_sched {
	uint32_t policy; /* SCHED_*, with SCHED_RESET_ON_FORK */
	int32_t nice;
	uint32_t priority;
	uint32_t io_priority; /* ioprio_get(2) */
	uint64_t runtime, deadline, period; /* SCHED_DEADLINE */
	uint64_t timer_slack_ns; /* PR_GET_TIMERSLACK */
	uint64_t affinity[16]; /* CPU mask as of sched_getaffinity(2) */
};

struct cr_wire_thread {
	uint32_t tid; /* as a vpid */
	uint32_t flags; /* 0 */
	char comm[16];
	struct cr_wire_regs regs;
	struct cr_wire_resume resume;
	struct cr_wire_creds creds;
	struct cr_wire_sched sched;
	uint64_t signal_mask;
	uint64_t altstack_sp, altstack_size;
	uint32_t altstack_flags;
	uint32_t rseq_signature;
	uint64_t rseq_pointer; /* 0: not registered */
	uint32_t rseq_length;
	uint32_t nr_groups; /* supplementary groups */
	uint64_t robust_list, robust_list_length;
	uint64_t clear_child_tid;
	uint32_t xstate_length; /* bytes, XSAVE format of NT_X86_XSTATE */
	uint32_t nr_pending;
	/* struct cr_wire_siginfo[nr_pending], uint8_t xstate[xstate_length],
	 * uint32_t groups[nr_groups], each padded to 8 */
};

/*
 * An open file description, or (CR_FILE_F_UNOPENED) a path that is only
 * mapped, executed or a working directory.
 */
enum cr_file_kind {
	CR_FILE_REGULAR = 1,
	CR_FILE_DIRECTORY = 2,
	CR_FILE_FIFO = 3,
	CR_FILE_PIPE = 4,
	CR_FILE_DEVICE = 5, /* null, zero, full, random, urandom, tty by path */
	CR_FILE_EVENTFD = 6,
	CR_FILE_EPOLL = 7,
	CR_FILE_SIGNALFD = 8,
	CR_FILE_TIMERFD = 9,
	CR_FILE_PTY_MASTER = 10,
	CR_FILE_PTY_SLAVE = 11,
	CR_FILE_UNIX = 12, /* AF_UNIX socket */
	CR_FILE_MEMFD = 13,
	CR_FILE_EXTERNAL = 14, /* a standard stream of a rank: peer is 0..2 */
	CR_FILE_PROC = 15, /* below /proc: path with vpids */
	CR_FILE_PIDFD = 16,
	CR_FILE_INOTIFY = 17,
	CR_FILE_TCP = 18, /* TCP socket */
	CR_FILE_EXTERNAL_SOCKET = 19, /* leads to something of the caller's */
};

#define CR_EXTERNAL_NAME_MAX 63 /* bytes, no NUL */
#define CR_EXTERNAL_NOTE_MAX (48u << 20)
#define CR_EXTERNAL_UNREAD_MAX (12u << 20)

#define CR_EXTERNAL_F_LISTENS 1u
#define CR_EXTERNAL_F_NODELAY 2u /* TCP_NODELAY */
#define CR_EXTERNAL_F_KEEPALIVE 4u /* SO_KEEPALIVE */

/* Data of an EXTERNAL_SOCKET. */
struct cr_wire_external {
	uint32_t name_length; /* bytes, 1 to CR_EXTERNAL_NAME_MAX, no NUL */
	uint32_t note_length; /* the caller's own words on it */
	uint32_t unread_length; /* of its receive queue; 0 if it listens */
	uint32_t flags; /* CR_EXTERNAL_F_* */
	uint64_t receive_timeout_us, send_timeout_us; /* 0: none */
	/* char name[name_length], note[note_length], unread[unread_length] */
};

#define CR_FILE_F_UNLINKED 1u /* has no name any more: content in space */
#define CR_FILE_F_CONTENT                                   \
	2u /* on a filesystem of the node: content in space \
	    */
#define CR_FILE_F_UNOPENED 4u
#define CR_FILE_F_WRITABLE                                  \
	8u /* the tree could write to it; only with content \
	    * or UNOPENED */

struct cr_wire_file {
	uint32_t id; /* from 1, without gaps; peers and epoll targets may
		      * name later ones */
	uint32_t kind; /* enum cr_file_kind */
	uint32_t flags; /* CR_FILE_F_* */
	uint32_t open_flags; /* O_* as of F_GETFL */
	uint64_t position;
	uint64_t device, inode; /* on the saving node, for messages and peers */
	uint64_t size; /* of a regular file when saved */
	uint64_t mtime_ns;
	uint32_t mode; /* st_mode */
	uint32_t uid, gid;
	uint32_t space; /* CR_SPACE_FILE with the content, or 0 */
	uint32_t peer; /* kind's own: other end, stream number, ... */
	uint32_t rank; /* EXTERNAL: whose stream */
	int32_t owner; /* F_GETOWN_EX as vpid, 0: none */
	uint32_t owner_type;
	uint32_t owner_signal; /* F_GETSIG */
	uint32_t path_length; /* bytes, no NUL */
	uint32_t data_length; /* kind's own structure, see lib/file_*.c */
	uint32_t reserved;
	/* char path[path_length], uint8_t data[data_length], each padded
	 * to 8 */
};

struct cr_wire_index_entry {
	uint64_t offset; /* of the chunk's record header in the file */
	uint32_t space;
	uint32_t reserved;
	uint64_t raw_length;
};

struct cr_wire_index {
	uint64_t nr_chunks;
	/* struct cr_wire_index_entry[nr_chunks], by space, then address */
};

struct cr_wire_tail {
	uint64_t magic; /* CR_WIRE_TAIL_MAGIC */
	uint64_t nr_records; /* all, this one included */
	uint64_t index_offset; /* of the index' record header */
	uint64_t length; /* of the whole file */
};

#endif /* IMAGE_WIRE_H */
