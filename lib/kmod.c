/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmod.c - the calls of /dev/cr about processes and their memory as functions
 *
 * An open /proc/PID/mem is how the module knows that we may.  That of the last
 * process is kept: the next call is mostly about the same.
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

_Static_assert(CR_KMOD_CHUNKS_MAX <= CR_CHECKPOINT_CHUNKS_MAX,
	       "a call of ours is one of the module's");

struct cr_kmod {
	int device;
	int mem; /* of process @pid, or -1; pid 0: ourselves */
	pid_t pid;
	struct cr_wire_run runs[CR_CHUNK_RUNS_MAX];
	struct cr_ioc_chunk chunks[CR_KMOD_CHUNKS_MAX];
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

/* Memory of process @pid, 0: our own; returns a descriptor. */
static int mem_of(pid_t pid)
{
	char path[64] = "/proc/self/mem";
	int fd;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, (pid ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_mem(struct cr_kmod *kmod, pid_t pid)
{
	if (kmod->mem >= 0 && kmod->pid == pid)
		return 0;
	if (kmod->mem >= 0)
		close(kmod->mem);
	kmod->mem = mem_of(pid);
	kmod->pid = pid;
	return kmod->mem < 0 ? kmod->mem : 0;
}

/*
 * As the module wants them: each with an open descriptor of its process, which
 * neighbours of one process have in common.  Returns how many; 0: *@code says
 * why.
 */
static uint32_t list_chunks(struct cr_kmod *kmod,
			    const struct cr_kmod_chunk *chunks, size_t nr,
			    int *code)
{
	uint32_t i, nr_mems = 0;
	int mem = -1;

	for (i = 0; i < nr && i < CR_KMOD_CHUNKS_MAX; i++) {
		if (i == 0 || chunks[i].pid != chunks[i - 1].pid) {
			if (nr_mems++ == CR_KMOD_PROCESSES_MAX)
				break;
			mem = mem_of(chunks[i].pid);
		}
		if (mem < 0)
			break;
		kmod->chunks[i] = (struct cr_ioc_chunk){
			.mem_fd = mem,
			.space = chunks[i].space,
			.runs = (uintptr_t)chunks[i].runs,
			.keep = (uintptr_t)chunks[i].keep,
			.nr_runs = (uint32_t)chunks[i].nr_runs,
		};
	}
	if (i == 0)
		*code = mem;
	return i;
}

static void close_mems(const struct cr_kmod *kmod, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		if (i == 0 ||
		    kmod->chunks[i].mem_fd != kmod->chunks[i - 1].mem_fd)
			close(kmod->chunks[i].mem_fd);
}

int cr_kmod_checkpoint(struct cr_kmod *kmod, int fd,
		       struct cr_kmod_chunk *chunks, size_t nr, size_t *nr_done,
		       int *code)
{
	struct cr_ioc_checkpoint call = {
		.image_fd = fd,
		.chunks = (uintptr_t)kmod->chunks,
	};
	int rc = 0;

	*nr_done = 0;
	*code = 0;
	call.nr_chunks = list_chunks(kmod, chunks, nr, code);
	if (!call.nr_chunks)
		return 0;
	if (ioctl(kmod->device, CR_IOC_CHECKPOINT, &call) < 0)
		rc = -errno;
	close_mems(kmod, call.nr_chunks);
	/* an older module: nothing has been done */
	if (rc == -ENOTTY)
		*code = rc;
	if (rc < 0)
		return rc == -ENOTTY ? 0 : rc;
	for (uint32_t i = 0; i < call.nr_done; i++) {
		chunks[i].length =
			(uint64_t)kmod->chunks[i].nr_pages * CR_WIRE_PAGE;
		chunks[i].offset = kmod->chunks[i].offset;
	}
	*nr_done = call.nr_done;
	*code = call.code;
	return 0;
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
	if (nr_pieces > CR_CHUNK_RUNS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < nr_pieces; i++)
		kmod->runs[i] =
			(struct cr_wire_run){ (uintptr_t)pieces[i].iov_base,
					      pieces[i].iov_len };
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

int cr_kmod_open_mapped(struct cr_kmod *kmod, pid_t pid, uint64_t address)
{
	struct cr_ioc_open_mapped call = { .address = address };
	int rc = call_about(kmod, pid, CR_IOC_OPEN_MAPPED, &call, &call.mem_fd);

	return rc < 0 ? rc : call.fd;
}

int cr_kmod_regs(struct cr_kmod *kmod, struct cr_ioc_regs *regs)
{
	return ioctl(kmod->device, CR_IOC_REGS, regs) < 0 ? -errno : 0;
}
