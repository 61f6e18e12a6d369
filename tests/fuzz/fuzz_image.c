// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_image.c - libFuzzer target: everything that reads an image
 *
 * An input is an image.  Since a changed byte would only ever be met by a
 * checksum, the mutator sets the checksums right again, so that the checks
 * behind them are reached.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cr_image.h"
#include "crc.h"
#include "file_tcp.h"
#include "image_wire.h"
#include "saved.h"

#define SCRATCH (CR_WIRE_CHUNK_MAX + 0ul)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
			       unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static uint8_t *scratch;

/* Everything has its place, in the same few MiB. */
static void *locate(void *arg, uint64_t address, uint64_t *length)
{
	uint64_t offset = address % SCRATCH;

	(void)arg;
	if (*length > SCRATCH - offset)
		*length = SCRATCH - offset;
	return scratch + offset;
}

static void read_as_stream(const uint8_t *data, size_t size)
{
	struct cr_record record;
	struct cr_image *image;
	int fds[2];

	if (size > 65536 || pipe(fds))
		return;
	if (write(fds[1], data, size) != (ssize_t)size)
		abort();
	close(fds[1]);
	if (cr_image_open_fd(fds[0], &image, NULL)) {
		close(fds[0]);
		return;
	}
	while (cr_image_next(image, &record, 1, NULL) > 0)
		;
	cr_image_close(image);
}

/* All that a restart would read of a TCP socket. */
static uint32_t touch_tcp(const struct cr_saved *saved, uint32_t id,
			  uint32_t crc)
{
	const struct cr_tcp_peer peer = { .kind = CR_TCP_PEER_END };
	const struct cr_tcp_restart restart = { .peers = &peer, .nr_peers = 1 };
	struct cr_tcp_making making;
	const struct cr_wire_tcp *head;
	uint32_t skip;

	if (cr_tcp_prepare(saved, &restart, id, &making, NULL))
		return crc;
	head = making.tcp.head;
	skip = making.send_first - head->send_first;
	if (skip > head->send_length)
		abort();
	crc = cr_crc32c(crc, making.tcp.waiting,
			head->nr_waiting * sizeof(*making.tcp.waiting));
	crc = cr_crc32c(crc, making.tcp.received, head->receive_length);
	return cr_crc32c(crc, making.tcp.sent + skip, head->send_length - skip);
}

/* Touch what the header promises to be there: a wrong pointer must show. */
static uint32_t touch(const struct cr_saved *saved)
{
	uint32_t crc = cr_crc32c(0, saved->head, sizeof(*saved->head));

	for (size_t i = 0; i < saved->nr_files; i++) {
		const struct cr_saved_file *file = &saved->files[i];

		crc = cr_crc32c(crc, file->path, strlen(file->path));
		crc = cr_crc32c(crc, file->data, file->file->data_length);
		if (file->file->kind == CR_FILE_TCP)
			crc = touch_tcp(saved, file->file->id, crc);
	}
	for (size_t i = 0; i < saved->nr_tasks; i++) {
		const struct cr_saved_task *task = &saved->tasks[i];

		if (cr_saved_find(saved, task->link->vpid) != (long)i)
			abort();
		crc = cr_crc32c(crc, task->task, sizeof(*task->task));
		if (!task->mm)
			continue;
		crc = cr_crc32c(crc, saved->spaces[task->mm->space - 1],
				sizeof(struct cr_wire_space));
		crc = cr_crc32c(crc, saved->files[task->mm->exe - 1].file,
				sizeof(struct cr_wire_file));
		crc = cr_crc32c(crc, task->auxv, task->mm->auxv_length);
		crc = cr_crc32c(crc, task->vmas,
				task->nr_vmas * sizeof(*task->vmas));
		crc = cr_crc32c(crc, task->pending,
				task->signals->nr_pending *
					sizeof(*task->pending));
		for (size_t k = 0; k < task->nr_threads; k++) {
			const struct cr_saved_thread *thread =
				&task->threads[k];

			crc = cr_crc32c(crc, thread->xstate,
					thread->thread->xstate_length);
			crc = cr_crc32c(crc, thread->groups,
					thread->thread->nr_groups * 4);
		}
	}
	return crc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct cr_wire_run *runs;
	struct cr_image *image;
	struct cr_saved *saved;
	volatile uint32_t crc;
	size_t nr_runs;

	if (!scratch)
		scratch = mmap(NULL, SCRATCH, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fd < 0 || scratch == MAP_FAILED ||
	    write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
		abort();
	read_as_stream(data, size);
	if (cr_image_open_fd(fd, &image, NULL)) {
		close(fd);
		return 0;
	}
	if (!cr_saved_load(image, &saved, NULL)) {
		crc = touch(saved);
		(void)crc;
		for (uint32_t i = 1; i <= saved->nr_spaces; i++) {
			cr_image_fill(image, i, locate, NULL, 1, NULL);
			if (!cr_image_space_runs(image, i, &runs, &nr_runs,
						 NULL))
				free(runs);
		}
		cr_saved_free(saved);
	}
	cr_image_close(image);
	return 0;
}

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
static void set_chunk_checksum(uint8_t *data, size_t left,
			       struct cr_wire_record *record)
{
	struct cr_wire_chunk chunk;
	uint8_t *at = data + sizeof(*record);

	if (left < sizeof(*record) + sizeof(chunk))
		return;
	memcpy(&chunk, at, sizeof(chunk));
	if (chunk.data_offset > left || chunk.data_offset < sizeof(*record) ||
	    chunk.stored_length > left - chunk.data_offset)
		return;
	chunk.data_crc = cr_crc32c(0, data + chunk.data_offset,
				   (size_t)chunk.stored_length);
	memcpy(at, &chunk, sizeof(chunk));
	record->crc = cr_crc32c(cr_crc32c(0, record, sizeof(*record)), at,
				(size_t)chunk.data_offset - sizeof(*record));
}

static void set_checksums(uint8_t *data, size_t size)
{
	struct cr_wire_record record;

	while (size >= sizeof(record)) {
		size_t room = size - sizeof(record), length;

		memcpy(&record, data, sizeof(record));
		record.crc = 0;
		if (record.length > room)
			return;
		length = (size_t)record.length;
		if (record.type == CR_RECORD_CHUNK)
			set_chunk_checksum(data, size, &record);
		else
			record.crc =
				cr_crc32c(cr_crc32c(0, &record, sizeof(record)),
					  data + sizeof(record), length);
		memcpy(data, &record, sizeof(record));
		length = (length + CR_WIRE_ALIGN - 1) &
			 ~(size_t)(CR_WIRE_ALIGN - 1);
		if (length > room)
			return;
		data += sizeof(record) + length;
		size = room - length;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
			       unsigned int seed)
{
	struct cr_wire_record record;
	size_t at = 0, start = 0;

	/* Most changes keep the length: what follows must stay in place.
	 * Of the records, any one, so that small ones get their share. */
	if (seed % 8 == 0 || size < sizeof(record)) {
		size = LLVMFuzzerMutate(data, size, max_size);
		set_checksums(data, size);
		return size;
	}
	srand(seed);
	while (at + sizeof(record) <= size) {
		memcpy(&record, data + at, sizeof(record));
		if (record.length > size - at - sizeof(record))
			break;
		start = at;
		if (rand() % 16 == 0)
			break;
		at += sizeof(record) + (size_t)record.length;
		at += -at & (CR_WIRE_ALIGN - 1);
	}
	memcpy(&record, data + start, sizeof(record));
	at = sizeof(record) + (size_t)record.length;
	if (record.length > 256 && record.type == CR_RECORD_CHUNK)
		at = 256;
	if (at > size - start)
		at = size - start;
	LLVMFuzzerMutate(data + start, at, at);
	set_checksums(data, size);
	return size;
}
#endif
