/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checkpoint_write.c - what was collected, as records of an image
 *
 * In the order of image_wire.h.  Memory is read by the writer's workers while
 * the tree is still frozen.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/uio.h>

#include "collect.h"
#include "cr_fault.h"
#include "files.h"

#define PART(data, length)                          \
	(struct iovec)                              \
	{                                           \
		(void *)(uintptr_t)(data), (length) \
	}

/* Read from file @path; on success *@lengthp is what lies behind its end. */
static int read_file(const char *path, uint64_t address, void *buffer,
		     size_t *lengthp)
{
	ssize_t n = 1;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (*lengthp && n > 0) {
		n = pread(fd, buffer, *lengthp, (off_t)address);
		if (n <= 0)
			break;
		buffer = (char *)buffer + n;
		address += (uint64_t)n;
		*lengthp -= (size_t)n;
	}
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

/*
 * Through /proc/PID/mem, which reads memory without PROT_READ too, and leaves
 * pages shared: process_vm_readv(2) gives a task copies of its own of pages
 * that it shares copy-on-write, as it pins what it reads.
 */
static int read_slowly(pid_t pid, uint64_t address, void *buffer, size_t length)
{
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	rc = read_file(path, address, buffer, &length);
	return rc == 0 && length ? -EFAULT : rc;
}

static int read_task(const struct cr_memory_source *source, uint64_t address,
		     void *buffer, size_t length)
{
	struct iovec local = { buffer, length };
	struct iovec remote = { (void *)(uintptr_t)address, length };
	ssize_t n;

	if (cr_fault(CR_FAULT_MEMORY_READ))
		return -errno;
	n = process_vm_readv(source->pid, &local, 1, &remote, 1, 0);
	if (n == (ssize_t)length)
		return 0;
	if (n < 0)
		n = 0;
	return read_slowly(source->pid, address + (uint64_t)n,
			   (char *)buffer + n, length - (size_t)n);
}

static int own_task(const struct cr_memory_source *source, uint64_t address,
		    uint64_t *length)
{
	(void)address;
	(void)length;
	return source->pid;
}

/* Index of the owner of the page at @address, which has one. */
static size_t find_owner(const struct cr_save_space *space, uint64_t address)
{
	size_t low = 0, high = space->nr_owners;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (address < space->owners[middle].run.address)
			high = middle;
		else
			low = middle;
	}
	return low;
}

static const struct cr_save_space *
space_of(const struct cr_memory_source *source)
{
	return (const void *)((const char *)source -
			      offsetof(struct cr_save_space, source));
}

static int own_family(const struct cr_memory_source *source, uint64_t address,
		      uint64_t *length)
{
	const struct cr_save_space *space = space_of(source);
	const struct cr_owner *owner =
		&space->owners[find_owner(space, address)];
	uint64_t left = owner->run.address + owner->run.length - address;

	if (address < owner->run.address || !left || left > owner->run.length)
		return 0;
	*length = left < *length ? left : *length;
	return owner->pid;
}

static int read_family(const struct cr_memory_source *source, uint64_t address,
		       void *buffer, size_t length)
{
	const struct cr_save_space *space = space_of(source);
	int rc = 0;

	while (length && rc == 0) {
		const struct cr_owner *owner =
			&space->owners[find_owner(space, address)];
		uint64_t n = owner->run.address + owner->run.length - address;

		if (address < owner->run.address || !n || n > owner->run.length)
			return -EFAULT;
		n = n < length ? n : length;
		rc = read_slowly(owner->pid, address, buffer, n);
		buffer = (char *)buffer + n;
		address += n;
		length -= n;
	}
	return rc;
}

/* What lies behind the end of the object reads as zero. */
static int read_object(const struct cr_memory_source *source, uint64_t address,
		       void *buffer, size_t length)
{
	const struct cr_save_space *space = space_of(source);
	size_t left = length;
	int rc;

	if (!space->mapped.path[0]) {
		memcpy(buffer, (const char *)space->content + address, length);
		return 0;
	}
	rc = read_file(space->mapped.path, address, buffer, &left);
	memset((char *)buffer + length - left, 0, left);
	return rc;
}

static int put_tree(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	struct cr_wire_tree tree = {
		.nr_tasks = (uint32_t)checkpoint->nr_tasks,
	};
	struct cr_wire_link *links;
	struct iovec iov[2];
	int rc;

	links = calloc(checkpoint->nr_tasks, sizeof(*links));
	if (!links)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < checkpoint->nr_tasks; i++)
		links[i] = checkpoint->tasks[i]->link;
	iov[0] = PART(&tree, sizeof(tree));
	iov[1] = PART(links, checkpoint->nr_tasks * sizeof(*links));
	rc = cr_image_writer_put(checkpoint->writer, CR_RECORD_TREE, 0, iov, 2,
				 err);
	free(links);
	return rc;
}

/* One for all tasks: it is the kernel's. */
static int put_vdso(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	struct iovec iov = PART(NULL, checkpoint->head.vdso_length);
	pid_t pid = checkpoint->vdso_of;
	struct iovec remote = { (void *)checkpoint->head.vdso_start,
				checkpoint->head.vdso_length };
	int rc = 0;

	if (!pid)
		return 0;
	iov.iov_base = malloc(iov.iov_len);
	if (!iov.iov_base)
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (process_vm_readv(pid, &iov, 1, &remote, 1, 0) !=
	    (ssize_t)iov.iov_len)
		rc = cr_error_errno(err, "reading the vdso");
	else
		rc = cr_image_writer_put(checkpoint->writer, CR_RECORD_VDSO, 0,
					 &iov, 1, err);
	free(iov.iov_base);
	return rc;
}

static int put_spaces(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < checkpoint->nr_spaces && rc == 0; i++) {
		struct iovec iov = PART(&checkpoint->spaces[i]->wire,
					sizeof(struct cr_wire_space));

		rc = cr_image_writer_put(checkpoint->writer, CR_RECORD_SPACE, 0,
					 &iov, 1, err);
	}
	return rc;
}

static int queue_task(struct cr_checkpoint *checkpoint,
		      struct cr_save_task *task, struct cr_error *err)
{
	struct cr_runs pages = { 0 }, exact = { 0 };
	int rc;

	rc = cr_collect_pages(task, &pages, &exact, err);
	task->source = (struct cr_memory_source){
		.read = read_task,
		.owner = own_task,
		.pid = task->pid,
		.fd = -1,
		.skip_zero = 1,
		.keep = exact.runs,
		.nr_keep = exact.nr,
	};
	if (rc == 0)
		rc = cr_image_writer_memory(checkpoint->writer, task->space,
					    &task->source, pages.runs, pages.nr,
					    err);
	task->source.nr_keep = 0;
	cr_runs_clear(&pages);
	cr_runs_clear(&exact);
	return rc;
}

static int queue_space(struct cr_checkpoint *checkpoint,
		       struct cr_save_space *space, struct cr_error *err)
{
	struct cr_memory_source *source = &space->source;

	switch (space->wire.kind) {
	case CR_SPACE_FAMILY:
		source->read = read_family;
		source->owner = own_family;
		source->skip_zero = !space->wire.file;
		if (space->nr_owners)
			source->pid = space->owners[0].pid;
		break;
	case CR_SPACE_SHMEM:
	case CR_SPACE_SYSV:
	case CR_SPACE_SEMAPHORES:
	case CR_SPACE_QUEUE:
		source->read = read_object;
		source->skip_zero = 1;
		break;
	default: /* MM by task, FILE by the table of files */
		return 0;
	}
	source->fd = -1;
	return cr_image_writer_memory(checkpoint->writer, space->wire.id,
				      source, space->runs.runs, space->runs.nr,
				      err);
}

static int queue_memory(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	int rc;

	rc = cr_file_table_write_contents(checkpoint->files, checkpoint->writer,
					  err);
	for (size_t i = 0; i < checkpoint->nr_spaces && rc == 0; i++)
		rc = queue_space(checkpoint, checkpoint->spaces[i], err);
	for (size_t i = 0; i < checkpoint->nr_tasks && rc == 0; i++)
		if (!checkpoint->tasks[i]->is_zombie)
			rc = queue_task(checkpoint, checkpoint->tasks[i], err);
	return rc;
}

int cr_checkpoint_write(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	struct iovec head = PART(&checkpoint->head, sizeof(checkpoint->head));
	int rc;

	rc = cr_image_writer_put(checkpoint->writer, CR_RECORD_HEAD, 0, &head,
				 1, err);
	if (rc == 0)
		rc = put_tree(checkpoint, err);
	if (rc == 0)
		rc = put_vdso(checkpoint, err);
	if (rc == 0)
		rc = cr_file_table_write(checkpoint->files, checkpoint->writer,
					 err);
	if (rc == 0)
		rc = put_spaces(checkpoint, err);
	for (size_t i = 0; i < checkpoint->nr_tasks && rc == 0; i++)
		rc = cr_put_task(checkpoint->writer, checkpoint->tasks[i], err);
	if (rc == 0)
		rc = queue_memory(checkpoint, err);
	return rc;
}
