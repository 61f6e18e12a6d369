/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * cr_wire.h - the bytes of a checkpoint image that the module knows, too
 *
 * It reads HEAD and TREE and writes CHUNKs.  The rest is lib/image_wire.h's,
 * which includes this; docs/image-format.md has all of it in prose.
 */
#ifndef CR_WIRE_H
#define CR_WIRE_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

#define CR_WIRE_MAGIC 0x31304d4952435253ull /* "SRCRIM01" */
#define CR_WIRE_VERSION 1
#define CR_WIRE_ARCH_X86_64 62 /* EM_X86_64 */

#define CR_WIRE_ALIGN 8 /* every record starts at a multiple of this */
#define CR_WIRE_PAGE 4096 /* page size, and alignment of chunk data */
#define CR_WIRE_CHUNK_MAX (4u << 20) /* memory in one chunk, bytes */

/* In the file in this order; those marked * may occur any number of times. */
enum cr_record_type {
	CR_RECORD_HEAD = 1, /* struct cr_wire_head; exactly one, first */
	CR_RECORD_TREE = 2, /* struct cr_wire_tree; exactly one, second */
	CR_RECORD_FILE = 3, /* * struct cr_wire_file */
	CR_RECORD_SPACE = 4, /* * struct cr_wire_space */
	/* per task in saved order, vpid of the record header is the owner */
	CR_RECORD_TASK = 5, /* struct cr_wire_task */
	CR_RECORD_MM = 6, /* struct cr_wire_mm; not for zombies */
	CR_RECORD_VMAS = 7, /* struct cr_wire_vma[] */
	CR_RECORD_FDS = 8, /* struct cr_wire_fd[] */
	CR_RECORD_SIGNALS = 9, /* struct cr_wire_signals */
	CR_RECORD_TIMERS = 10, /* struct cr_wire_timer[] */
	CR_RECORD_LOCKS = 11, /* struct cr_wire_lock[] */
	CR_RECORD_THREAD = 12, /* * struct cr_wire_thread; leader first */
	CR_RECORD_VDSO = 13, /* the kernel's vdso, an ELF image; after TREE, at
			      * most one, in no image of a kernel without */
	/* memory, in any order */
	CR_RECORD_CHUNK = 32, /* * struct cr_wire_chunk */
	CR_RECORD_INDEX = 33, /* struct cr_wire_index; exactly one */
	CR_RECORD_TAIL = 34, /* struct cr_wire_tail; exactly one, last */
};

/* A reader that does not know the type must refuse the image. */
#define CR_RECORD_F_REQUIRED 1u

/* In front of every payload. */
struct cr_wire_record {
	uint16_t type; /* enum cr_record_type */
	uint16_t flags; /* CR_RECORD_F_* */
	uint32_t vpid; /* whose; 0 where the record is of no single task */
	uint64_t length; /* of the payload, bytes, padding not counted */
	uint32_t crc; /* CRC32C of this struct (crc 0) and the payload;
		       * of a chunk: up to its data, which has its own */
	uint32_t reserved; /* 0 */
};

struct cr_wire_head {
	uint64_t magic;
	uint32_t version;
	uint32_t arch;
	uint32_t page_size;
	uint32_t flags; /* CR_HEAD_F_* */
	uint64_t realtime_ns; /* clocks when the tree was frozen */
	uint64_t monotonic_ns; /* as the tree saw it: time namespace included */
	uint64_t boottime_ns;
	uint64_t xfeatures; /* XCR0: state components that may be in use */
	uint64_t vdso_start; /* where the kernel put it; 0: kernel has none */
	uint32_t vdso_length;
	uint32_t nr_cpus; /* bits of the allocation that follows */
	uint32_t job; /* Slurm's job and step, 0 without Slurm */
	uint32_t step;
	char release[64]; /* uname -r and -n, NUL-terminated */
	char node[64];
	uint64_t allocation[16]; /* CPUs that the tree was allowed to use */
};

#define CR_HEAD_F_PIDNS 1u /* the tree had a PID namespace of its own */

struct cr_wire_tree {
	uint32_t nr_tasks;
	uint32_t reserved;
	/* struct cr_wire_link[nr_tasks], saved order: every parent before
	 * its children, root tasks first among their kind */
};

/* One task's place in the tree; numbers as seen in its PID namespace. */
struct cr_wire_link {
	uint32_t vpid;
	uint32_t parent; /* 0: root task, parent outside; 1: orphan of init */
	uint32_t pgid; /* 0 or a vpid not in the tree: see docs */
	uint32_t sid;
	uint32_t flags; /* CR_LINK_F_* */
	uint32_t rank; /* of a root task; CR_RANK_NONE otherwise */
	uint32_t nr_threads; /* 0 for a zombie */
	uint32_t exit_status; /* as of wait(2); of a zombie */
};

#define CR_LINK_F_ZOMBIE 1u
#define CR_LINK_F_STOPPED 2u /* by a job-control signal */
#define CR_LINK_F_SESSION_OUTSIDE 4u /* sid is not the tree's: inherit */
#define CR_LINK_F_PGRP_OUTSIDE 8u /* pgid is not the tree's: inherit */
#define CR_LINK_F_NO_TERMINAL 16u /* has not its session's terminal */
#define CR_LINK_F_STOP_UNTOLD 32u /* STOPPED, and its parent may still wait */
#define CR_RANK_NONE UINT32_MAX

/* A run of pages; address as the space counts. */
struct cr_wire_run {
	uint64_t address;
	uint64_t length; /* bytes, multiple of CR_WIRE_PAGE */
};

enum cr_compression {
	CR_COMPRESS_NONE = 0,
	CR_COMPRESS_LZ4 = 1,
	CR_COMPRESS_ZSTD = 2,
};

#define CR_WIRE_CHUNK_PAGES (CR_WIRE_CHUNK_MAX / CR_WIRE_PAGE) /* and runs */

struct cr_wire_chunk {
	uint32_t space;
	uint32_t compression; /* enum cr_compression */
	uint32_t nr_runs;
	uint32_t data_crc; /* CRC32C of the stored data */
	uint64_t raw_length; /* sum of the runs */
	uint64_t stored_length;
	uint64_t data_offset; /* from the start of the record, so that the
			       * data is page aligned in the file */
	/* struct cr_wire_run[nr_runs], zeros, data */
};

#endif /* CR_WIRE_H */
