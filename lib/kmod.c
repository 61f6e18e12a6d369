/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmod.c - the calls of /dev/cr about processes and their memory as functions
 *
 * An open /proc/PID/mem is how the module knows that we may.  That of the last
 * process is kept: the next chunk is mostly of the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kmod.h"
#include "uapi/cr_ioctl.h"

_Static_assert(CR_TAKE_PAGES_MAX == CR_CHUNK_RUNS_MAX, "a chunk is one call");

struct cr_kmod {
	int device;
	int mem; /* of process @pid, or -1; pid 0: ourselves */
	pid_t pid;
	struct cr_ioc_run runs[CR_TAKE_PAGES_MAX];
};

int cr_engine_parse(const char *name)
{
	static const char *const names[] = {
		[CR_ENGINE_AUTO] = "auto",
		[CR_ENGINE_USER] = "user",
		[CR_ENGINE_KERNEL] = "kernel",
	};

	for (int i = 0; i < 3; i++)
		if (!strcmp(name, names[i]))
			return i;
	return -EINVAL;
}

int cr_kmod_open(enum cr_engine engine, struct cr_kmod **kmodp,
		 struct cr_error *err)
{
	struct cr_kmod *kmod;

	*kmodp = NULL;
	if (engine == CR_ENGINE_USER)
		return 0;
	kmod = calloc(1, sizeof(*kmod));
	if (!kmod)
		return cr_error_set(err, -ENOMEM, "out of memory");
	kmod->mem = -1;
	kmod->device = open(CR_KMOD_DEVICE, O_RDWR | O_CLOEXEC);
	if (kmod->device >= 0) {
		*kmodp = kmod;
		return 0;
	}
	free(kmod);
	if (engine == CR_ENGINE_AUTO)
		return 0;
	return cr_error_errno(err, "the kernel engine: open " CR_KMOD_DEVICE);
}

void cr_kmod_close(struct cr_kmod *kmod)
{
	int saved_errno = errno;

	if (!kmod)
		return;
	if (kmod->mem >= 0)
		close(kmod->mem);
	close(kmod->device);
	free(kmod);
	errno = saved_errno;
}

static int open_mem(struct cr_kmod *kmod, pid_t pid)
{
	char path[64] = "/proc/self/mem";

	if (kmod->mem >= 0 && kmod->pid == pid)
		return 0;
	if (kmod->mem >= 0)
		close(kmod->mem);
	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	kmod->mem = open(path, (pid ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	kmod->pid = pid;
	return kmod->mem < 0 ? -errno : 0;
}

/* Runs for the module: cut where keeping zeros begins or ends. */
static uint32_t split_runs(struct cr_kmod *kmod, const uint64_t *keep,
			   const struct cr_wire_run *runs, size_t nr_runs)
{
	struct cr_ioc_run *last = NULL;
	uint32_t nr = 0, page = 0;

	for (size_t i = 0; i < nr_runs; i++) {
		for (uint64_t at = 0; at < runs[i].length;
		     at += CR_WIRE_PAGE, page++) {
			int is_kept = !keep || keep[page / 64] >> page % 64 & 1;
			uint32_t flags = is_kept ? CR_RUN_F_KEEP_ZERO : 0;

			if (at && last->flags == flags) {
				last->nr_pages++;
				continue;
			}
			last = &kmod->runs[nr++];
			*last = (struct cr_ioc_run){ runs[i].address + at, 1,
						     flags };
		}
	}
	return nr;
}

/* The runs of those pages that are held. */
static void list_taken(const struct cr_ioc_take *call,
		       const struct cr_wire_run *runs, size_t nr_runs,
		       struct cr_kmod_taken *taken)
{
	size_t page = 0;

	taken->nr_runs = 0;
	for (size_t i = 0; i < nr_runs; i++)
		for (uint64_t at = 0; at < runs[i].length;
		     at += CR_WIRE_PAGE, page++)
			if (call->kept[page / 64] >> (page % 64) & 1)
				cr_chunk_add_page(taken->runs, &taken->nr_runs,
						  runs[i].address + at);
	taken->length = (uint64_t)call->nr_kept * CR_WIRE_PAGE;
	taken->crc = call->crc;
}

int cr_kmod_take(struct cr_kmod *kmod, pid_t pid, const uint64_t *keep,
		 const struct cr_wire_run *runs, size_t nr_runs,
		 struct cr_kmod_taken *taken)
{
	struct cr_ioc_take call = { .runs = (uintptr_t)kmod->runs };
	int rc = open_mem(kmod, pid);

	if (rc < 0)
		return rc;
	call.mem_fd = kmod->mem;
	call.nr_runs = split_runs(kmod, keep, runs, nr_runs);
	if (ioctl(kmod->device, CR_IOC_TAKE, &call) < 0)
		return -errno;
	list_taken(&call, runs, nr_runs, taken);
	return 0;
}

int cr_kmod_put(struct cr_kmod *kmod, int fd, uint64_t offset)
{
	struct cr_ioc_put call = { .image_fd = fd, .offset = offset };

	return ioctl(kmod->device, CR_IOC_PUT, &call) < 0 ? -errno : 0;
}

int cr_kmod_fill(struct cr_kmod *kmod, int fd, uint64_t offset,
		 const struct iovec *pieces, size_t nr_pieces, uint32_t *crc)
{
	struct cr_ioc_fill call = { .image_fd = fd,
				    .offset = offset,
				    .runs = (uintptr_t)kmod->runs,
				    .nr_runs = (uint32_t)nr_pieces };
	int rc = open_mem(kmod, 0);

	if (rc < 0)
		return rc;
	call.mem_fd = kmod->mem;
	if (nr_pieces > CR_TAKE_PAGES_MAX)
		return -EINVAL;
	for (size_t i = 0; i < nr_pieces; i++)
		kmod->runs[i] = (struct cr_ioc_run){
			(uintptr_t)pieces[i].iov_base,
			(uint32_t)(pieces[i].iov_len / CR_WIRE_PAGE), 0
		};
	if (ioctl(kmod->device, CR_IOC_FILL, &call) < 0)
		return -errno;
	*crc = call.crc;
	return 0;
}

/* A call about process @pid, whose memory is @mem_fdp of its argument. */
static int call_about(struct cr_kmod *kmod, pid_t pid, unsigned long request,
		      void *argument, int32_t *mem_fdp)
{
	int rc = open_mem(kmod, pid);

	if (rc < 0)
		return rc;
	*mem_fdp = kmod->mem;
	return ioctl(kmod->device, request, argument) < 0 ? -errno : 0;
}

int cr_kmod_ask(struct cr_kmod *kmod, pid_t pid, pid_t tid,
		struct cr_ioc_ask *ask)
{
	*ask = (struct cr_ioc_ask){ .tid = tid };
	return call_about(kmod, pid, CR_IOC_ASK, ask, &ask->mem_fd);
}

int cr_kmod_look(struct cr_kmod *kmod, pid_t pid, pid_t tid,
		 struct cr_ioc_look *look)
{
	*look = (struct cr_ioc_look){ .tid = tid };
	return call_about(kmod, pid, CR_IOC_LOOK, look, &look->mem_fd);
}

int cr_kmod_files(struct cr_kmod *kmod, pid_t pid, struct cr_ioc_files *files)
{
	files->tid = pid;
	return call_about(kmod, pid, CR_IOC_FILES, files, &files->mem_fd);
}

int cr_kmod_maps(struct cr_kmod *kmod, pid_t pid, struct cr_ioc_maps *maps)
{
	return call_about(kmod, pid, CR_IOC_MAPS, maps, &maps->mem_fd);
}

int cr_kmod_regs(struct cr_kmod *kmod, struct cr_ioc_regs *regs)
{
	return ioctl(kmod->device, CR_IOC_REGS, regs) < 0 ? -errno : 0;
}
