/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crtest_memory.c - pages of another process, to a file and from it
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crtest.h"

#define PAGE 4096ul
#define NR 64u /* pages of the scene */
#define BASE 0x200000000ul
#define KERNEL 0xffff888000000000ul

/*
 * A stopped process with pages at BASE: page i is full of the number i + 1,
 * every fourth is zero, and the last eight were never touched.
 */
struct scene {
	pid_t pid;
	int mem; /* its /proc/PID/mem, for reading and writing */
	int device;
	int image; /* empty file */
};

static void *map_base(int prot)
{
	void *base =
		mmap((void *)BASE, NR * PAGE, prot,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	crtest_true(base == (void *)BASE);
	return base;
}

static void paint(void)
{
	uint32_t *page = (uint32_t *)BASE;

	for (uint32_t i = 0; i < NR - 8; i++, page += PAGE / 4)
		for (uint32_t j = 0; j < PAGE / 4; j++)
			page[j] = i % 4 == 3 ? 0 : i + 1;
}

static int is_painted(const uint32_t *page, uint32_t i)
{
	for (uint32_t j = 0; j < PAGE / 4; j++)
		if (page[j] != (i % 4 == 3 || i >= NR - 8 ? 0 : i + 1))
			return 0;
	return 1;
}

static int open_mem(pid_t pid, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return open(path, flags);
}

/* @prot is what the pages have in the end. */
static struct scene make_scene(int prot)
{
	struct scene scene = { .device = crtest_device() };

	scene.pid = fork();
	if (scene.pid == 0) {
		map_base(PROT_READ | PROT_WRITE);
		paint();
		mprotect((void *)BASE, NR * PAGE, prot);
		raise(SIGSTOP);
		_exit(0);
	}
	crtest_until(crtest_state(scene.pid) == 'T');
	scene.mem = open_mem(scene.pid, O_RDWR);
	scene.image = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	crtest_true(scene.mem >= 0 && scene.image >= 0);
	return scene;
}

static long take(const struct scene *scene, struct cr_ioc_run *runs,
		 uint32_t nr, struct cr_ioc_take *call)
{
	memset(call, 0, sizeof(*call));
	call->mem_fd = scene->mem;
	call->runs = (uintptr_t)runs;
	call->nr_runs = nr;
	return ioctl(scene->device, CR_IOC_TAKE, call);
}

static long put(const struct scene *scene, uint64_t offset)
{
	struct cr_ioc_put call = { .image_fd = scene->image, .offset = offset };

	return ioctl(scene->device, CR_IOC_PUT, &call);
}

/* The pages of the scene's image from @offset on: which are they? */
static void expect_pages(const struct scene *scene,
			 const struct cr_ioc_take *call, uint64_t offset,
			 uint32_t first)
{
	uint8_t *bytes = malloc(call->nr_kept * PAGE);
	uint32_t from = 0;

	crtest_is(pread(scene->image, bytes, call->nr_kept * PAGE,
			(off_t)offset),
		  (long)(call->nr_kept * PAGE));
	crtest_is(crtest_crc32c(bytes, call->nr_kept * PAGE), call->crc);
	for (uint32_t i = 0; i < CR_TAKE_PAGES_MAX; i++)
		if (call->kept[i / 64] >> (i % 64) & 1)
			crtest_true(is_painted((void *)(bytes + PAGE * from++),
					       first + i));
	crtest_is(from, call->nr_kept);
	free(bytes);
}

/* ---- cases */

static void saves(int prot)
{
	struct scene scene = make_scene(prot);
	struct cr_ioc_run run = { BASE, NR, 0 };
	struct cr_ioc_take call;

	crtest_is(take(&scene, &run, 1, &call), 0);
	crtest_is(call.nr_kept, (NR - 8) * 3 / 4);
	crtest_is(put(&scene, 3 * PAGE), 0);
	expect_pages(&scene, &call, 3 * PAGE, 0);
	crtest_is(put(&scene, 0), -ENODATA);
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
	struct scene scene = make_scene(PROT_READ);
	struct cr_ioc_run runs[] = { { BASE + 2 * PAGE, 2, CR_RUN_F_KEEP_ZERO },
				     { BASE + 7 * PAGE, 2, 0 } };
	struct cr_ioc_take call;

	crtest_is(take(&scene, runs, 2, &call), 0);
	crtest_is(call.nr_kept, 3);
	crtest_is(call.kept[0], 0xb);
	crtest_is(put(&scene, 0), 0);
}

static void takes_the_most(void)
{
	struct scene scene = make_scene(PROT_READ);
	struct cr_ioc_run runs[CR_TAKE_PAGES_MAX + 1];
	struct cr_ioc_take call;

	for (uint32_t i = 0; i <= CR_TAKE_PAGES_MAX; i++)
		runs[i] = (struct cr_ioc_run){ BASE + i * PAGE, 1, 0 };
	crtest_is(take(&scene, runs, NR, &call), 0);
	crtest_is(take(&scene, runs, CR_TAKE_PAGES_MAX, &call), -EFAULT);
	crtest_is(take(&scene, runs, CR_TAKE_PAGES_MAX + 1, &call), -EINVAL);
	runs[0].nr_pages = CR_TAKE_PAGES_MAX + 1;
	crtest_is(take(&scene, runs, 1, &call), -EINVAL);
}

static void refuses_runs(void)
{
	struct scene scene = make_scene(PROT_READ);
	const struct cr_ioc_run wrong[] = {
		{ BASE + 1, 1, 0 },
		{ BASE, 0, 0 },
		{ BASE, 1, 2 },
		{ KERNEL, 1, 0 },
		{ UINT64_MAX - 4095, 1, 0 },
	};
	struct cr_ioc_run runs[1];
	struct cr_ioc_run hole = { BASE + NR * PAGE, 1, 0 };
	struct cr_ioc_take call;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		runs[0] = wrong[i];
		crtest_is(take(&scene, runs, 1, &call), -EINVAL);
	}
	runs[0] = (struct cr_ioc_run){ BASE + PAGE, 1, 0 };
	crtest_is(take(&scene, NULL, 1, &call), -EFAULT);
	crtest_is(take(&scene, runs, 0, &call), -EINVAL);
	crtest_is(take(&scene, &hole, 1, &call), -EFAULT);
	/* the user's own view of the last page that may be */
	hole.address = 0x7ffffffff000ul;
	crtest_is(take(&scene, &hole, 1, &call), -EINVAL);
	hole.address -= PAGE;
	hole.nr_pages = 2;
	crtest_is(take(&scene, &hole, 1, &call), -EFAULT);
	crtest_is(put(&scene, 0), -ENODATA);
}

/* Nothing but an open /proc/PID/mem is a proof. */
static void refuses_proofs(void)
{
	struct scene scene = make_scene(PROT_READ);
	struct cr_ioc_run run = { BASE, 1, 0 };
	struct cr_ioc_take call;
	int fds[2];

	scene.mem = -1;
	crtest_is(take(&scene, &run, 1, &call), -EBADF);
	scene.mem = scene.image;
	crtest_is(take(&scene, &run, 1, &call), -EPERM);
	scene.mem = scene.device;
	crtest_is(take(&scene, &run, 1, &call), -EPERM);
	crtest_is(pipe(fds), 0);
	scene.mem = fds[0];
	crtest_is(take(&scene, &run, 1, &call), -EPERM);
	scene.mem = open("/proc/self/maps", O_RDONLY);
	crtest_is(take(&scene, &run, 1, &call), -EPERM);
	scene.mem = open("/proc/self/environ", O_RDONLY);
	crtest_is(take(&scene, &run, 1, &call), -EPERM);
	scene.mem = open("/proc/self/pagemap", O_RDONLY);
	crtest_is(take(&scene, &run, 1, &call), -EPERM);
	scene.mem = open("/proc/self/mem", O_PATH);
	crtest_is(take(&scene, &run, 1, &call), -EBADF);
	scene.mem = open_mem(scene.pid, O_WRONLY);
	crtest_is(take(&scene, &run, 1, &call), -EBADF);
}

/* Another user gets no proof, though /dev/cr is theirs. */
static void refuses_other_users(void)
{
	struct scene scene = make_scene(PROT_READ);
	struct cr_ioc_run run = { BASE, 1, 0 };
	struct cr_ioc_take call;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		crtest_is(setuid(1000), 0);
		crtest_is(open_mem(scene.pid, O_RDONLY), -EACCES);
		/* what was opened with the right to is a right */
		crtest_is(take(&scene, &run, 1, &call), 0);
		_exit(0);
	}
	crtest_is(waitpid(pid, &status, 0), pid);
	crtest_is(status, 0);
}

/* The proof is of the memory and not of the number. */
static void forgets_after_exec(void)
{
	struct scene scene = make_scene(PROT_READ);
	struct cr_ioc_run run = { BASE, 1, 0 };
	struct cr_ioc_take call;

	crtest_is(take(&scene, &run, 1, &call), 0);
	kill(scene.pid, SIGKILL);
	waitpid(scene.pid, NULL, 0);
	crtest_is(take(&scene, &run, 1, &call), -ESRCH);

	scene.pid = fork();
	if (scene.pid == 0) {
		raise(SIGSTOP);
		execl("/bin/sleep", "sleep", "100", NULL);
	}
	crtest_until(crtest_state(scene.pid) == 'T');
	scene.mem = open_mem(scene.pid, O_RDWR);
	kill(scene.pid, SIGCONT);
	crtest_until(crtest_state(scene.pid) == 'S');
	crtest_is(take(&scene, &run, 1, &call), -ESRCH);
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
	struct cr_ioc_run run = { BASE, NR - 8, 0 };
	struct scene scene = { .device = crtest_device() };
	struct cr_ioc_take call;
	long shared;

	map_base(PROT_READ | PROT_WRITE);
	paint();
	scene.pid = fork();
	if (scene.pid == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	crtest_until(crtest_state(scene.pid) == 'T');
	scene.mem = open_mem(scene.pid, O_RDONLY);
	shared = shared_kib(scene.pid);
	crtest_is(shared, (NR - 8) * 4);
	crtest_is(take(&scene, &run, 1, &call), 0);
	crtest_is(shared_kib(scene.pid), shared);
}

static void refuses_images(void)
{
	struct scene scene = make_scene(PROT_READ);
	struct cr_ioc_run run = { BASE, NR, 0 };
	struct cr_ioc_take call;
	int good = scene.image;

	crtest_is(mkdir("/tmp/full", 0700), 0);
	crtest_is(mount("full", "/tmp/full", "tmpfs", 0, "size=64k"), 0);
	scene.image = open("/tmp/full/image", O_RDWR | O_CREAT, 0600);
	crtest_is(umount2("/tmp/full", MNT_DETACH), 0);
	rmdir("/tmp/full");
	crtest_is(take(&scene, &run, 1, &call), 0);
	crtest_is(put(&scene, 0), -ENOSPC);
	crtest_is(put(&scene, 0), -ENODATA);
	crtest_is(take(&scene, &run, 1, &call), 0);
	scene.image = -1;
	crtest_is(put(&scene, 0), -EBADF);
	scene.image = open("/proc/self/maps", O_RDONLY);
	crtest_is(put(&scene, 0), -EBADF);
	scene.image = good;
	crtest_is(put(&scene, 1), -EINVAL);
	crtest_is(put(&scene, UINT64_MAX - 4095), -EINVAL);
	crtest_is(put(&scene, 0), 0); /* still held */
}

static long fill(const struct scene *scene, struct cr_ioc_run *runs,
		 uint32_t nr, uint64_t offset, uint32_t *crc)
{
	struct cr_ioc_fill call = { .mem_fd = scene->mem,
				    .image_fd = scene->image,
				    .offset = offset,
				    .runs = (uintptr_t)runs,
				    .nr_runs = nr };
	long rc = ioctl(scene->device, CR_IOC_FILL, &call);

	*crc = call.crc;
	return rc;
}

/* From one process to another by way of a file. */
static void fills(void)
{
	struct scene from = make_scene(PROT_READ);
	struct scene to = make_scene(PROT_READ | PROT_WRITE);
	struct cr_ioc_run runs[] = { { BASE + 8 * PAGE, 7, 0 },
				     { BASE + 20 * PAGE, 3, 0 } };
	const uint32_t sources[] = { 0, 1, 2, 4, 5, 6, 8, 9, 10, 12 };
	const uint32_t places[] = { 8, 9, 10, 11, 12, 13, 14, 20, 21, 22 };
	struct cr_ioc_run run = { BASE, 13, 0 };
	uint8_t page[PAGE];
	struct cr_ioc_take call;
	uint32_t crc;

	crtest_is(take(&from, &run, 1, &call), 0);
	crtest_is(call.nr_kept, 10);
	crtest_is(put(&from, PAGE), 0);
	to.image = from.image;
	crtest_is(fill(&to, runs, 2, PAGE, &crc), 0);
	crtest_is(crc, call.crc);
	for (size_t i = 0; i < 10; i++) {
		crtest_is(pread(to.mem, page, PAGE,
				(off_t)(BASE + places[i] * PAGE)),
			  PAGE);
		crtest_true(is_painted((void *)page, sources[i]));
	}
	crtest_is(pread(to.mem, page, PAGE, (off_t)(BASE + 16 * PAGE)), PAGE);
	crtest_true(is_painted((void *)page, 16));
	/* one page more than the file has */
	runs[1].nr_pages = 4;
	crtest_is(fill(&to, runs, 2, PAGE, &crc), -ENODATA);
}

static void fills_itself(void)
{
	struct scene scene = make_scene(PROT_READ);
	struct cr_ioc_run run = { BASE, NR - 8, CR_RUN_F_KEEP_ZERO };
	struct cr_ioc_take call;
	uint32_t crc;

	crtest_is(take(&scene, &run, 1, &call), 0);
	crtest_is(put(&scene, 0), 0);
	scene.mem = open("/proc/self/mem", O_RDWR);
	map_base(PROT_READ | PROT_WRITE);
	run.flags = 0;
	crtest_is(fill(&scene, &run, 1, 0, &crc), 0);
	crtest_is(crc, call.crc);
	for (uint32_t i = 0; i < NR; i++)
		crtest_true(is_painted((void *)(BASE + i * PAGE), i));
}

static void refuses_to_fill(void)
{
	struct scene scene = make_scene(PROT_READ);
	struct cr_ioc_run run = { BASE, 2, 0 };
	struct cr_ioc_take call;
	uint32_t crc, vpid = (uint32_t)getpid();
	struct cr_ioc_restart begin = { .timeout_ms = 1000 };

	crtest_is(ftruncate(scene.image, 8 * PAGE), 0);
	crtest_is(fill(&scene, &run, 1, 0, &crc), -EFAULT); /* not writable */
	run.flags = 1;
	crtest_is(fill(&scene, &run, 1, 0, &crc), -EINVAL);
	run.flags = 0;
	run.address = KERNEL;
	crtest_is(fill(&scene, &run, 1, 0, &crc), -EINVAL);
	run.address = BASE;
	crtest_is(take(&scene, &run, 1, &call), 0);
	crtest_is(fill(&scene, &run, 1, 0, &crc), -EBUSY);
	crtest_is(put(&scene, 0), 0);
	begin.image_fd = crtest_image(&vpid, NULL, 1);
	crtest_is(ioctl(scene.device, CR_IOC_RESTART, &begin), -EBUSY);
	scene.device = crtest_device();
	crtest_is(ioctl(scene.device, CR_IOC_RESTART, &begin), 0);
	crtest_is(fill(&scene, &run, 1, 0, &crc), -EBUSY);
	crtest_is(take(&scene, &run, 1, &call), -EBUSY);
	scene.device = crtest_device();
	scene.mem = open_mem(scene.pid, O_RDONLY);
	crtest_is(fill(&scene, &run, 1, 0, &crc), -EBADF);
	scene.mem = scene.image;
	crtest_is(fill(&scene, &run, 1, 0, &crc), -EPERM);
}

static long free_kib(void)
{
	char line[128];
	FILE *file = fopen("/proc/meminfo", "r");
	long kib = -1;

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %ld", &kib) == 1)
			break;
	fclose(file);
	return kib;
}

/* A leak of one page a cycle would be some hundred MiB. */
static void leaves_nothing(void)
{
	struct scene scene = make_scene(PROT_READ | PROT_WRITE);
	struct cr_ioc_run run = { BASE, NR, CR_RUN_F_KEEP_ZERO };
	struct cr_ioc_take call;
	long before = 0;
	uint32_t crc;
	int mem = scene.mem;

	for (int i = 0; i < 1000; i++) {
		if (i == 10)
			before = free_kib();
		close(scene.device);
		scene.device = crtest_device();
		crtest_is(take(&scene, &run, 1, &call), 0);
		if (i % 2)
			continue; /* closed while they are held */
		crtest_is(put(&scene, 0), 0);
		run.flags = 0;
		crtest_is(fill(&scene, &run, 1, 0, &crc), 0);
		run.flags = CR_RUN_F_KEEP_ZERO;
		/* a new process: pages that are held would stay */
		if (i % 100 == 0) {
			kill(scene.pid, SIGKILL);
			waitpid(scene.pid, NULL, 0);
			close(mem);
			close(scene.image);
			close(scene.device);
			scene = make_scene(PROT_READ | PROT_WRITE);
			mem = scene.mem;
		}
	}
	crtest_true(free_kib() > before - 20 * 1024);
}

const struct crtest_case crtest_memory[] = {
	{ "pages come into the file, zeros are left out", saves_pages },
	{ "read-only pages too", saves_read_only },
	{ "pages without access too", saves_unreadable },
	{ "zero pages are kept where they are to be", keeps_zeros },
	{ "as many runs as are allowed, and no more", takes_the_most },
	{ "wrong runs are refused", refuses_runs },
	{ "only an open /proc/PID/mem is a proof", refuses_proofs },
	{ "a task of another user is refused", refuses_other_users },
	{ "a proof ends with exit and exec", forgets_after_exec },
	{ "pages shared copy-on-write stay so", leaves_pages_shared },
	{ "files that cannot be written are refused", refuses_images },
	{ "a process is filled from a file", fills },
	{ "a process fills itself", fills_itself },
	{ "filling is refused where it must be", refuses_to_fill },
	{ "a thousand cycles leave nothing", leaves_nothing },
	{ 0 },
};
