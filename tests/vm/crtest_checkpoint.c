/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crtest_checkpoint.c - pages of other processes, as chunks in a file
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crtest_scene.h"

#define KEPT ((NR - 8) * 3 / 4) /* pages of a scene that are not zero */

static void saves(int prot)
{
	struct scene scene = crtest_scene(prot);
	const struct cr_wire_run run = { BASE, NR * PAGE };
	struct cr_ioc_chunk chunk = crtest_chunk(&scene, &run, 1);
	const struct cr_wire_chunk *header;
	struct cr_wire_record *record;

	crtest_is(lseek(scene.image, 3 * PAGE + 8, SEEK_SET), 3 * PAGE + 8);
	crtest_is(crtest_save_one(&scene, &chunk), 0);
	crtest_is(chunk.nr_pages, KEPT);
	crtest_is((long)chunk.offset, 3 * PAGE + 8);
	record = crtest_read_chunk(&scene, &chunk);
	header = (const void *)(record + 1);
	crtest_is(header->nr_runs, (NR - 8) / 4);
	crtest_is(lseek(scene.image, 0, SEEK_CUR), (4 + KEPT) * PAGE);
	crtest_is(lseek(scene.image, 0, SEEK_END), (4 + KEPT) * PAGE);
	free(record);
}

static void saves_pages(void)
{
	saves(PROT_READ | PROT_WRITE);
}

static void saves_read_only(void)
{
	saves(PROT_READ);
}

static void saves_unreadable(void)
{
	saves(PROT_NONE);
}

static void keeps_zeros(void)
{
	struct scene scene = crtest_scene(PROT_READ);
	const struct cr_wire_run runs[] = { { BASE + 2 * PAGE, 2 * PAGE },
					    { BASE + 7 * PAGE, 2 * PAGE } };
	const uint64_t keep[CR_WIRE_CHUNK_PAGES / 64] = { 1ull << 1 };
	struct cr_ioc_chunk chunk = crtest_chunk(&scene, runs, 2);
	struct cr_wire_record *record;
	const struct cr_wire_run *kept;

	chunk.keep = (uintptr_t)keep;
	crtest_is(crtest_save_one(&scene, &chunk), 0);
	crtest_is(chunk.nr_pages, 3);
	record = crtest_read_chunk(&scene, &chunk);
	kept = (const void *)((struct cr_wire_chunk *)(record + 1) + 1);
	crtest_is((long)kept[0].address, (long)(BASE + 2 * PAGE));
	crtest_is((long)kept[0].length, 2 * PAGE);
	crtest_is((long)kept[1].address, (long)(BASE + 8 * PAGE));
	crtest_is((long)kept[1].length, PAGE);
	free(record);
	chunk.keep = 0;
	crtest_is(crtest_save_one(&scene, &chunk), 0);
	crtest_is(chunk.nr_pages, 4);
	/* as many words as there are pages for, and no more */
	chunk.keep = (uintptr_t)mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) +
		     PAGE - 8;
	crtest_is(munmap((void *)(chunk.keep + 8), PAGE), 0);
	crtest_is(crtest_save_one(&scene, &chunk), 0);
	chunk.keep += 8;
	crtest_is(crtest_save_one(&scene, &chunk), -EFAULT);
}

/* A tree of two: one call; what is zero makes no chunk. */
static void saves_a_tree(void)
{
	struct scene one = crtest_scene(PROT_READ);
	struct scene two = crtest_scene(PROT_READ | PROT_WRITE);
	const struct cr_wire_run low = { BASE, 5 * PAGE };
	const struct cr_wire_run zero = { BASE + 7 * PAGE, PAGE };
	const struct cr_wire_run high = { BASE + 8 * PAGE, (NR - 8) * PAGE };
	struct cr_ioc_chunk chunks[] = { crtest_chunk(&one, &low, 1),
					 crtest_chunk(&one, &zero, 1),
					 crtest_chunk(&one, &high, 1),
					 crtest_chunk(&two, &low, 1),
					 crtest_chunk(&two, &high, 1) };
	const uint32_t nr_pages[] = { 4, 0, KEPT - 6, 4, KEPT - 6 };
	struct cr_ioc_checkpoint call;
	uint64_t at = 0;

	chunks[3].space = chunks[4].space = 8;
	crtest_is(crtest_save(&one, chunks, 5, &call), 0);
	crtest_is(call.nr_done, 5);
	crtest_is(call.code, 0);
	for (uint32_t i = 0; i < 5; i++) {
		struct cr_wire_record *record;

		crtest_is(chunks[i].nr_pages, nr_pages[i]);
		if (!nr_pages[i])
			continue;
		crtest_is((long)chunks[i].offset, (long)at);
		record = crtest_read_chunk(&one, &chunks[i]);
		at += sizeof(*record) + record->length;
		free(record);
	}
	crtest_is(lseek(one.image, 0, SEEK_CUR), (long)at);
}

static void saves_the_most(void)
{
	struct scene scene = crtest_scene(PROT_READ);
	struct cr_wire_run runs[CR_WIRE_CHUNK_PAGES + 1];
	struct cr_ioc_chunk chunk = crtest_chunk(&scene, runs, NR / 2);
	struct cr_ioc_checkpoint call;

	for (uint32_t i = 0; i <= CR_WIRE_CHUNK_PAGES; i++)
		runs[i] = (struct cr_wire_run){ BASE + 2 * i * PAGE, PAGE };
	crtest_is(crtest_save_one(&scene, &chunk), 0);
	crtest_is(chunk.nr_pages, NR / 2 - 4);
	free(crtest_read_chunk(&scene, &chunk));
	chunk.nr_runs = CR_WIRE_CHUNK_PAGES;
	crtest_is(crtest_save_one(&scene, &chunk), -EFAULT);
	chunk.nr_runs++;
	crtest_is(crtest_save_one(&scene, &chunk), -EINVAL);
	chunk.nr_runs = UINT32_MAX;
	crtest_is(crtest_save_one(&scene, &chunk), -EINVAL);
	chunk.nr_runs = 2;
	runs[0].length = CR_WIRE_CHUNK_MAX;
	crtest_is(crtest_save_one(&scene, &chunk), -EINVAL);
	crtest_is(crtest_save(&scene, &chunk, 0, &call), -EINVAL);
	crtest_is(crtest_save(&scene, &chunk, CR_CHECKPOINT_CHUNKS_MAX + 1,
			      &call),
		  -EINVAL);
	crtest_is(crtest_save(&scene, NULL, 1, &call), -EFAULT);
}

static void saves_a_whole_chunk(void)
{
	struct scene scene = crtest_scene(PROT_READ);
	const struct cr_wire_run run = { BASE, CR_WIRE_CHUNK_MAX };
	struct cr_ioc_chunk chunk = crtest_chunk(&scene, &run, 1);
	struct stat stat;

	scene.mem = open("/proc/self/mem", O_RDONLY);
	chunk.mem_fd = scene.mem;
	chunk.keep = 0;
	crtest_true(mmap((void *)BASE, CR_WIRE_CHUNK_MAX, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == (void *)BASE);
	crtest_is(crtest_save_one(&scene, &chunk), 0);
	crtest_is(chunk.nr_pages, CR_WIRE_CHUNK_PAGES);
	crtest_is(fstat(scene.image, &stat), 0);
	crtest_is(stat.st_size, (long)(CR_WIRE_CHUNK_MAX + PAGE));
}

static void refuses_runs(void)
{
	struct scene scene = crtest_scene(PROT_READ);
	const struct cr_wire_run wrong[] = {
		{ BASE + 1, PAGE },	    { BASE, 0 },
		{ BASE, PAGE + 8 },	    { BASE, CR_WIRE_CHUNK_MAX + PAGE },
		{ BASE, 0 - PAGE },	    { KERNEL, PAGE },
		{ 0 - PAGE, PAGE },	    { 0 - PAGE, 2 * PAGE },
		{ 0x7ffffffff000ul, PAGE },
	};
	const struct cr_wire_run disordered[] = { { BASE + PAGE, 2 * PAGE },
						  { BASE + 2 * PAGE, PAGE } };
	const struct cr_wire_run holes[] = { { BASE + NR * PAGE, PAGE },
					     { BASE, (NR + 1) * PAGE },
					     { 0x7fffffffe000ul, 2 * PAGE } };
	struct cr_ioc_chunk chunk;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		chunk = crtest_chunk(&scene, &wrong[i], 1);
		crtest_is(crtest_save_one(&scene, &chunk), -EINVAL);
	}
	for (size_t i = 0; i < sizeof(holes) / sizeof(holes[0]); i++) {
		chunk = crtest_chunk(&scene, &holes[i], 1);
		crtest_is(crtest_save_one(&scene, &chunk), -EFAULT);
	}
	chunk = crtest_chunk(&scene, disordered, 2);
	crtest_is(crtest_save_one(&scene, &chunk), -EINVAL);
	chunk = crtest_chunk(&scene, NULL, 1);
	crtest_is(crtest_save_one(&scene, &chunk), -EFAULT);
	chunk = crtest_chunk(&scene, disordered, 0);
	crtest_is(crtest_save_one(&scene, &chunk), -EINVAL);
	crtest_is(lseek(scene.image, 0, SEEK_END), 0);
}

/* Nothing but an open /proc/PID/mem is a proof. */
static void refuses_proofs(void)
{
	struct scene scene = crtest_scene(PROT_READ);
	const struct cr_wire_run run = { BASE, PAGE };
	int fds[2];

	crtest_is(pipe(fds), 0);
	const struct {
		int fd, code;
	} proofs[] = {
		{ -1, -EBADF },
		{ scene.image, -EPERM },
		{ scene.device, -EPERM },
		{ fds[0], -EPERM },
		{ open("/proc/self/maps", O_RDONLY), -EPERM },
		{ open("/proc/self/environ", O_RDONLY), -EPERM },
		{ open("/proc/self/pagemap", O_RDONLY), -EPERM },
		{ open("/proc/self/mem", O_PATH), -EBADF },
		{ crtest_open_mem(scene.pid, O_WRONLY), -EBADF },
	};

	for (size_t i = 0; i < sizeof(proofs) / sizeof(proofs[0]); i++) {
		struct cr_ioc_chunk chunk = crtest_chunk(&scene, &run, 1);

		chunk.mem_fd = proofs[i].fd;
		crtest_is(crtest_save_one(&scene, &chunk), proofs[i].code);
	}
}

/* Another user gets no proof, though /dev/cr is theirs. */
static void refuses_other_users(void)
{
	struct scene scene = crtest_scene(PROT_READ);
	const struct cr_wire_run run = { BASE, PAGE };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct cr_ioc_chunk chunk = crtest_chunk(&scene, &run, 1);

		crtest_is(setuid(1000), 0);
		crtest_is(crtest_open_mem(scene.pid, O_RDONLY), -EACCES);
		/* what was opened with the right to is a right */
		crtest_is(crtest_save_one(&scene, &chunk), 0);
		_exit(0);
	}
	crtest_is(waitpid(pid, &status, 0), pid);
	crtest_is(status, 0);
}

/* The proof is of the memory and not of the number. */
static void forgets_after_exec(void)
{
	struct scene scene = crtest_scene(PROT_READ);
	const struct cr_wire_run run = { BASE, PAGE };
	struct cr_ioc_chunk chunk = crtest_chunk(&scene, &run, 1);

	crtest_is(crtest_save_one(&scene, &chunk), 0);
	kill(scene.pid, SIGKILL);
	waitpid(scene.pid, NULL, 0);
	crtest_is(crtest_save_one(&scene, &chunk), -ESRCH);

	scene.pid = fork();
	if (scene.pid == 0) {
		raise(SIGSTOP);
		execl("/bin/sleep", "sleep", "100", NULL);
	}
	crtest_until(crtest_state(scene.pid) == 'T');
	scene.mem = crtest_open_mem(scene.pid, O_RDWR);
	kill(scene.pid, SIGCONT);
	crtest_until(crtest_state(scene.pid) == 'S');
	chunk.mem_fd = scene.mem;
	crtest_is(crtest_save_one(&scene, &chunk), -ESRCH);
}

/* Of pages in use by our child and us, "Shared_Dirty" in its smaps. */
static long shared_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = 0, found = -1;
	unsigned long start = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (strchr(line, '-') && sscanf(line, "%lx-", &start) == 1 &&
		    start != BASE)
			start = 0;
		if (sscanf(line, "Shared_Dirty: %ld", &kib) == 1 && start)
			found = kib;
	}
	if (file)
		fclose(file);
	return found;
}

static void leaves_pages_shared(void)
{
	const struct cr_wire_run run = { BASE, (NR - 8) * PAGE };
	struct scene scene = { .device = crtest_device() };
	struct cr_ioc_chunk chunk;

	scene.image = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	crtest_map(PROT_READ | PROT_WRITE);
	crtest_paint();
	scene.pid = fork();
	if (scene.pid == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	crtest_until(crtest_state(scene.pid) == 'T');
	scene.mem = crtest_open_mem(scene.pid, O_RDONLY);
	crtest_is(shared_kib(scene.pid), (NR - 8) * 4);
	chunk = crtest_chunk(&scene, &run, 1);
	crtest_is(crtest_save_one(&scene, &chunk), 0);
	crtest_is(chunk.nr_pages, KEPT);
	crtest_is(shared_kib(scene.pid), (NR - 8) * 4);
}

static void refuses_images(void)
{
	struct scene scene = crtest_scene(PROT_READ);
	const struct cr_wire_run run = { BASE, PAGE };
	struct cr_ioc_chunk chunk = crtest_chunk(&scene, &run, 1);
	struct cr_ioc_checkpoint call = { .image_fd = scene.image,
					  .chunks = (uintptr_t)&chunk,
					  .nr_chunks = 1 };
	const int good = scene.image;
	int fds[2];

	call.flags = 1;
	crtest_is(ioctl(scene.device, CR_IOC_CHECKPOINT, &call), -EINVAL);
	call.flags = 0;
	call.reserved = 1;
	crtest_is(ioctl(scene.device, CR_IOC_CHECKPOINT, &call), -EINVAL);
	crtest_is(pipe(fds), 0);
	const struct {
		int fd, code;
	} images[] = {
		{ -1, -EBADF },
		{ open("/proc/self/maps", O_RDONLY), -EBADF },
		{ open("/tmp", O_RDONLY | O_DIRECTORY), -EBADF },
		{ fds[0], -EBADF },
		{ fds[1], -EINVAL },
		{ open("/dev/null", O_RDWR), -EINVAL },
		{ scene.device, -EINVAL },
		{ open("/tmp", O_RDWR | O_APPEND | O_TMPFILE, 0600), -EINVAL },
	};
	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		scene.image = images[i].fd;
		crtest_is(crtest_save(&scene, &chunk, 1, &call),
			  images[i].code);
	}
	scene.image = good;
	crtest_is(lseek(good, 4, SEEK_SET), 4);
	crtest_is(crtest_save(&scene, &chunk, 1, &call), -EINVAL);
	crtest_is(call.nr_done, 0);
	crtest_is(lseek(good, INT64_MAX - 7, SEEK_SET), INT64_MAX - 7);
	crtest_is(crtest_save(&scene, &chunk, 1, &call), -EFBIG);
	crtest_is(lseek(good, 0, SEEK_END), 0);
}

/* The disk is full in the middle: what is there stays, and is known. */
static void says_where_it_was_full(void)
{
	struct scene scene = crtest_scene(PROT_READ);
	const struct cr_wire_run run = { BASE, 20 * PAGE };
	struct cr_ioc_chunk chunks[5];
	struct cr_ioc_checkpoint call;

	for (int i = 0; i < 5; i++)
		chunks[i] = crtest_chunk(&scene, &run, 1);
	crtest_is(mkdir("/tmp/full", 0700), 0);
	crtest_is(mount("full", "/tmp/full", "tmpfs", 0, "size=160k"), 0);
	scene.image = open("/tmp/full/image", O_RDWR | O_CREAT, 0600);
	crtest_is(umount2("/tmp/full", MNT_DETACH), 0);
	rmdir("/tmp/full");
	/* 16 pages each with its header: two fit into 40, and half of one */
	crtest_is(crtest_save(&scene, chunks, 5, &call), -ENOSPC);
	crtest_is(call.nr_done, 2);
	crtest_is(call.code, 0);
	free(crtest_read_chunk(&scene, &chunks[0]));
	free(crtest_read_chunk(&scene, &chunks[1]));
	crtest_is(crtest_save(&scene, chunks, 5, &call), -ENOSPC);
	crtest_is(call.nr_done, 0);
}

/* One that cannot be taken is named, and the rest can do without it. */
static void says_what_it_could_not_take(void)
{
	struct scene scene = crtest_scene(PROT_READ);
	const struct cr_wire_run run = { BASE, 5 * PAGE };
	const struct cr_wire_run hole = { BASE + NR * PAGE, PAGE };
	struct cr_ioc_chunk chunks[] = { crtest_chunk(&scene, &run, 1),
					 crtest_chunk(&scene, &run, 1),
					 crtest_chunk(&scene, &hole, 1),
					 crtest_chunk(&scene, &run, 1) };
	struct cr_ioc_checkpoint call;

	crtest_is(crtest_save(&scene, chunks, 4, &call), 0);
	crtest_is(call.nr_done, 2);
	crtest_is(call.code, -EFAULT);
	crtest_is(lseek(scene.image, 0, SEEK_CUR), 10 * PAGE);
	crtest_is(lseek(scene.image, 0, SEEK_END), 10 * PAGE);
	crtest_is(crtest_save(&scene, chunks + 3, 1, &call), 0);
	crtest_is((long)chunks[3].offset, 10 * PAGE);
	for (int i = 0; i < 4; i += 1 + (i == 1))
		free(crtest_read_chunk(&scene, &chunks[i]));
}

#define MANY 64

struct saver {
	struct scene scene;
	struct cr_ioc_chunk chunks[MANY];
	struct cr_ioc_checkpoint call;
};

static void *save_many(void *argument)
{
	struct saver *saver = argument;

	crtest_is(crtest_save(&saver->scene, saver->chunks, MANY, &saver->call),
		  0);
	return NULL;
}

static int compare_chunks(const void *a, const void *b)
{
	const struct cr_ioc_chunk *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Several threads at once, by one open /dev/cr: no gap, nothing twice. */
static void saves_in_parallel(void)
{
	static struct saver savers[3];
	static struct cr_ioc_chunk all[3 * MANY];
	struct scene scene = crtest_scene(PROT_READ);
	const struct cr_wire_run run = { BASE, 9 * PAGE };
	pthread_t threads[3];
	uint64_t at = 0;

	for (uint32_t i = 0; i < 3; i++) {
		savers[i].scene = scene;
		for (uint32_t j = 0; j < MANY; j++)
			savers[i].chunks[j] = crtest_chunk(&scene, &run, 1);
		pthread_create(&threads[i], NULL, save_many, &savers[i]);
	}
	for (uint32_t i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		crtest_is(savers[i].call.nr_done, MANY);
		memcpy(all + i * MANY, savers[i].chunks,
		       sizeof(savers[i].chunks));
	}
	qsort(all, 3 * MANY, sizeof(all[0]), compare_chunks);
	for (uint32_t i = 0; i < 3 * MANY; i++) {
		struct cr_wire_record *record =
			crtest_read_chunk(&scene, &all[i]);

		crtest_is((long)all[i].offset, (long)at);
		at += sizeof(*record) + record->length;
		free(record);
	}
	crtest_is(lseek(scene.image, 0, SEEK_END), (long)at);
}

/* It would take minutes; and holds nothing of a process that has ended. */
static void dies_in_the_middle(void)
{
	struct scene scene = crtest_scene(PROT_READ | PROT_WRITE);
	static struct cr_ioc_chunk chunks[CR_CHECKPOINT_CHUNKS_MAX];
	const struct cr_wire_run run = { BASE, NR * PAGE };
	struct cr_ioc_checkpoint call;
	struct cr_ioc_chunk after;
	struct stat before;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		for (uint32_t i = 0; i < CR_CHECKPOINT_CHUNKS_MAX; i++)
			chunks[i] = crtest_chunk(&scene, &run, 1);
		crtest_save(&scene, chunks, CR_CHECKPOINT_CHUNKS_MAX, &call);
		_exit(0);
	}
	crtest_until(fstat(scene.image, &before) == 0 &&
		     before.st_size > (long)(400 * PAGE));
	kill(pid, SIGKILL);
	crtest_is(waitpid(pid, &status, 0), pid);
	crtest_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	crtest_is(fstat(scene.image, &before), 0);
	crtest_true(before.st_size <
		    (long)(CR_CHECKPOINT_CHUNKS_MAX / 2 * KEPT * PAGE));
	/* who comes next finds all as it was */
	after = crtest_chunk(&scene, &run, 1);
	crtest_is(lseek(scene.image, 0, SEEK_SET), 0);
	crtest_is(crtest_save_one(&scene, &after), 0);
	free(crtest_read_chunk(&scene, &after));
}

const struct crtest_case crtest_checkpoint[] = {
	{ "pages come into the file, zeros are left out", saves_pages },
	{ "read-only pages too", saves_read_only },
	{ "pages without access too", saves_unreadable },
	{ "zero pages are kept where they are to be", keeps_zeros },
	{ "a tree is saved by one call", saves_a_tree },
	{ "as many runs as are allowed, and no more", saves_the_most },
	{ "a chunk may be as long as is allowed", saves_a_whole_chunk },
	{ "wrong runs are refused", refuses_runs },
	{ "only an open /proc/PID/mem is a proof", refuses_proofs },
	{ "a task of another user is refused", refuses_other_users },
	{ "a proof ends with exit and exec", forgets_after_exec },
	{ "pages shared copy-on-write stay so", leaves_pages_shared },
	{ "files that are no image are refused", refuses_images },
	{ "a full disk is found at its place", says_where_it_was_full },
	{ "what cannot be taken is named", says_what_it_could_not_take },
	{ "several threads have a file in common", saves_in_parallel },
	{ "a kill in the middle ends it", dies_in_the_middle },
	{ 0 },
};
