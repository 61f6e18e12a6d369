/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * made_image.h - images of trees that never ran
 *
 * Each task is a few bytes of code and a stack: enough to restart, to see
 * who lives, and to make what goes wrong.  All is as small as an image may be.
 */
#ifndef MADE_IMAGE_H
#define MADE_IMAGE_H

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cr_image_write.h"
#include "image_wire.h"

#define MADE_CODE 0x10000000ull
#define MADE_STACK 0x20000000ull
#define MADE_XSTATE 832 /* x87, SSE, XSAVE header, AVX */

struct made_task {
	uint32_t vpid, parent;
	uint32_t exit_status; /* of a zombie; with CR_LINK_F_ZOMBIE */
	uint32_t flags;
	uint8_t exit_code; /* of a live one: what it does is exit */
	uint32_t nr_threads; /* 0 counts as 1; the others sleep for ever */
	uint32_t wait_for; /* wait4() for this vpid first */
	uint32_t pgid, sid; /* 0: those of the first task, unless flags say
			     * that they are outside */
	int sleeps; /* for ever, instead of exiting */
};

/* Of the code page: exit_group(code) at 0; pause() for ever at 64; wait4 for
 * the vpid in rbx and then exit_group(its exit status or signal) at 128. */
static inline void made_code(uint8_t page[CR_WIRE_PAGE], uint8_t exit_code)
{
	const uint8_t leave[] = { 0xbf, exit_code, 0, 0, 0, /* mov edi, code */
				  0xb8, 231,	   0, 0, 0, /* mov eax, 231 */
				  0x0f, 0x05 };
	const uint8_t sleep[] = { 0xb8, 34,   0,    0,	 0, /* mov eax, 34 */
				  0x0f, 0x05, 0xeb, 0xf7 }; /* jmp back */
	const uint8_t reap[] = { 0x48, 0x89, 0xdf, /* mov rdi, rbx */
				 0x48, 0x8d, 0x74, 0x24, 0xf0, /* lea rsi,
							   [rsp-16] */
				 0x31, 0xd2, /* xor edx, edx */
				 0x45, 0x31, 0xd2, /* xor r10d, r10d */
				 0xb8, 61,   0,	   0,	 0, /* mov eax, 61 */
				 0x0f, 0x05, /* wait4 */
				 0x8b, 0x7c, 0x24, 0xf0, /* mov edi, [rsp-16] */
				 0x89, 0xf8, /* mov eax, edi */
				 0xc1, 0xef, 8, /* shr edi, 8 */
				 0x83, 0xe0, 0x7f, /* and eax, 127 */
				 0x01, 0xc7, /* add edi, eax */
				 0xb8, 231,  0,	   0,	 0,    0x0f, 0x05 };

	memset(page, 0x90, CR_WIRE_PAGE);
	memcpy(page, leave, sizeof(leave));
	memcpy(page + 64, sleep, sizeof(sleep));
	memcpy(page + 128, reap, sizeof(reap));
}

static inline int made_put(struct cr_image_writer *writer, int type,
			   uint32_t vpid, const void *data, size_t length,
			   struct cr_error *err)
{
	const struct iovec iov = { (void *)data, length };

	return cr_image_writer_put(writer, type, vpid, &iov, 1, err);
}

static inline int made_path(struct cr_image_writer *writer, uint32_t id,
			    uint32_t kind, const char *path,
			    struct cr_error *err)
{
	struct cr_wire_file file = { .id = id,
				     .kind = kind,
				     .flags = CR_FILE_F_UNOPENED,
				     .path_length = (uint32_t)strlen(path) };
	const struct iovec iov[] = { { &file, sizeof(file) },
				     { (void *)path, strlen(path) } };
	struct stat st;

	if (stat(path, &st) == 0) {
		file.mode = st.st_mode;
		file.device = st.st_dev;
		file.inode = st.st_ino;
		file.size = (uint64_t)st.st_size;
	}
	return cr_image_writer_put(writer, CR_RECORD_FILE, 0, iov, 2, err);
}

static inline int made_thread(struct cr_image_writer *writer,
			      const struct made_task *task, uint32_t tid,
			      struct cr_error *err)
{
	static const uint8_t xstate[MADE_XSTATE];
	struct cr_wire_thread thread = { .tid = tid,
					 .comm = "made",
					 .altstack_flags = SS_DISABLE,
					 .xstate_length = MADE_XSTATE };
	const struct iovec iov[] = { { &thread, sizeof(thread) },
				     { (void *)xstate, sizeof(xstate) } };

	thread.regs.ip = MADE_CODE;
	if (tid != task->vpid || task->sleeps)
		thread.regs.ip += 64;
	else if (task->wait_for)
		thread.regs.ip += 128;
	thread.regs.bx = task->wait_for;
	thread.regs.sp = MADE_STACK + CR_WIRE_PAGE;
	thread.regs.cs = 0x33;
	thread.regs.ss = 0x2b;
	thread.regs.flags = 0x202;
	thread.regs.orig_ax = UINT64_MAX;
	thread.creds.cap_bounding = ~0ull;
	memset(thread.sched.affinity, 0xff, sizeof(thread.sched.affinity));
	return cr_image_writer_put(writer, CR_RECORD_THREAD, task->vpid, iov, 2,
				   err);
}

static inline int made_live(struct cr_image_writer *writer,
			    const struct made_task *task, uint32_t space,
			    struct cr_error *err)
{
	const struct cr_wire_mm mm = { .space = space,
				       .exe = 1,
				       .start_code = MADE_CODE,
				       .end_code = MADE_CODE + CR_WIRE_PAGE,
				       .start_data = MADE_STACK,
				       .end_data = MADE_STACK + 64,
				       .start_brk = 0x30000000,
				       .brk = 0x30000000,
				       .start_stack = MADE_STACK + 4000,
				       .arg_start = MADE_STACK,
				       .arg_end = MADE_STACK,
				       .env_start = MADE_STACK,
				       .env_end = MADE_STACK };
	const struct cr_wire_vma vmas[] = {
		{ .start = MADE_CODE,
		  .end = MADE_CODE + CR_WIRE_PAGE,
		  .prot = PROT_READ | PROT_EXEC,
		  .map_flags = MAP_PRIVATE | MAP_ANONYMOUS,
		  .kind = CR_VMA_ANON },
		{ .start = MADE_STACK,
		  .end = MADE_STACK + CR_WIRE_PAGE,
		  .prot = PROT_READ | PROT_WRITE,
		  .map_flags = MAP_PRIVATE | MAP_ANONYMOUS,
		  .kind = CR_VMA_ANON },
	};
	const struct cr_wire_signals signals = { .nr_pending = 0 };
	uint32_t nr_threads = task->nr_threads ? task->nr_threads : 1;
	int rc;

	rc = made_put(writer, CR_RECORD_MM, task->vpid, &mm, sizeof(mm), err);
	if (!rc)
		rc = made_put(writer, CR_RECORD_VMAS, task->vpid, vmas,
			      sizeof(vmas), err);
	if (!rc)
		rc = made_put(writer, CR_RECORD_SIGNALS, task->vpid, &signals,
			      sizeof(signals), err);
	for (uint32_t i = 0; i < nr_threads && !rc; i++)
		rc = made_thread(writer, task,
				 i ? 1000 * task->vpid + i : task->vpid, err);
	return rc;
}

static inline int made_read(const struct cr_memory_source *source,
			    uint64_t address, void *buffer, size_t length)
{
	uint8_t page[CR_WIRE_PAGE];

	if (length != CR_WIRE_PAGE || address != MADE_CODE)
		return -EFAULT;
	made_code(page, (uint8_t)source->pid);
	memcpy(buffer, page, sizeof(page));
	return 0;
}

/* Write the image of @tasks to @path. */
static inline int made_image(const char *path, const struct made_task *tasks,
			     uint32_t nr, struct cr_error *err)
{
	const struct cr_image_write_options options = { .nr_workers = 1 };
	const struct cr_wire_run code = { MADE_CODE, CR_WIRE_PAGE };
	struct cr_wire_head head = { .magic = CR_WIRE_MAGIC,
				     .version = CR_WIRE_VERSION,
				     .arch = CR_WIRE_ARCH_X86_64,
				     .page_size = CR_WIRE_PAGE,
				     .flags = CR_HEAD_F_PIDNS };
	const struct cr_wire_tree tree = { .nr_tasks = nr };
	static struct cr_wire_link links[4096];
	static struct cr_memory_source sources[4096];
	struct cr_image_writer *writer;
	uint32_t space = 0;
	int rc;

	rc = cr_image_writer_create(AT_FDCWD, path, &options, &writer, err);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < nr; i++)
		links[i] = (struct cr_wire_link){
			.vpid = tasks[i].vpid,
			.parent = tasks[i].parent,
			.pgid = tasks[i].pgid ? tasks[i].pgid : tasks[0].vpid,
			.sid = tasks[i].sid ? tasks[i].sid : tasks[0].vpid,
			.flags = tasks[i].flags,
			.rank = tasks[i].parent ? CR_RANK_NONE : 0,
			.nr_threads =
				tasks[i].flags & CR_LINK_F_ZOMBIE ? 0 :
				tasks[i].nr_threads ? tasks[i].nr_threads :
						      1,
			.exit_status = tasks[i].exit_status,
		};
	rc = made_put(writer, CR_RECORD_HEAD, 0, &head, sizeof(head), err);
	if (!rc) {
		const struct iovec iov[] = { { (void *)&tree, sizeof(tree) },
					     { links, nr * sizeof(*links) } };

		rc = cr_image_writer_put(writer, CR_RECORD_TREE, 0, iov, 2,
					 err);
	}
	if (!rc)
		rc = made_path(writer, 1, CR_FILE_REGULAR, "/bin/true", err);
	if (!rc)
		rc = made_path(writer, 2, CR_FILE_DIRECTORY, "/", err);
	for (uint32_t i = 0; i < nr && !rc; i++) {
		const struct cr_wire_space record = { .id = space + 1,
						      .kind = CR_SPACE_MM };

		if (tasks[i].flags & CR_LINK_F_ZOMBIE)
			continue;
		space++;
		rc = made_put(writer, CR_RECORD_SPACE, tasks[i].vpid, &record,
			      sizeof(record), err);
	}
	space = 0;
	for (uint32_t i = 0; i < nr && !rc; i++) {
		struct cr_wire_task task = { .comm = "made",
					     .dumpable = 1,
					     .cwd = 2,
					     .exit_signal = SIGCHLD };

		for (int j = 0; j < 16; j++)
			task.rlimit[j].current = task.rlimit[j].maximum =
				UINT64_MAX;
		rc = made_put(writer, CR_RECORD_TASK, tasks[i].vpid, &task,
			      sizeof(task), err);
		if (!rc && !(tasks[i].flags & CR_LINK_F_ZOMBIE))
			rc = made_live(writer, &tasks[i], ++space, err);
	}
	space = 0;
	for (uint32_t i = 0; i < nr && !rc; i++) {
		if (tasks[i].flags & CR_LINK_F_ZOMBIE)
			continue;
		sources[i].read = made_read;
		sources[i].pid = tasks[i].exit_code;
		rc = cr_image_writer_memory(writer, ++space, &sources[i], &code,
					    1, err);
	}
	if (rc < 0) {
		cr_image_writer_abort(writer);
		return rc;
	}
	return cr_image_writer_commit(writer, NULL, err);
}

#endif /* MADE_IMAGE_H */
