/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * small_image.h - build small images for tests and fuzzing
 *
 * A tree of three: a root task with two threads, its child, and a zombie.
 * Memory comes from a function of the address, so that it can be checked
 * without being kept: every eighth page is zero.
 */
#ifndef SMALL_IMAGE_H
#define SMALL_IMAGE_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cr_image.h"
#include "cr_image_write.h"
#include "file_tcp.h"
#include "image_wire.h"

#define SMALL_ROOT 10u
#define SMALL_CHILD 11u
#define SMALL_THREAD 12u
#define SMALL_ZOMBIE 13u
#define SMALL_HEAP 0x10000000ull
#define SMALL_SHM 0x20000000ull
#define SMALL_SHM_PAGES 4u

enum { SMALL_SPACE_ROOT = 1, SMALL_SPACE_CHILD, SMALL_SPACE_SHM };
enum {
	SMALL_FILE_PROGRAM = 1,
	SMALL_FILE_DIR,
	SMALL_FILE_LOG,
	SMALL_FILE_TCP, /* and its other end; only if has_tcp */
};

#define SMALL_TCP_RECEIVED 5u /* bytes in the queues of each end */
#define SMALL_TCP_SENT 16u

/* What a test may change before the image is written. */
struct small_image {
	struct cr_wire_head head;
	struct cr_wire_link links[3];
	struct cr_wire_file files[3];
	const char *paths[3];
	const void *file_data; /* of the third, [files[2].data_length] */
	struct cr_wire_space spaces[3];
	struct cr_wire_task tasks[3];
	struct cr_wire_mm mms[2];
	struct cr_wire_vma vmas[2]; /* the same in both */
	struct cr_wire_fd fds[2]; /* of the root task */
	struct cr_wire_signals signals;
	struct cr_wire_siginfo pending;
	struct cr_wire_timer timer; /* of the root task */
	struct cr_wire_lock lock; /* of the root task */
	struct cr_wire_thread threads[3]; /* root's two, child's one */
	uint8_t xstate[1024];
	uint32_t groups[3];
	int has_tcp;
	struct cr_wire_tcp tcp[2];
	uint32_t tcp_peers[2], tcp_length; /* of data; 0: as it should be */
	uint64_t heap_pages; /* of each task */
	const struct cr_memory_source *heap; /* NULL: small_source */
	int no_shm; /* leave its pages out */
	int forge_zombies; /* give them records that only the living have */
};

static inline int small_page_is_zero(uint64_t address)
{
	return address / CR_WIRE_PAGE % 8 == 3;
}

/* Word @i of the page at @address. */
static inline uint64_t small_word(uint64_t address, size_t i)
{
	uint64_t x = address + i * 8;

	if (small_page_is_zero(address))
		return 0;
	/* One half of a page packs well, the other does not. */
	if (i >= 256)
		return address;
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 33;
}

static inline int small_read(const struct cr_memory_source *source,
			     uint64_t address, void *buffer, size_t length)
{
	uint64_t *words = buffer;

	(void)source;
	for (size_t i = 0; i < length / 8; i++)
		words[i] = small_word(address + i * 8 / CR_WIRE_PAGE *
							CR_WIRE_PAGE,
				      i % (CR_WIRE_PAGE / 8));
	return 0;
}

static const struct cr_memory_source small_source = {
	.read = small_read,
	.fd = -1,
	.pid = 4711,
	.skip_zero = 1,
};

static inline void small_image_init_tasks(struct small_image *image)
{
	static const uint32_t tids[3] = { SMALL_ROOT, SMALL_THREAD,
					  SMALL_CHILD };

	for (int i = 0; i < 3; i++) {
		snprintf(image->tasks[i].comm, 16, "task%d", i);
		image->tasks[i].cwd = SMALL_FILE_DIR;
		image->threads[i].tid = tids[i];
		image->threads[i].xstate_length = sizeof(image->xstate);
		image->threads[i].nr_groups = 3;
		image->threads[i].nr_pending = i == 1;
	}
	for (uint32_t i = 0; i < 2; i++) {
		image->mms[i].space = SMALL_SPACE_ROOT + i;
		image->mms[i].exe = SMALL_FILE_PROGRAM;
		image->mms[i].auxv_length = 32;
	}
	image->tasks[2].cwd = 0;
	image->vmas[0] = (struct cr_wire_vma){
		.start = SMALL_HEAP,
		.end = SMALL_HEAP, /* and heap_pages, when it is written */
		.prot = PROT_READ | PROT_WRITE,
		.map_flags = MAP_PRIVATE | MAP_ANONYMOUS,
		.kind = CR_VMA_ANON,
	};
	image->vmas[1] = (struct cr_wire_vma){
		.start = SMALL_SHM,
		.end = SMALL_SHM + SMALL_SHM_PAGES * CR_WIRE_PAGE,
		.prot = PROT_READ | PROT_WRITE,
		.map_flags = MAP_SHARED | MAP_ANONYMOUS,
		.kind = CR_VMA_SHMEM,
		.space = SMALL_SPACE_SHM,
	};
	image->signals.nr_pending = 1;
	image->fds[0] = (struct cr_wire_fd){ .fd = 1, .file = SMALL_FILE_LOG };
	image->fds[1] = (struct cr_wire_fd){ .fd = 5, .file = SMALL_FILE_LOG };
	image->timer = (struct cr_wire_timer){ .notify = SIGEV_THREAD_ID,
					       .tid = SMALL_THREAD };
	image->lock = (struct cr_wire_lock){ .kind = CR_LOCK_POSIX,
					     .type = F_WRLCK,
					     .fd = 5 };
}

/* A connection of IPv4; half of what each end has to send has been received by
 * the other. */
static inline void small_image_init_tcp(struct small_image *image)
{
	const struct cr_tcp_address ends[2] = {
		{ .ip = { [10] = 255, 255, 10, 0, 0, 1 }, .port = 40 },
		{ .ip = { [10] = 255, 255, 10, 0, 0, 2 }, .port = 50 },
	};

	for (uint32_t i = 0; i < 2; i++) {
		image->tcp_peers[i] = SMALL_FILE_TCP + !i;
		image->tcp[i] = (struct cr_wire_tcp){
			.family = AF_INET,
			.kind = CR_TCP_CONNECTED,
			.state = CR_TCP_ESTABLISHED,
			.local = ends[i],
			.remote = ends[!i],
			.send_first = i ? 3 : UINT32_MAX - 3,
			.send_length = SMALL_TCP_SENT,
			.receive_end = (i ? UINT32_MAX - 3 : 3) + 8,
			.receive_length = SMALL_TCP_RECEIVED,
			.congestion = "cubic",
		};
	}
}

static inline int small_put_tcp(const struct small_image *image,
				struct cr_image_writer *writer)
{
	int rc = 0;

	for (uint32_t i = 0; i < 2 && !rc; i++) {
		struct cr_wire_file file = { .id = SMALL_FILE_TCP + i,
					     .kind = CR_FILE_TCP,
					     .peer = image->tcp_peers[i],
					     .data_length = image->tcp_length };
		uint8_t data[sizeof(image->tcp[i]) + 8 + SMALL_TCP_SENT] = {
			0
		};
		const struct iovec iov[] = { { &file, sizeof(file) },
					     { data, sizeof(data) } };

		memcpy(data, &image->tcp[i], sizeof(image->tcp[i]));
		if (!file.data_length)
			file.data_length = sizeof(data);
		rc = cr_image_writer_put(writer, CR_RECORD_FILE, 0, iov, 2,
					 NULL);
	}
	return rc;
}

static inline void small_image_init(struct small_image *image)
{
	memset(image, 0, sizeof(*image));
	image->heap_pages = 16;
	image->head = (struct cr_wire_head){
		.magic = CR_WIRE_MAGIC,
		.version = CR_WIRE_VERSION,
		.arch = CR_WIRE_ARCH_X86_64,
		.page_size = CR_WIRE_PAGE,
		.release = "6.1.0",
		.node = "n1",
	};
	image->links[0] = (struct cr_wire_link){ .vpid = SMALL_ROOT,
						 .pgid = SMALL_ROOT,
						 .sid = SMALL_ROOT,
						 .nr_threads = 2 };
	image->links[1] = (struct cr_wire_link){ .vpid = SMALL_CHILD,
						 .parent = SMALL_ROOT,
						 .pgid = SMALL_ROOT,
						 .sid = SMALL_ROOT,
						 .rank = CR_RANK_NONE,
						 .nr_threads = 1 };
	image->links[2] = (struct cr_wire_link){ .vpid = SMALL_ZOMBIE,
						 .parent = SMALL_CHILD,
						 .pgid = SMALL_ROOT,
						 .sid = SMALL_ROOT,
						 .rank = CR_RANK_NONE,
						 .flags = CR_LINK_F_ZOMBIE,
						 .exit_status = 3 << 8 };
	image->paths[0] = "/usr/bin/program";
	image->paths[1] = "/";
	image->paths[2] = "/home/user/log";
	for (uint32_t i = 0; i < 3; i++) {
		image->files[i].id = i + 1;
		image->files[i].kind = CR_FILE_REGULAR;
		image->spaces[i].id = i + 1;
		image->spaces[i].kind = CR_SPACE_MM;
	}
	image->files[0].flags = CR_FILE_F_UNOPENED;
	image->files[1].flags = CR_FILE_F_UNOPENED;
	image->files[1].kind = CR_FILE_DIRECTORY;
	image->spaces[2].kind = CR_SPACE_SHMEM;
	image->spaces[2].length = SMALL_SHM_PAGES * CR_WIRE_PAGE;
	small_image_init_tasks(image);
	small_image_init_tcp(image);
}

static inline int small_put(struct cr_image_writer *writer, int type,
			    uint32_t vpid, const void *a, size_t a_length,
			    const void *b, size_t b_length)
{
	const struct iovec iov[] = {
		{ (void *)(uintptr_t)a, a_length },
		{ (void *)(uintptr_t)b, b_length },
	};

	return cr_image_writer_put(writer, type, vpid, iov, b ? 2 : 1, NULL);
}

static inline int small_put_file(const struct small_image *image,
				 struct cr_image_writer *writer, int i,
				 const struct cr_wire_file *file)
{
	const struct iovec iov[] = {
		{ (void *)(uintptr_t)file, sizeof(*file) },
		{ (void *)(uintptr_t)image->paths[i], file->path_length },
		{ (void *)(uintptr_t)image->file_data,
		  i == 2 ? file->data_length : 0 },
	};

	return cr_image_writer_put(writer, CR_RECORD_FILE, 0, iov, 3, NULL);
}

static inline int small_put_common(const struct small_image *image,
				   struct cr_image_writer *writer)
{
	const struct cr_wire_tree tree = { .nr_tasks = 3 };
	int rc = small_put(writer, CR_RECORD_HEAD, 0, &image->head,
			   sizeof(image->head), NULL, 0);

	rc = rc ? rc :
		  small_put(writer, CR_RECORD_TREE, 0, &tree, sizeof(tree),
			    image->links, sizeof(image->links));
	for (int i = 0; i < 3; i++) {
		struct cr_wire_file file = image->files[i];

		file.path_length = (uint32_t)strlen(image->paths[i]);
		rc = rc ? rc : small_put_file(image, writer, i, &file);
	}
	if (!rc && image->has_tcp)
		rc = small_put_tcp(image, writer);
	for (int i = 0; i < 3; i++)
		rc = rc ? rc :
			  small_put(writer, CR_RECORD_SPACE, 0,
				    &image->spaces[i], sizeof(image->spaces[i]),
				    NULL, 0);
	return rc;
}

static inline int small_put_thread(const struct small_image *image,
				   struct cr_image_writer *writer, int i,
				   uint32_t vpid)
{
	const struct cr_wire_thread *thread = &image->threads[i];
	const struct iovec iov[] = {
		{ (void *)(uintptr_t)thread, sizeof(*thread) },
		{ (void *)(uintptr_t)&image->pending,
		  thread->nr_pending ? sizeof(image->pending) : 0 },
		{ (void *)(uintptr_t)image->xstate, sizeof(image->xstate) },
		{ (void *)(uintptr_t)image->groups, sizeof(image->groups) },
	};

	return cr_image_writer_put(writer, CR_RECORD_THREAD, vpid, iov, 4,
				   NULL);
}

static inline int small_is_bare(const struct small_image *image, int i)
{
	return i == 2 || (!image->forge_zombies &&
			  (image->links[i].flags & CR_LINK_F_ZOMBIE));
}

/* All of task @i but its threads. */
static inline int small_put_task(const struct small_image *image,
				 struct cr_image_writer *writer, int i)
{
	struct cr_wire_vma vmas[2] = { image->vmas[0], image->vmas[1] };
	uint32_t vpid = image->links[i].vpid;
	uint8_t auxv[32] = { 0 };
	int rc = small_put(writer, CR_RECORD_TASK, vpid, &image->tasks[i],
			   sizeof(image->tasks[i]), NULL, 0);

	if (rc || small_is_bare(image, i))
		return rc;
	vmas[0].end += image->heap_pages * CR_WIRE_PAGE;
	rc = small_put(writer, CR_RECORD_MM, vpid, &image->mms[i],
		       sizeof(image->mms[i]), auxv, sizeof(auxv));
	rc = rc ? rc :
		  small_put(writer, CR_RECORD_VMAS, vpid, vmas, sizeof(vmas),
			    NULL, 0);
	rc = rc ? rc :
		  small_put(writer, CR_RECORD_SIGNALS, vpid, &image->signals,
			    sizeof(image->signals), &image->pending,
			    sizeof(image->pending));
	if (rc || i == 1)
		return rc;
	rc = small_put(writer, CR_RECORD_FDS, vpid, image->fds,
		       sizeof(image->fds), NULL, 0);
	rc = rc ? rc :
		  small_put(writer, CR_RECORD_TIMERS, vpid, &image->timer,
			    sizeof(image->timer), NULL, 0);
	return rc ? rc :
		    small_put(writer, CR_RECORD_LOCKS, vpid, &image->lock,
			      sizeof(image->lock), NULL, 0);
}

static inline int small_put_memory(const struct small_image *image,
				   struct cr_image_writer *writer)
{
	const struct cr_wire_run heap = { SMALL_HEAP,
					  image->heap_pages * CR_WIRE_PAGE };
	const struct cr_wire_run shm[2] = {
		{ 0, CR_WIRE_PAGE }, { 2 * CR_WIRE_PAGE, CR_WIRE_PAGE }
	};
	const struct cr_memory_source *source =
		image->heap ? image->heap : &small_source;
	int rc = cr_image_writer_memory(writer, SMALL_SPACE_CHILD, source,
					&heap, 1, NULL);

	rc = rc ? rc :
		  cr_image_writer_memory(writer, SMALL_SPACE_ROOT, source,
					 &heap, 1, NULL);
	if (rc || image->no_shm)
		return rc;
	return cr_image_writer_memory(writer, SMALL_SPACE_SHM, &small_source,
				      shm, 2, NULL);
}

/* Write all records and memory; the caller commits. */
static inline int small_image_write(const struct small_image *image,
				    struct cr_image_writer *writer)
{
	int rc = small_put_common(image, writer);

	for (int i = 0; i < 3; i++) {
		rc = rc ? rc : small_put_task(image, writer, i);
		if (!rc && i == 0)
			rc = small_put_thread(image, writer, 0, SMALL_ROOT);
		if (!rc && !small_is_bare(image, i))
			rc = small_put_thread(image, writer, i + 1,
					      i ? SMALL_CHILD : SMALL_ROOT);
	}
	return rc ? rc : small_put_memory(image, writer);
}

#endif /* SMALL_IMAGE_H */
