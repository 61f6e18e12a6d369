/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procfs.h - what files below /proc/PID say, as structures
 *
 * Private to lib/.  Parsers take text, so that they can be tested without a
 * process; cr_proc_read() gets it.
 */
#ifndef PROCFS_H
#define PROCFS_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "cr_error.h"
#include "image_wire.h"

/* Read /proc/@pid/@name to the end.  *@textp has a NUL after its *@lengthp
 * bytes (@lengthp may be NULL) and is freed with free(3). */
int cr_proc_read(pid_t pid, const char *name, char **textp, size_t *lengthp,
		 struct cr_error *err);

/* The number that the file @path holds, as those of /proc/sys; 0: none. */
uint64_t cr_proc_number(const char *path);

/* Target of the link /proc/@pid/@name, NUL-terminated, cut to @size. */
int cr_proc_readlink(pid_t pid, const char *name, char *target, size_t size,
		     struct cr_error *err);

/* /proc/PID/status, or that of a thread */
struct cr_proc_status {
	char state; /* R S D T t Z X I */
	uint32_t umask;
	pid_t tgid, pid, ppid, tracer; /* as the reader sees them */
	uint32_t uid[4], gid[4]; /* real, effective, saved, file system */
	uint32_t vpid, vpgid, vsid; /* in the innermost PID namespace */
	uint32_t nr_groups;
	uint32_t *groups; /* freed by cr_proc_status_free() */
	uint64_t pending, shared_pending, blocked, ignored, caught;
	uint64_t cap_inheritable, cap_permitted, cap_effective, cap_bounding,
		cap_ambient;
	uint32_t no_new_privs;
	uint32_t seccomp; /* 0 none, 1 strict, 2 filter */
};

/* Returns 0, -EINVAL if a field is missing, -ENOMEM. */
int cr_proc_parse_status(const char *text, struct cr_proc_status *status);
void cr_proc_status_free(struct cr_proc_status *status);
/* Read and parse it; @name is "status", or that of a thread. */
int cr_proc_read_status(pid_t pid, const char *name,
			struct cr_proc_status *status, struct cr_error *err);

/* /proc/PID/stat */
struct cr_proc_stat {
	char state;
	pid_t ppid;
	uint32_t terminal; /* device of the controlling one, 0: none */
	uint64_t start_time; /* ticks since boot */
	uint64_t start_code, end_code, start_data, end_data, start_brk;
	uint64_t start_stack, arg_start, arg_end, env_start, env_end;
	uint32_t exit_signal, exit_code;
	uint32_t cpu; /* that it ran on last */
	uint32_t flags; /* PF_* of the kernel */
	uint32_t nr_threads;
};

int cr_proc_parse_stat(const char *text, struct cr_proc_stat *stat);

/* /proc/PID/limits, by RLIMIT_* */
int cr_proc_parse_limits(const char *text, struct cr_wire_rlimit limits[16]);

/* One mapping of /proc/PID/smaps */
struct cr_proc_map {
	uint64_t start, end, offset;
	uint64_t inode;
	uint32_t major, minor;
	uint32_t prot; /* PROT_* */
	int is_shared;
	uint64_t page_size; /* bytes */
	uint64_t resident, swapped, shared, anonymous; /* bytes */
	char flags[160]; /* VmFlags, between and around spaces */
	char path[4096]; /* with " (deleted)" if it is; "" for none */
};

/* Next mapping from @file; 1, 0 at the end, -EINVAL. */
int cr_proc_next_map(FILE *file, struct cr_proc_map *map);

/* Does VmFlags have the two letters @flag? */
int cr_proc_map_has(const struct cr_proc_map *map, const char *flag);

/* One timer of /proc/PID/timers */
struct cr_proc_timer {
	int32_t id, clock, signal, notify; /* notify: SIGEV_* */
	uint64_t value;
	pid_t tid; /* as the reader sees it */
};

/* Next timer at *@cursor; 1, 0 at the end, -EINVAL. */
int cr_proc_next_timer(const char **cursor, struct cr_proc_timer *timer);

/* /proc/PID/syscall */
struct cr_proc_syscall {
	long nr; /* -1: not in a system call, or running */
	uint64_t args[6];
};

int cr_proc_parse_syscall(const char *text, struct cr_proc_syscall *call);

/* /proc/PID/sched: when the thread last ran, ns of the scheduler's clock, and
 * how often it has gone to sleep.  -ENOENT if the kernel does not tell. */
int cr_proc_parse_sched(const char *text, uint64_t *ran_ns,
			uint64_t *nr_voluntary);

#endif /* PROCFS_H */
