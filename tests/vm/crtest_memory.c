/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crtest_memory.c - pages of a process from a file; crtest_checkpoint.c has the
 * way there
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crtest_scene.h"

static long fill(const struct scene *scene, const struct cr_wire_run *runs,
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

/* Save pages; returns where in the image they are, and their checksum. */
static uint64_t save(const struct scene *scene, struct cr_ioc_chunk chunk,
		     uint32_t nr_pages, uint32_t *crc)
{
	const struct cr_wire_chunk *header;
	struct cr_wire_record *record;
	uint64_t offset;

	crtest_is(crtest_save_one(scene, &chunk), 0);
	crtest_is(chunk.nr_pages, nr_pages);
	record = crtest_read_chunk(scene, &chunk);
	header = (const void *)(record + 1);
	*crc = header->data_crc;
	offset = chunk.offset + header->data_offset;
	free(record);
	return offset;
}

/* From one process to another by way of a file. */
static void fills(void)
{
	struct scene from = crtest_scene(PROT_READ);
	struct scene to = crtest_scene(PROT_READ | PROT_WRITE);
	const struct cr_wire_run run = { BASE, 13 * PAGE };
	/* in no order, which chunks would have */
	struct cr_wire_run runs[] = { { BASE + 20 * PAGE, 3 * PAGE },
				      { BASE + 8 * PAGE, 7 * PAGE } };
	const uint32_t sources[] = { 0, 1, 2, 4, 5, 6, 8, 9, 10, 12 };
	const uint32_t places[] = { 20, 21, 22, 8, 9, 10, 11, 12, 13, 14 };
	uint8_t page[PAGE];
	uint32_t crc, saved;
	uint64_t offset = save(&from, crtest_chunk(&from, &run, 1), 10, &saved);

	to.image = from.image;
	crtest_is(fill(&to, runs, 2, offset, &crc), 0);
	crtest_is(crc, saved);
	for (size_t i = 0; i < 10; i++) {
		crtest_is(pread(to.mem, page, PAGE,
				(off_t)(BASE + places[i] * PAGE)),
			  PAGE);
		crtest_true(crtest_is_painted(page, sources[i]));
	}
	crtest_is(pread(to.mem, page, PAGE, (off_t)(BASE + 16 * PAGE)), PAGE);
	crtest_true(crtest_is_painted(page, 16));
	/* one page more than the file has */
	runs[1].length += PAGE;
	crtest_is(fill(&to, runs, 2, offset, &crc), -ENODATA);
}

static void fills_itself(void)
{
	struct scene scene = crtest_scene(PROT_READ);
	const struct cr_wire_run run = { BASE, (NR - 8) * PAGE };
	struct cr_ioc_chunk chunk = crtest_chunk(&scene, &run, 1);
	uint32_t crc, saved;
	uint64_t offset;

	chunk.keep = 0;
	offset = save(&scene, chunk, NR - 8, &saved);
	scene.mem = open("/proc/self/mem", O_RDWR);
	crtest_map(PROT_READ | PROT_WRITE);
	crtest_is(fill(&scene, &run, 1, offset, &crc), 0);
	crtest_is(crc, saved);
	for (uint32_t i = 0; i < NR; i++)
		crtest_true(crtest_is_painted((void *)(BASE + i * PAGE), i));
}

static void refuses_to_fill(void)
{
	struct scene scene = crtest_scene(PROT_READ);
	struct cr_wire_run run = { BASE, 2 * PAGE };
	const struct cr_wire_run wrong[] = {
		{ KERNEL, PAGE },
		{ BASE + 1, PAGE },
		{ BASE, PAGE + 1 },
		{ BASE, 0 },
		{ BASE, CR_WIRE_CHUNK_MAX + PAGE },
		{ BASE, 0 - PAGE },
	};
	struct cr_ioc_fill call = { .image_fd = scene.image,
				    .mem_fd = scene.mem,
				    .runs = (uintptr_t)&run,
				    .nr_runs = 1 };
	uint32_t crc;

	crtest_is(ftruncate(scene.image, 8 * PAGE), 0);
	crtest_is(fill(&scene, &run, 1, 0, &crc), -EFAULT); /* not writable */
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		crtest_is(fill(&scene, &wrong[i], 1, 0, &crc), -EINVAL);
	crtest_is(fill(&scene, NULL, 1, 0, &crc), -EFAULT);
	crtest_is(fill(&scene, &run, 0, 0, &crc), -EINVAL);
	crtest_is(fill(&scene, &run, 1, UINT64_MAX, &crc), -EINVAL);
	call.flags = 1;
	crtest_is(ioctl(scene.device, CR_IOC_FILL, &call), -EINVAL);
	call.flags = 0;
	call.reserved = 1;
	crtest_is(ioctl(scene.device, CR_IOC_FILL, &call), -EINVAL);
	scene.mem = crtest_open_mem(scene.pid, O_RDONLY);
	crtest_is(fill(&scene, &run, 1, 0, &crc), -EBADF);
	scene.mem = scene.image;
	crtest_is(fill(&scene, &run, 1, 0, &crc), -EPERM);
	scene.image = open("/tmp", O_WRONLY | O_TMPFILE, 0600);
	crtest_is(fill(&scene, &run, 1, 0, &crc), -EBADF);
}

/* With what each CPU keeps for itself, which may be tens of MiB. */
static long free_kib(void)
{
	FILE *file = fopen("/proc/zoneinfo", "r");
	long pages = 0, more;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, " nr_free_pages %ld", &more) == 1 ||
		    sscanf(line, " count: %ld", &more) == 1)
			pages += more;
	if (file)
		fclose(file);
	crtest_true(pages > 0);
	return pages * 4;
}

/* Of the pages it would be some hundred MiB, of the header 24. */
static void leaves_nothing(void)
{
	struct scene scene = crtest_scene(PROT_READ | PROT_WRITE);
	const struct cr_wire_run run = { BASE, NR * PAGE };
	long before = 0, after;
	uint32_t crc;

	for (int i = 0; i < 1000; i++) {
		struct cr_ioc_chunk chunk = crtest_chunk(&scene, &run, 1);

		if (i == 10)
			before = free_kib();
		close(scene.device);
		scene.device = crtest_device();
		crtest_is(lseek(scene.image, 0, SEEK_SET), 0);
		chunk.keep = 0;
		crtest_is(crtest_save_one(&scene, &chunk), 0);
		crtest_is(chunk.nr_pages, NR);
		/* of a header of less than a page */
		crtest_is(fill(&scene, &run, 1, PAGE, &crc), 0);
		/* a new process: pages that are held would stay */
		if (i % 100 == 0) {
			kill(scene.pid, SIGKILL);
			waitpid(scene.pid, NULL, 0);
			close(scene.mem);
			close(scene.image);
			close(scene.device);
			scene = crtest_scene(PROT_READ | PROT_WRITE);
		}
	}
	after = free_kib();
	if (after < before - 10 * 1024)
		crtest_fail("%ld KiB are gone", before - after);
}

const struct crtest_case crtest_memory[] = {
	{ "a process is filled from a file", fills },
	{ "a process fills itself", fills_itself },
	{ "filling is refused where it must be", refuses_to_fill },
	{ "a thousand cycles leave nothing", leaves_nothing },
	{ 0 },
};
