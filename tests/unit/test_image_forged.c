// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_image_forged.c - forged images are refused
 *
 * They have right checksums and wrong contents: each check of cr_saved_load()
 * has its row in a table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "image_test.h"

static const struct cr_image_write_options plain = { .nr_workers = 1 };

/* A forged image differs from a good one in one number. */
struct forgery {
	const char *what;
	void (*forge)(struct small_image *image);
	int code;
};

#define FORGERY(name, statement)                            \
	static void forge_##name(struct small_image *image) \
	{                                                   \
		statement;                                  \
	}

FORGERY(version, image->head.version++)
FORGERY(arch, image->head.arch = 40)
FORGERY(page_size, image->head.page_size = 65536)
FORGERY(head_flags, image->head.flags = 1u << 31)
FORGERY(release, memset(image->head.release, 'x', 64))
FORGERY(node, memset(image->head.node, 'x', 64))
FORGERY(vdso, image->head.vdso_start = UINT64_MAX & ~4095ull)
FORGERY(vpid_zero, image->links[2].vpid = 0)
FORGERY(vpid_init, image->links[2].vpid = 1)
FORGERY(vpid_large, image->links[2].vpid = 1u << 23)
FORGERY(vpid_twice, image->links[2].vpid = SMALL_ROOT)
FORGERY(vpid_of_thread, image->links[2].vpid = SMALL_THREAD)
FORGERY(pgid, image->links[0].pgid = UINT32_MAX)
FORGERY(sid, image->links[0].sid = UINT32_MAX)
FORGERY(parent_unknown, image->links[1].parent = 99)
FORGERY(parent_itself, image->links[1].parent = SMALL_CHILD)
FORGERY(parent_later, image->links[0].parent = SMALL_CHILD;
	image->links[0].rank = CR_RANK_NONE)
FORGERY(parent_zombie, image->links[1].nr_threads = 0;
	image->links[1].flags = CR_LINK_F_ZOMBIE)
FORGERY(rank, image->links[1].rank = 0)
FORGERY(link_flags, image->links[0].flags = 64)
FORGERY(threads_missing, image->links[0].nr_threads = 3)
FORGERY(threads_too_many, image->links[0].nr_threads = 1)
FORGERY(threads_none, image->links[1].nr_threads = 0)
FORGERY(threads_huge, image->links[1].nr_threads = UINT32_MAX)
FORGERY(threads_of_zombie, image->links[2].nr_threads = 1)
FORGERY(zombie_with_mm, image->links[1].nr_threads = 0;
	image->forge_zombies = 1; image->links[1].flags = CR_LINK_F_ZOMBIE;
	image->links[2].parent = SMALL_ROOT)
FORGERY(leader_not_first, image->threads[0].tid = SMALL_THREAD;
	image->threads[1].tid = SMALL_ROOT)
FORGERY(tid_zero, image->threads[1].tid = 0)
FORGERY(tid_twice, image->threads[1].tid = SMALL_ROOT)
FORGERY(tid_of_other, image->threads[1].tid = SMALL_ZOMBIE)
FORGERY(thread_flags, image->threads[1].flags = 1)
FORGERY(thread_comm, memset(image->threads[0].comm, 'x', 16))
FORGERY(resume, image->threads[0].resume.kind = 3)
FORGERY(xstate_length, image->threads[0].xstate_length = 65544)
FORGERY(xstate_odd, image->threads[0].xstate_length = 1020)
FORGERY(groups_many, image->threads[0].nr_groups = 65537)
FORGERY(groups_long, image->threads[0].nr_groups = 30)
FORGERY(pending_many, image->threads[0].nr_pending = UINT32_MAX)
FORGERY(pending_short, image->signals.nr_pending = 0)
FORGERY(pending_long, image->signals.nr_pending = UINT32_MAX)
FORGERY(task_comm, memset(image->tasks[0].comm, 'x', 16))
FORGERY(umask, image->tasks[0].umask = 0x10000)
FORGERY(dumpable, image->tasks[0].dumpable = 2)
FORGERY(pdeath_signal, image->tasks[0].pdeath_signal = 65)
FORGERY(cwd_none, image->tasks[0].cwd = 0)
FORGERY(cwd_unknown, image->tasks[0].cwd = 4)
FORGERY(cwd_no_directory, image->tasks[0].cwd = SMALL_FILE_LOG)
FORGERY(root_unknown, image->tasks[1].root = UINT32_MAX)
FORGERY(root_no_directory, image->tasks[1].root = SMALL_FILE_PROGRAM)
FORGERY(exe_none, image->mms[0].exe = 0)
FORGERY(exe_unknown, image->mms[0].exe = 4)
FORGERY(mm_space_none, image->mms[0].space = 0)
FORGERY(mm_space_unknown, image->mms[0].space = 4)
FORGERY(mm_space_kind, image->mms[0].space = SMALL_SPACE_SHM)
FORGERY(mm_space_shared, image->mms[1].space = SMALL_SPACE_ROOT)
FORGERY(mm_address, image->mms[0].brk = UINT64_MAX)
FORGERY(auxv_long, image->mms[0].auxv_length = 64)
FORGERY(auxv_huge, image->mms[0].auxv_length = UINT32_MAX)
FORGERY(file_id, image->files[1].id = 3)
FORGERY(file_kind, image->files[1].kind = 99)
FORGERY(file_flags, image->files[1].flags = 1u << 20)
FORGERY(file_position, image->files[2].position = UINT64_MAX)
FORGERY(file_space, image->files[2].space = 4)
FORGERY(file_space_kind, image->files[2].space = SMALL_SPACE_SHM)
FORGERY(file_stream, image->files[2].kind = CR_FILE_EXTERNAL;
	image->files[2].peer = 3)
/* An external socket "pmix" with a note and two bytes that were not read. */
static struct {
	struct cr_wire_external wire;
	char bytes[16];
} external;
static void make_external(struct small_image *image)
{
	memset(&external, 0, sizeof(external));
	external.wire.name_length = 4;
	external.wire.note_length = 10;
	external.wire.unread_length = 2;
	memcpy(external.bytes, "pmixA note...XY", 16);
	image->files[2].kind = CR_FILE_EXTERNAL_SOCKET;
	image->files[2].data_length = sizeof(external);
	image->file_data = &external;
}
FORGERY(external, make_external(image)) /* none: it must be taken */
FORGERY(external_short, make_external(image);
	image->files[2].data_length = sizeof(external.wire) - 1)
FORGERY(external_cut, make_external(image); image->files[2].data_length--)
FORGERY(external_no_data, make_external(image); image->files[2].data_length = 0)
FORGERY(external_nameless, make_external(image); external.wire.name_length = 0;
	external.wire.note_length = 14)
FORGERY(external_name_long, make_external(image);
	external.wire.name_length = CR_EXTERNAL_NAME_MAX + 1)
FORGERY(external_name_nul, make_external(image); external.bytes[1] = 0)
FORGERY(external_note_huge, make_external(image);
	external.wire.note_length = UINT32_MAX - 1)
FORGERY(external_unread_huge, make_external(image);
	external.wire.unread_length = UINT32_MAX - 5)
FORGERY(external_listens, make_external(image);
	external.wire.flags = CR_EXTERNAL_F_LISTENS)
FORGERY(external_flags, make_external(image); external.wire.flags = 8)
FORGERY(external_timeout, make_external(image);
	external.wire.send_timeout_us = UINT64_MAX)
/* The program and the log are one file. */
static void make_ring(struct small_image *image)
{
	image->files[0].inode = image->files[2].inode = 7;
	image->files[0].peer = SMALL_FILE_LOG;
	image->files[2].peer = SMALL_FILE_PROGRAM;
}
FORGERY(ring, make_ring(image)) /* none: it must be taken */
FORGERY(ring_open, make_ring(image); image->files[2].peer = SMALL_FILE_LOG)
FORGERY(ring_unknown, make_ring(image); image->files[2].peer = 4)
/* An epoll set with files 1 and 2: number, descriptor, events, 0, data. */
static uint32_t targets[] = { 1, 5, 1, 0, 7, 0, 2, 6, 1, 0, 7, 0 };
static void make_epoll(struct small_image *image)
{
	targets[6] = 2;
	image->files[2].kind = CR_FILE_EPOLL;
	image->files[2].data_length = sizeof(targets);
	image->file_data = targets;
}
FORGERY(epoll, make_epoll(image)) /* none: it must be taken */
FORGERY(epoll_none, make_epoll(image); targets[6] = 0)
FORGERY(epoll_unknown, make_epoll(image); targets[6] = 4)
FORGERY(epoll_cut, make_epoll(image); image->files[2].data_length -= 4)
/* A watch: number, mask, length of the path, 0, and the path. */
static uint32_t watches[] = { 1, 2, 4, 0, 0x706d742f, 0 };
static void make_inotify(struct small_image *image)
{
	watches[2] = 4;
	image->files[2].kind = CR_FILE_INOTIFY;
	image->files[2].data_length = sizeof(watches);
	image->file_data = watches;
}
FORGERY(inotify, make_inotify(image)) /* none: it must be taken */
FORGERY(inotify_long, make_inotify(image); watches[2] = 9)
FORGERY(inotify_huge, make_inotify(image); watches[2] = UINT32_MAX)
FORGERY(inotify_cut, make_inotify(image); image->files[2].data_length = 12)
FORGERY(fd_unknown, image->fds[0].file = 4)
FORGERY(fd_none, image->fds[0].file = 0)
FORGERY(fd_unopened, image->fds[0].file = SMALL_FILE_PROGRAM)
FORGERY(fd_order, image->fds[0].fd = 6)
FORGERY(fd_twice, image->fds[0].fd = 5)
FORGERY(fd_huge, image->fds[1].fd = UINT32_MAX)
FORGERY(fd_cloexec, image->fds[1].cloexec = 2)
FORGERY(lock_fd, image->lock.fd = 4)
FORGERY(lock_kind, image->lock.kind = CR_LOCK_LEASE)
FORGERY(lock_type, image->lock.type = F_UNLCK)
FORGERY(lock_range, image->lock.start = INT64_MAX; image->lock.length = 1)
FORGERY(timer_thread, image->timer.tid = SMALL_CHILD)
FORGERY(timer_signal, image->timer.signal = 65)
FORGERY(timer_value, image->timer.value_ns = UINT64_MAX)
FORGERY(space_id, image->spaces[1].id = 1)
FORGERY(space_kind, image->spaces[2].kind = CR_SPACE_QUEUE + 1)
FORGERY(space_file, image->spaces[2].file = SMALL_FILE_LOG)
FORGERY(space_of_no_file, image->spaces[2].kind = CR_SPACE_FILE)
FORGERY(space_length, image->spaces[2].length = UINT64_MAX)
FORGERY(space_short, image->spaces[2].length = CR_WIRE_PAGE)
FORGERY(space_huge, image->spaces[2].huge_shift = 64)
FORGERY(semaphores_odd, image->spaces[2].kind = CR_SPACE_SEMAPHORES;
	image->spaces[2].length = 3)
FORGERY(queue_short, image->spaces[2].kind = CR_SPACE_QUEUE;
	image->spaces[2].length = sizeof(struct cr_wire_queue) - 1)
FORGERY(queue_long, image->spaces[2].kind = CR_SPACE_QUEUE;
	image->spaces[2].length = CR_SYSV_CONTENT_MAX + 1ull)
FORGERY(family_range, image->spaces[2].kind = CR_SPACE_FAMILY;
	image->spaces[2].start = 0x7fffffff0000;
	image->spaces[2].length = 1 << 20)
/* The heaps as a family; the third space becomes that of their pages. */
static void make_family(struct small_image *image)
{
	image->spaces[2].kind = CR_SPACE_FAMILY;
	image->spaces[2].start = SMALL_HEAP;
	image->spaces[2].length = 4 * CR_WIRE_PAGE;
	image->vmas[0].space = SMALL_SPACE_SHM;
	image->vmas[1].kind = CR_VMA_ANON;
	image->vmas[1].space = 0;
	image->no_shm = 1;
}
FORGERY(family, make_family(image)) /* none: it must be taken */
FORGERY(family_start, make_family(image);
	image->spaces[2].start -= CR_WIRE_PAGE)
FORGERY(family_short, make_family(image);
	image->spaces[2].length = CR_WIRE_PAGE)
FORGERY(family_file, make_family(image); image->spaces[2].file = SMALL_FILE_LOG)
FORGERY(family_of_shared, make_family(image);
	image->vmas[1].kind = CR_VMA_SHMEM;
	image->vmas[1].space = SMALL_SPACE_SHM)
FORGERY(vma_empty, image->vmas[1].end = SMALL_SHM)
FORGERY(vma_unaligned, image->vmas[1].start++)
FORGERY(vma_overlap, image->vmas[1].start = SMALL_HEAP + CR_WIRE_PAGE)
FORGERY(vma_order, image->vmas[1].start = CR_WIRE_PAGE;
	image->vmas[1].end = 2 * CR_WIRE_PAGE)
FORGERY(vma_high, image->vmas[1].end = 0x800000000000)
FORGERY(vma_kind, image->vmas[1].kind = 8)
FORGERY(vma_prot, image->vmas[1].prot = 8)
FORGERY(vma_flags, image->vmas[1].map_flags |= MAP_FIXED)
FORGERY(vma_advice, image->vmas[1].advice = 1u << 31)
FORGERY(vma_not_shared, image->vmas[1].map_flags = MAP_ANONYMOUS)
FORGERY(vma_offset, image->vmas[1].offset = 1)
FORGERY(vma_offset_huge, image->vmas[1].offset = INT64_MAX - 4095)
FORGERY(vma_space_none, image->vmas[1].space = 0)
FORGERY(vma_space_unknown, image->vmas[1].space = 4)
FORGERY(vma_space_kind, image->vmas[1].space = SMALL_SPACE_ROOT)
FORGERY(vma_file_none, image->vmas[1].kind = CR_VMA_FILE_SHARED;
	image->vmas[1].space = 0)
FORGERY(vma_file_unknown, image->vmas[1].kind = CR_VMA_FILE_PRIVATE;
	image->vmas[1].space = 0; image->vmas[1].file = 4)
FORGERY(vma_anon_file, image->vmas[0].file = SMALL_FILE_LOG)

#define ROW(name, code)                   \
	{                                 \
#name, forge_##name, code \
	}

static const struct forgery forgeries[] = {
	ROW(version, -EPROTONOSUPPORT),
	ROW(arch, -EPROTONOSUPPORT),
	ROW(page_size, -EPROTONOSUPPORT),
	ROW(head_flags, -EPROTONOSUPPORT),
	ROW(release, -EBADMSG),
	ROW(node, -EBADMSG),
	ROW(vdso, -EBADMSG),
	ROW(vpid_zero, -EBADMSG),
	ROW(vpid_init, -EBADMSG),
	ROW(vpid_large, -EBADMSG),
	ROW(vpid_twice, -EBADMSG),
	ROW(vpid_of_thread, -EBADMSG),
	ROW(pgid, -EBADMSG),
	ROW(sid, -EBADMSG),
	ROW(parent_unknown, -EBADMSG),
	ROW(parent_itself, -EBADMSG),
	ROW(parent_later, -EBADMSG),
	ROW(parent_zombie, -EBADMSG),
	ROW(rank, -EBADMSG),
	ROW(link_flags, -EPROTONOSUPPORT),
	ROW(threads_missing, -EBADMSG),
	ROW(threads_too_many, -EBADMSG),
	ROW(threads_none, -EBADMSG),
	ROW(threads_huge, -EBADMSG),
	ROW(threads_of_zombie, -EBADMSG),
	ROW(zombie_with_mm, -EBADMSG),
	ROW(leader_not_first, -EBADMSG),
	ROW(tid_zero, -EBADMSG),
	ROW(tid_twice, -EBADMSG),
	ROW(tid_of_other, -EBADMSG),
	ROW(thread_flags, -EPROTONOSUPPORT),
	ROW(thread_comm, -EBADMSG),
	ROW(resume, -EPROTONOSUPPORT),
	ROW(xstate_length, -EBADMSG),
	ROW(xstate_odd, -EBADMSG),
	ROW(groups_many, -EBADMSG),
	ROW(groups_long, -EBADMSG),
	ROW(pending_many, -EBADMSG),
	ROW(pending_short, -EBADMSG),
	ROW(pending_long, -EBADMSG),
	ROW(task_comm, -EBADMSG),
	ROW(umask, -EBADMSG),
	ROW(dumpable, -EBADMSG),
	ROW(pdeath_signal, -EBADMSG),
	ROW(cwd_none, -EBADMSG),
	ROW(cwd_unknown, -EBADMSG),
	ROW(cwd_no_directory, -EBADMSG),
	ROW(root_unknown, -EBADMSG),
	ROW(root_no_directory, -EBADMSG),
	ROW(exe_none, -EBADMSG),
	ROW(exe_unknown, -EBADMSG),
	ROW(mm_space_none, -EBADMSG),
	ROW(mm_space_unknown, -EBADMSG),
	ROW(mm_space_kind, -EBADMSG),
	ROW(mm_space_shared, -EBADMSG),
	ROW(mm_address, -EBADMSG),
	ROW(auxv_long, -EBADMSG),
	ROW(auxv_huge, -EBADMSG),
	ROW(file_id, -EBADMSG),
	ROW(file_kind, -EPROTONOSUPPORT),
	ROW(file_flags, -EPROTONOSUPPORT),
	ROW(file_position, -EBADMSG),
	ROW(file_space, -EBADMSG),
	ROW(file_space_kind, -EBADMSG),
	ROW(file_stream, -EBADMSG),
	ROW(external, 0),
	ROW(external_short, -EBADMSG),
	ROW(external_cut, -EBADMSG),
	ROW(external_no_data, -EBADMSG),
	ROW(external_nameless, -EBADMSG),
	ROW(external_name_long, -EBADMSG),
	ROW(external_name_nul, -EBADMSG),
	ROW(external_note_huge, -EBADMSG),
	ROW(external_unread_huge, -EBADMSG),
	ROW(external_listens, -EBADMSG),
	ROW(external_flags, -EPROTONOSUPPORT),
	ROW(external_timeout, -EBADMSG),
	ROW(ring, 0),
	ROW(ring_open, -EBADMSG),
	ROW(ring_unknown, -EBADMSG),
	ROW(epoll, 0),
	ROW(epoll_none, -EBADMSG),
	ROW(epoll_unknown, -EBADMSG),
	ROW(epoll_cut, -EBADMSG),
	ROW(inotify, 0),
	ROW(inotify_long, -EBADMSG),
	ROW(inotify_huge, -EBADMSG),
	ROW(inotify_cut, -EBADMSG),
	ROW(fd_unknown, -EBADMSG),
	ROW(fd_none, -EBADMSG),
	ROW(fd_unopened, -EBADMSG),
	ROW(fd_order, -EBADMSG),
	ROW(fd_twice, -EBADMSG),
	ROW(fd_huge, -EBADMSG),
	ROW(fd_cloexec, -EBADMSG),
	ROW(lock_fd, -EBADMSG),
	ROW(lock_kind, -EBADMSG),
	ROW(lock_type, -EBADMSG),
	ROW(lock_range, -EBADMSG),
	ROW(timer_thread, -EBADMSG),
	ROW(timer_signal, -EBADMSG),
	ROW(timer_value, -EBADMSG),
	ROW(space_id, -EBADMSG),
	ROW(space_kind, -EPROTONOSUPPORT),
	ROW(space_file, -EBADMSG),
	ROW(space_of_no_file, -EBADMSG),
	ROW(space_length, -EBADMSG),
	ROW(space_short, -EBADMSG),
	ROW(space_huge, -EBADMSG),
	ROW(semaphores_odd, -EBADMSG),
	ROW(queue_short, -EBADMSG),
	ROW(queue_long, -EBADMSG),
	ROW(family_range, -EBADMSG),
	ROW(family, 0),
	ROW(family_start, -EBADMSG),
	ROW(family_short, -EBADMSG),
	ROW(family_file, -EBADMSG),
	ROW(family_of_shared, -EBADMSG),
	ROW(vma_empty, -EBADMSG),
	ROW(vma_unaligned, -EBADMSG),
	ROW(vma_overlap, -EBADMSG),
	ROW(vma_order, -EBADMSG),
	ROW(vma_high, -EBADMSG),
	ROW(vma_kind, -EPROTONOSUPPORT),
	ROW(vma_prot, -EPROTONOSUPPORT),
	ROW(vma_flags, -EPROTONOSUPPORT),
	ROW(vma_advice, -EPROTONOSUPPORT),
	ROW(vma_not_shared, -EBADMSG),
	ROW(vma_offset, -EBADMSG),
	ROW(vma_offset_huge, -EBADMSG),
	ROW(vma_space_none, -EBADMSG),
	ROW(vma_space_unknown, -EBADMSG),
	ROW(vma_space_kind, -EBADMSG),
	ROW(vma_file_none, -EBADMSG),
	ROW(vma_file_unknown, -EBADMSG),
	ROW(vma_anon_file, -EBADMSG),
};

static void every_forgery_is_refused(void **state)
{
	struct small_image small;
	struct cr_error err;
	int fd, rc;

	(void)state;
	for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
		small_image_init(&small);
		small.heap_pages = 2;
		forgeries[i].forge(&small);
		fd = write_image(&small, &plain, NULL);
		err = (struct cr_error){ 0 };
		rc = read_all(fd, 2, &err);
		if (rc != forgeries[i].code || rc != err.code)
			fail_msg("%s: %d, not %d: %s", forgeries[i].what, rc,
				 forgeries[i].code, err.text);
		close(fd);
	}
}

/* Records in a wrong order or number: those of a list of types, all empty but
 * for the head and the tree. */
static int load_records(const int *types, size_t nr_types)
{
	struct cr_image_writer *writer;
	struct small_image small;
	struct cr_wire_tree tree = { .nr_tasks = 1 };
	int fd = memfd_create("image", MFD_CLOEXEC), rc;

	small_image_init(&small);
	small.links[0].nr_threads = 0;
	small.links[0].flags = CR_LINK_F_ZOMBIE;
	assert_int_equal(cr_image_writer_create_fd(fd, &plain, &writer, NULL),
			 0);
	for (size_t i = 0; i < nr_types; i++) {
		if (types[i] == CR_RECORD_HEAD)
			small_put(writer, types[i], 0, &small.head,
				  sizeof(small.head), NULL, 0);
		else if (types[i] == CR_RECORD_TREE)
			small_put(writer, types[i], 0, &tree, sizeof(tree),
				  small.links, sizeof(small.links[0]));
		else if (types[i] == CR_RECORD_TASK)
			small_put(writer, types[i], SMALL_ROOT, small.tasks,
				  sizeof(small.tasks[0]), NULL, 0);
		else
			cr_image_writer_put(writer, types[i], SMALL_ROOT, NULL,
					    0, NULL);
	}
	assert_int_equal(cr_image_writer_commit(writer, NULL, NULL), 0);
	rc = read_all(fd, 2, NULL);
	close(fd);
	return rc;
}

#define LOAD_RECORDS(...)                          \
	load_records((const int[]){ __VA_ARGS__ }, \
		     sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

static void records_out_of_order_are_refused(void **state)
{
	(void)state;
	/* The shortest good one. */
	assert_int_equal(LOAD_RECORDS(CR_RECORD_HEAD, CR_RECORD_TREE,
				      CR_RECORD_TASK),
			 0);
	assert_int_equal(LOAD_RECORDS(CR_RECORD_TREE, CR_RECORD_TASK),
			 -EBADMSG);
	assert_int_equal(LOAD_RECORDS(CR_RECORD_HEAD), -EBADMSG);
	assert_int_equal(LOAD_RECORDS(CR_RECORD_HEAD, CR_RECORD_TREE),
			 -EBADMSG);
	assert_int_equal(LOAD_RECORDS(CR_RECORD_HEAD, CR_RECORD_TASK,
				      CR_RECORD_TREE),
			 -EBADMSG);
	assert_int_equal(LOAD_RECORDS(CR_RECORD_HEAD, CR_RECORD_HEAD,
				      CR_RECORD_TREE, CR_RECORD_TASK),
			 -EBADMSG);
	assert_int_equal(LOAD_RECORDS(CR_RECORD_HEAD, CR_RECORD_TREE,
				      CR_RECORD_TREE, CR_RECORD_TASK),
			 -EBADMSG);
	assert_int_equal(LOAD_RECORDS(CR_RECORD_HEAD, CR_RECORD_TREE,
				      CR_RECORD_TASK, CR_RECORD_TASK),
			 -EBADMSG);
	assert_int_equal(LOAD_RECORDS(CR_RECORD_HEAD, CR_RECORD_TREE,
				      CR_RECORD_VMAS, CR_RECORD_TASK),
			 -EBADMSG);
	assert_int_equal(LOAD_RECORDS(CR_RECORD_HEAD, CR_RECORD_TREE,
				      CR_RECORD_TASK, CR_RECORD_VMAS),
			 -EBADMSG);
	assert_int_equal(LOAD_RECORDS(CR_RECORD_HEAD, CR_RECORD_TREE,
				      CR_RECORD_TASK, CR_RECORD_INDEX),
			 -EBADMSG);
	assert_int_equal(LOAD_RECORDS(CR_RECORD_HEAD, CR_RECORD_TREE,
				      CR_RECORD_TASK, CR_RECORD_TAIL),
			 -EBADMSG);
	assert_int_equal(LOAD_RECORDS(CR_RECORD_HEAD, CR_RECORD_TREE,
				      CR_RECORD_TASK, 20),
			 -EPROTONOSUPPORT);
}

static void paths_with_zero_bytes_are_refused(void **state)
{
	struct cr_image_writer *writer;
	struct small_image small;
	int fd = memfd_create("image", MFD_CLOEXEC);

	(void)state;
	small_image_init(&small);
	assert_int_equal(cr_image_writer_create_fd(fd, &plain, &writer, NULL),
			 0);
	assert_int_equal(small_put_common(&small, writer), 0);
	small.files[2].id = 4;
	small.files[2].path_length = 4;
	assert_int_equal(small_put(writer, CR_RECORD_FILE, 0, &small.files[2],
				   sizeof(small.files[2]), "/a\0b", 4),
			 0);
	assert_int_equal(cr_image_writer_commit(writer, NULL, NULL), 0);
	assert_int_equal(read_all(fd, 2, NULL), -EBADMSG);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_forgery_is_refused),
		cmocka_unit_test(records_out_of_order_are_refused),
		cmocka_unit_test(paths_with_zero_bytes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
