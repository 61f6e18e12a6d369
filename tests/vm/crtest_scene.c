/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crtest_scene.c - see crtest_scene.h
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crtest_scene.h"

static const uint64_t no_zeros[CR_WIRE_CHUNK_PAGES / 64];

void crtest_map(int prot)
{
	crtest_true(mmap((void *)BASE, NR * PAGE, prot,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			 0) == (void *)BASE);
}

void crtest_paint(void)
{
	uint32_t *page = (uint32_t *)BASE;

	for (uint32_t i = 0; i < NR - 8; i++, page += PAGE / 4)
		for (uint32_t j = 0; j < PAGE / 4; j++)
			page[j] = i % 4 == 3 ? 0 : i + 1;
}

int crtest_is_painted(const void *page, uint32_t i)
{
	const uint32_t *words = page;

	for (uint32_t j = 0; j < PAGE / 4; j++)
		if (words[j] != (i % 4 == 3 || i >= NR - 8 ? 0 : i + 1))
			return 0;
	return 1;
}

int crtest_open_mem(pid_t pid, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return open(path, flags);
}

struct scene crtest_scene(int prot)
{
	struct scene scene = { .device = crtest_device() };

	scene.pid = fork();
	if (scene.pid == 0) {
		crtest_map(PROT_READ | PROT_WRITE);
		crtest_paint();
		mprotect((void *)BASE, NR * PAGE, prot);
		raise(SIGSTOP);
		_exit(0);
	}
	crtest_until(crtest_state(scene.pid) == 'T');
	scene.mem = crtest_open_mem(scene.pid, O_RDWR);
	scene.image = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	crtest_true(scene.mem >= 0 && scene.image >= 0);
	return scene;
}

struct cr_ioc_chunk crtest_chunk(const struct scene *scene,
				 const struct cr_wire_run *runs, uint32_t nr)
{
	return (struct cr_ioc_chunk){ .mem_fd = scene->mem,
				      .space = 7,
				      .runs = (uintptr_t)runs,
				      .nr_runs = nr,
				      .keep = (uintptr_t)no_zeros };
}

long crtest_save(const struct scene *scene, struct cr_ioc_chunk *chunks,
		 uint32_t nr, struct cr_ioc_checkpoint *call)
{
	*call = (struct cr_ioc_checkpoint){ .image_fd = scene->image,
					    .chunks = (uintptr_t)chunks,
					    .nr_chunks = nr,
					    .nr_done = 99,
					    .code = 99 };
	return ioctl(scene->device, CR_IOC_CHECKPOINT, call);
}

long crtest_save_one(const struct scene *scene, struct cr_ioc_chunk *chunk)
{
	struct cr_ioc_checkpoint call;

	crtest_is(crtest_save(scene, chunk, 1, &call), 0);
	crtest_is(call.nr_done, call.code == 0);
	errno = -call.code;
	return call.code ? -1 : 0;
}

static void check_header(const struct cr_wire_record *record,
			 const struct cr_ioc_chunk *chunk)
{
	const struct cr_wire_chunk *header = (const void *)(record + 1);

	crtest_is(record->type, CR_RECORD_CHUNK);
	crtest_is(record->flags, CR_RECORD_F_REQUIRED);
	crtest_is(record->vpid, 0);
	crtest_is(record->reserved, 0);
	crtest_is((long)record->length,
		  (long)(header->data_offset - sizeof(*record) +
			 header->stored_length));
	crtest_is(header->space, chunk->space);
	crtest_is(header->compression, CR_COMPRESS_NONE);
	crtest_is((long)header->raw_length, (long)(chunk->nr_pages * PAGE));
	crtest_is((long)header->stored_length, (long)header->raw_length);
	crtest_is((chunk->offset + header->data_offset) % PAGE, 0);
	crtest_true(header->data_offset <
		    sizeof(*record) + sizeof(*header) +
			    header->nr_runs * sizeof(struct cr_wire_run) +
			    PAGE);
}

static void check_runs(const struct cr_wire_record *record, const uint8_t *data)
{
	const struct cr_wire_chunk *header = (const void *)(record + 1);
	const struct cr_wire_run *runs = (const void *)(header + 1);
	const uint8_t *end = data + header->raw_length;

	for (uint32_t i = 0; i < header->nr_runs; i++) {
		crtest_true(!i || runs[i].address > runs[i - 1].address +
							    runs[i - 1].length);
		for (uint64_t at = 0; at < runs[i].length; at += PAGE) {
			crtest_true(data < end);
			crtest_true(
				crtest_is_painted(data,
						  (uint32_t)((runs[i].address -
							      BASE + at) /
							     PAGE)));
			data += PAGE;
		}
	}
	crtest_true(data == end);
}

struct cr_wire_record *crtest_read_chunk(const struct scene *scene,
					 const struct cr_ioc_chunk *chunk)
{
	const off_t at = (off_t)chunk->offset;
	struct cr_wire_record *record = calloc(1, 32 * PAGE);
	struct cr_wire_chunk *header = (void *)(record + 1);
	uint8_t *data = malloc(chunk->nr_pages * PAGE);
	uint32_t crc;

	crtest_true(pread(scene->image, record, 32 * PAGE, at) > 0);
	check_header(record, chunk);
	crc = record->crc;
	record->crc = 0;
	crtest_is(crtest_crc32c(record, header->data_offset), crc);
	crtest_is(pread(scene->image, data, header->raw_length,
			at + (off_t)header->data_offset),
		  (long)header->raw_length);
	crtest_is(crtest_crc32c(data, header->raw_length), header->data_crc);
	check_runs(record, data);
	free(data);
	return record;
}
